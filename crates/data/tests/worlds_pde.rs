//! The `pde` world: solvers against exact solutions, at the orders they claim.

use perturb_data::worlds::pde::*;
use std::f64::consts::{PI, SQRT_2, TAU};

fn last<'a>(trajectory: &'a Trajectory, state: &[usize]) -> &'a [f64] {
    let fields = trajectory.fields.as_slice::<f64>();
    &fields[fields.len() - state.iter().product::<usize>()..]
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// Slope of log error in log step between successive halvings.
fn order(errors: &[f64]) -> f64 {
    (errors[0] / errors[errors.len() - 1]).log2() / (errors.len() - 1) as f64
}

/// A term-by-term image of a series on the line: each wave evaluated with its own factor and shift of x.
fn waves(series: &FourierSeries, n: usize, term: impl Fn(f64) -> (f64, f64)) -> Vec<f64> {
    let value = |x: f64| {
        let each = series.terms.iter().map(|([k, _], [a, b])| {
            let k = TAU * f64::from(*k) / series.length;
            let (factor, shift) = term(k);
            factor * (a * (k * (x - shift)).cos() + b * (k * (x - shift)).sin())
        });
        each.sum::<f64>()
    };
    (0..n).map(|i| value(series.length * i as f64 / n as f64)).collect()
}

#[test]
fn linear_equations_are_solved_to_rounding() {
    let times = [0.0, 0.013, 0.4];
    for index in 0..5 {
        let heat = Heat { n: 48, length: 2.0, ..Heat::default() };
        let series = heat.initial_series(1, index);
        let expected = waves(&series, 48, |k| ((-heat.diffusivity * k * k * 0.4).exp(), 0.0));
        assert!(largest_difference(last(&heat.sample(1, index, &times).unwrap(), &[48]), &expected) < 1e-12);
        let advection = Advection { n: 48, length: 2.0, speed: -0.7, ..Advection::default() };
        let series = advection.initial_series(1, index);
        let expected = waves(&series, 48, |_| (1.0, -0.7 * 0.4));
        assert!(largest_difference(last(&advection.sample(1, index, &times).unwrap(), &[48]), &expected) < 1e-12);
        // D'Alembert: half of it runs to either side.
        let wave = Wave { n: 48, length: 2.0, speed: 1.3, ..Wave::default() };
        let series = wave.initial_series(1, index);
        let (right, left) = (waves(&series, 48, |_| (0.5, 0.52)), waves(&series, 48, |_| (0.5, -0.52)));
        let expected: Vec<f64> = right.iter().zip(&left).map(|(a, b)| a + b).collect();
        let solution = wave.sample(1, index, &times).unwrap();
        assert!(largest_difference(&last(&solution, &[2, 48])[..48], &expected) < 1e-12);
        // And back: with the velocity reversed, the wave returns to where it was.
        let mut reversed = last(&solution, &[2, 48]).to_vec();
        reversed[48..].iter_mut().for_each(|v| *v = -*v);
        let back = wave.solve(&reversed, &[0.4]).unwrap();
        assert!(largest_difference(&last(&back, &[2, 48])[..48], &series.on_line(48)) < 1e-11);
    }
}

/// Modified Bessel functions of the first kind by their power series.
fn bessel(order: i32, z: f64) -> f64 {
    let mut term = (1..=order).map(|j| 0.5 * z / f64::from(j)).product::<f64>();
    let mut sum = term;
    for m in 1..80 {
        term *= 0.25 * z * z / f64::from(m * (m + order));
        sum += term;
    }
    sum
}

/// For u₀ = sin x the integrals are Bessel functions.
#[test]
fn cole_hopf_is_the_bessel_series() {
    let equation = Burgers::default();
    let sine = FourierSeries { length: TAU, terms: vec![([1, 0], [0.0, 1.0])] };
    let (nu, t) = (equation.viscosity, 1.7);
    for x in [0.3, 1.5, 3.0, 3.3, 5.9] {
        let weight = |k: i32| bessel(k, 0.5 / nu) * (-nu * f64::from(k * k) * t).exp();
        let above: f64 = (1..40).map(|k| f64::from(k) * weight(k) * (f64::from(k) * x).sin()).sum();
        let below = weight(0) + 2.0 * (1..40).map(|k| weight(k) * (f64::from(k) * x).cos()).sum::<f64>();
        let (expected, found) = (4.0 * nu * above / below, equation.cole_hopf(&sine, x, t));
        assert!((found - expected).abs() < 1e-12, "{found} and {expected}");
    }
    // With little viscosity: the shock of slope −1/(1 − …) has formed and is antisymmetric about π.
    let thin = Burgers { viscosity: 1e-3, ..equation };
    let (left, right) = (thin.cole_hopf(&sine, PI - 0.1, 2.0), thin.cole_hopf(&sine, PI + 0.1, 2.0));
    // Characteristics: u = sin(x − u t).
    assert!((left + right).abs() < 1e-9 && (left - (PI - 0.1 - 2.0 * left).sin()).abs() < 2e-3, "{left} {right}");
}

#[test]
fn burgers_converges_to_cole_hopf_at_fourth_order() {
    let equation = Burgers { n: 256, ..Burgers::default() };
    for index in 0..3 {
        let series = equation.initial_series(2, index);
        let grid = (0..256).map(|i| TAU * f64::from(i) / 256.0);
        let expected: Vec<f64> = grid.map(|x| equation.cole_hopf(&series, x, 1.0)).collect();
        let error = |step: f64| {
            let solution = Burgers { step, ..equation }.sample(2, index, &[1.0]).unwrap();
            largest_difference(last(&solution, &[256]), &expected)
        };
        assert!(error(0.005) < 1e-8, "{}", error(0.005));
        let errors: Vec<f64> = [0.1, 0.05, 0.025, 0.0125].map(error).to_vec();
        assert!((order(&errors) - 4.0).abs() < 0.3, "{errors:?}");
    }
}

#[test]
fn solitons_travel_unchanged_and_invariants_stay() {
    let equation = Kdv { n: 256, length: 40.0, ..Kdv::default() };
    let soliton = |t: f64| -> Vec<f64> {
        (0..256).map(|i| equation.soliton(0.7, 15.0, 40.0 * f64::from(i) / 256.0, t)).collect()
    };
    let error = |step: f64| {
        let solution = Kdv { step, ..equation }.solve(&soliton(0.0), &[2.0]).unwrap();
        largest_difference(last(&solution, &[256]), &soliton(2.0))
    };
    let errors: Vec<f64> = [0.04, 0.02, 0.01].map(error).to_vec();
    assert!((order(&errors) - 4.0).abs() < 0.3 && errors[2] < 1e-5, "{errors:?}");
    // Mass, momentum and energy of a random sample; derivatives by the waves of the solution itself are exact.
    let equation = Kdv::default();
    let solution = equation.sample(3, 0, &[0.0, 2.0]).unwrap();
    let states = solution.fields.as_slice::<f64>();
    let invariants = |u: &[f64]| {
        let n = u.len();
        // Eighth-order differences, on a grid that oversamples the solution.
        let weights = [4.0 / 5.0, -1.0 / 5.0, 4.0 / 105.0, -1.0 / 280.0];
        let slope = |i: usize| -> f64 {
            let pair = |(j, w): (usize, f64)| w * (u[(i + j + 1) % n] - u[(i + n - j - 1) % n]);
            weights.into_iter().enumerate().map(pair).sum::<f64>() * n as f64 / 32.0
        };
        let energy = (0..n).map(|i| 0.5 * slope(i).powi(2) - u[i].powi(3)).sum::<f64>();
        [u.iter().sum::<f64>(), u.iter().map(|v| v * v).sum::<f64>(), energy]
    };
    let (before, after) = (invariants(&states[..128]), invariants(&states[128..]));
    assert!((before[0] - after[0]).abs() < 1e-9 && (before[1] / after[1] - 1.0).abs() < 1e-7, "{before:?} {after:?}");
    assert!((before[2] / after[2] - 1.0).abs() < 1e-3, "{before:?} {after:?}");
    assert!(largest_difference(&states[..128], &states[128..]) > 0.1);
}

#[test]
fn kuramoto_sivashinsky_grows_and_converges() {
    // A wave too small for the nonlinearity grows by its symbol.
    let equation = KuramotoSivashinsky { step: 0.01, ..KuramotoSivashinsky::default() };
    let k = TAU * 11.0 / equation.length;
    let wave: Vec<f64> = (0..128).map(|i| 1e-9 * (k * equation.length * f64::from(i) / 128.0).cos()).collect();
    let grown = equation.solve(&wave, &[3.0]).unwrap();
    let growth = ((k * k - k.powi(4)) * 3.0).exp();
    let expected: Vec<f64> = wave.iter().map(|u| u * growth).collect();
    assert!(largest_difference(last(&grown, &[128]), &expected) < 1e-6 * 1e-9 * growth);
    let run = |step: f64| KuramotoSivashinsky { step, ..equation }.sample(1, 0, &[10.0]).unwrap();
    let finest = run(0.003125);
    let errors: Vec<f64> = [0.025, 0.0125].map(|h| run(h).relative_difference(&finest).unwrap()).to_vec();
    assert!((order(&errors) - 4.0).abs() < 0.3 && errors[1] < 1e-7, "{errors:?}");
}

#[test]
fn allen_cahn_keeps_its_exact_solutions() {
    let equation = AllenCahn { n: 256, ..AllenCahn::default() };
    let start = 0.1f64;
    let exact = |t: f64| start / (start * start + (1.0 - start * start) * (-2.0 * t).exp()).sqrt();
    let error = |step: f64| {
        let solution = AllenCahn { step, ..equation }.solve(&[start; 256], &[2.0]).unwrap();
        largest_difference(last(&solution, &[256]), &[exact(2.0); 256])
    };
    let errors: Vec<f64> = [0.1, 0.05, 0.025].map(error).to_vec();
    assert!((order(&errors) - 4.0).abs() < 0.2 && errors[2] < 1e-6, "{errors:?}");
    // Two kinks so far apart that they rest: their pull is e^(−√2/ε).
    let kink = |x: f64| (x / (SQRT_2 * equation.epsilon)).tanh();
    let pair: Vec<f64> = (0..256).map(|i| f64::from(i) / 128.0).map(|x| kink(x - 0.5) - kink(x - 1.5) - 1.0).collect();
    let rested = equation.solve(&pair, &[5.0]).unwrap();
    assert!(largest_difference(last(&rested, &[256]), &pair) < 1e-5);
}

#[test]
fn gray_scott_follows_its_two_limits() {
    let equation = GrayScott { n: 16, ..GrayScott::default() };
    // Without v, u − 1 is a decaying wave.
    let k = TAU * 3.0;
    let wave: Vec<f64> = (0..256).map(|i| 1.0 + 0.3 * (k * f64::from(i % 16) / 16.0).cos()).collect();
    let state = [wave.clone(), vec![0.0; 256]].concat();
    let solution = equation.solve(&state, &[20.0]).unwrap();
    let decay = (-(equation.feed + equation.diffusion_u * k * k) * 20.0).exp();
    let expected: Vec<f64> = wave.iter().map(|u| 1.0 + (u - 1.0) * decay).collect();
    assert!(largest_difference(&last(&solution, &[2, 256])[..256], &expected) < 1e-9);
    // Uniform states follow the ordinary equation: by the classical Runge–Kutta method with tiny steps.
    let rate = |[u, v]: [f64; 2]| {
        let reaction = u * v * v;
        [equation.feed * (1.0 - u) - reaction, reaction - (equation.feed + equation.kill) * v]
    };
    let (mut s, h) = ([0.6, 0.35], 0.01);
    for _ in 0..2000 {
        let add = |a: [f64; 2], b: [f64; 2], w: f64| [a[0] + w * b[0], a[1] + w * b[1]];
        let k1 = rate(s);
        let k2 = rate(add(s, k1, h / 2.0));
        let k3 = rate(add(s, k2, h / 2.0));
        let k4 = rate(add(s, k3, h));
        s = [0, 1].map(|i| s[i] + h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]));
    }
    let uniform = [vec![0.6; 256], vec![0.35; 256]].concat();
    let error = |step: f64| {
        let solution = GrayScott { step, ..equation }.solve(&uniform, &[20.0]).unwrap();
        let state = last(&solution, &[2, 256]);
        (state[7] - s[0]).abs().max((state[256 + 7] - s[1]).abs())
    };
    let errors: Vec<f64> = [2.0, 1.0, 0.5].map(error).to_vec();
    assert!((order(&errors) - 4.0).abs() < 0.3 && errors[2] < 1e-6, "{errors:?}");
    // Patterns are resolved: twice the points and half the step change little.
    let coarse = GrayScott { n: 64, length: 0.5, step: 2.0, spots: 3, ..equation }.sample(1, 0, &[100.0]).unwrap();
    let fine = GrayScott { n: 128, length: 0.5, step: 2.0, spots: 3, ..equation }.sample(1, 0, &[100.0]).unwrap();
    let difference = coarse.relative_difference(&fine).unwrap();
    assert!(difference < 1e-3, "{difference}");
}

#[test]
fn vortices_decay_as_they_must() {
    let equation = NavierStokes { n: 32, viscosity: 0.05, ..NavierStokes::default() };
    let at = |i: usize| [i % 32, i / 32].map(|i| TAU * i as f64 / 32.0);
    // Taylor–Green, and a sum of modes of one wavelength, 5² = 3² + 4².
    let taylor_green = |i: usize| 2.0 * at(i)[0].cos() * at(i)[1].cos();
    let same_length = |i: usize| {
        let [x, y] = at(i);
        (5.0 * x).sin() + (3.0 * x + 4.0 * y).cos() - 0.5 * (4.0 * x - 3.0 * y).sin()
    };
    for (start, square) in [(Box::new(taylor_green) as Box<dyn Fn(usize) -> f64>, 2.0), (Box::new(same_length), 25.0)] {
        let start: Vec<f64> = (0..1024).map(start).collect();
        let solution = equation.solve(&start, &[1.0]).unwrap();
        let expected: Vec<f64> = start.iter().map(|w| w * (-0.05f64 * square).exp()).collect();
        assert!(largest_difference(last(&solution, &[1024]), &expected) < 1e-10);
    }
    let forced = NavierStokes { forcing: (0.3, 2), ..equation };
    let solution = forced.solve(&[0.0; 1024], &[4.0]).unwrap();
    let level = 0.3 / (0.05 * 4.0) * (1.0 - (-0.05f64 * 4.0 * 4.0).exp());
    let expected: Vec<f64> = (0..1024).map(|i| level * (2.0 * at(i)[1]).cos()).collect();
    assert!(largest_difference(last(&solution, &[1024]), &expected) < 1e-10);
}

/// The rate of change at the start is −u·∇ω + νΔω with every derivative taken from the series.
#[test]
fn vorticity_changes_at_the_right_rate() {
    let equation = NavierStokes {
        n: 48,
        viscosity: 0.02,
        law: SeriesLaw { modes: 4, decay: 1.0, amplitude: 1.0 },
        ..NavierStokes::default()
    };
    let series = equation.initial_series(5, 1);
    // Vorticity, its gradient and Laplacian, and the velocity, wave by wave.
    let fields = |x: f64, y: f64| {
        let mut sums = [0.0; 6];
        for ([kx, ky], [a, b]) in &series.terms {
            let (kx, ky) = (f64::from(*kx), f64::from(*ky));
            let (sin, cos) = (kx * x + ky * y).sin_cos();
            let (wave, slope, square) = (a * cos + b * sin, b * cos - a * sin, kx * kx + ky * ky);
            // −Δψ = ω: ψ = ω / k².
            let terms = [wave, kx * slope, ky * slope, -square * wave, ky * slope / square, -kx * slope / square];
            sums.iter_mut().zip(terms).for_each(|(s, t)| *s += t);
        }
        sums
    };
    let start = equation.initial(5, 1);
    let h = 1e-4;
    let solution = equation.solve(&start, &[h, 2.0 * h]).unwrap();
    let states = solution.fields.as_slice::<f64>();
    let velocity = equation.velocity(&start).unwrap();
    for i in 0..48 * 48 {
        let [x, y] = [i % 48, i / 48].map(|i| TAU * i as f64 / 48.0);
        let [w, wx, wy, laplacian, u, v] = fields(x, y);
        assert!((w - start[i]).abs() < 1e-12);
        assert!((velocity[i] - u).abs() < 1e-12 && (velocity[48 * 48 + i] - v).abs() < 1e-12);
        let expected = -u * wx - v * wy + 0.02 * laplacian;
        let found = (4.0 * states[i] - states[48 * 48 + i] - 3.0 * w) / (2.0 * h);
        assert!((found - expected).abs() < 2e-5 * (1.0 + expected.abs()), "{found} and {expected}");
    }
}

#[test]
fn ideal_flow_keeps_energy_and_enstrophy_and_converges() {
    let equation = NavierStokes {
        n: 64,
        viscosity: 0.0,
        law: SeriesLaw { modes: 3, decay: 1.0, amplitude: 1.0 },
        ..NavierStokes::default()
    };
    let solution = equation.sample(1, 0, &[0.0, 1.0]).unwrap();
    let states = solution.fields.as_slice::<f64>();
    let quantities = |w: &[f64]| {
        let energy: f64 = equation.velocity(w).unwrap().iter().map(|u| u * u).sum();
        [energy, w.iter().map(|w| w * w).sum::<f64>()]
    };
    let (before, after) = (quantities(&states[..4096]), quantities(&states[4096..]));
    for (a, b) in before.into_iter().zip(after) {
        assert!((a / b - 1.0).abs() < 1e-7, "{before:?} {after:?}");
    }
    let viscous = NavierStokes { n: 32, viscosity: 0.05, ..equation };
    let run = |step: f64| NavierStokes { step, ..viscous }.sample(1, 0, &[2.0]).unwrap();
    let finest = run(0.0125);
    let errors: Vec<f64> = [0.2, 0.1].map(|h| run(h).relative_difference(&finest).unwrap()).to_vec();
    assert!((order(&errors) - 4.0).abs() < 0.4, "{errors:?}");
}

#[test]
fn poisson_divides_by_the_square_of_the_wavenumber() {
    let equation = Poisson { n: 32, length: 3.0, ..Poisson::default() };
    let source = equation.source(1, 1);
    let mut exact = source.clone();
    for ([x, y], coefficients) in &mut exact.terms {
        let square = f64::from(*x * *x + *y * *y) * (TAU / 3.0).powi(2);
        coefficients.iter_mut().for_each(|c| *c /= square);
    }
    let found = equation.solve(&source.on_plane(32)).unwrap();
    assert!(largest_difference(&found, &exact.on_plane(32)) < 1e-13);
}

/// a = exp(sin 2x + ½ cos 3y), u = sin πx sin 2πy, f by hand.
#[test]
fn darcy_converges_at_second_order() {
    let error = |n: usize| {
        let equation = Darcy { n, ..Darcy::default() };
        let centre = |i: usize| [i % n, i / n].map(|i| (i as f64 + 0.5) / n as f64);
        let a = |[x, y]: [f64; 2]| ((2.0 * x).sin() + 0.5 * (3.0 * y).cos()).exp();
        let u = |[x, y]: [f64; 2]| (PI * x).sin() * (TAU * y).sin();
        let source = |p: [f64; 2]| {
            let [x, y] = p;
            let (ux, uy) = (PI * (PI * x).cos() * (TAU * y).sin(), TAU * (PI * x).sin() * (TAU * y).cos());
            let (ax, ay) = (2.0 * (2.0 * x).cos() * a(p), -1.5 * (3.0 * y).sin() * a(p));
            -(ax * ux + ay * uy) + a(p) * 5.0 * PI * PI * u(p)
        };
        let on_grid = |f: &dyn Fn([f64; 2]) -> f64| (0..n * n).map(|i| f(centre(i))).collect::<Vec<f64>>();
        let found = equation.solve(&on_grid(&a), &on_grid(&source)).unwrap();
        largest_difference(&found, &on_grid(&u))
    };
    let errors: Vec<f64> = [16, 32, 64].map(error).to_vec();
    assert!((order(&errors) - 2.0).abs() < 0.15 && errors[2] < 2e-3, "{errors:?}");
}

#[test]
fn darcy_fields_follow_their_law() {
    let equation = Darcy { n: 24, permeability: Permeability::LogNormal { deviation: 0.8, modes: 8 } };
    let mut square = 0.0;
    for index in 0..300 {
        square += equation.permeability(1, index).iter().map(|a| a.ln().powi(2)).sum::<f64>() / 576.0 / 300.0;
    }
    // The mean square of 300 samples, each led by a few normal coefficients: five standard errors.
    assert!((square / 0.64 - 1.0).abs() < 5.0 * (2.0f64 / 300.0).sqrt(), "{square}");
    let phases = Darcy { permeability: Permeability::TwoPhase { high: 12.0, low: 3.0, modes: 8 }, ..equation };
    let field = phases.permeability(1, 0);
    assert!(field.iter().all(|&a| a == 12.0 || a == 3.0));
    for (a, g) in field.iter().zip(equation.permeability(1, 0)) {
        assert_eq!(*a == 12.0, g >= 1.0);
    }
    let flow = phases.solve(&field, &[1.0; 576]).unwrap();
    assert!(flow.iter().all(|&u| u > 0.0), "the maximum principle");
}

#[test]
fn series_follow_their_law_at_every_resolution() {
    let equation = Burgers::default();
    let mut square = 0.0;
    for index in 0..400 {
        let fine = Burgers { n: 64, ..equation }.initial(3, index);
        let coarse = Burgers { n: 32, ..equation }.initial(3, index);
        assert!(coarse.iter().zip(fine.iter().step_by(2)).all(|(a, b)| (a - b).abs() < 1e-14));
        square += fine.iter().map(|u| u * u).sum::<f64>() / 64.0 / 400.0;
    }
    assert!((square / 0.49 - 1.0).abs() < 5.0 * (1.0f64 / 400.0).sqrt(), "{square}");
    let series = equation.initial_series(3, 0);
    for x in [0.0, 0.4, 3.0, 9.0] {
        // Simpson's rule with 2000 intervals: error below 1e-10 for three modes.
        let h = x / 2000.0;
        let weight = |i: i32| {
            if i == 0 || i == 2000 {
                1.0
            } else if i % 2 == 1 {
                4.0
            } else {
                2.0
            }
        };
        let sum: f64 = (0..=2000).map(|i| weight(i) * series.at([h * f64::from(i), 0.0])).sum();
        assert!((series.integral(x) - sum * h / 3.0).abs() < 1e-10);
    }
}

#[test]
fn solutions_depend_on_seed_and_index_alone() {
    let equation = Burgers { n: 32, ..Burgers::default() };
    let times = [0.1, 0.2];
    let set = equation.dataset(4, 6, &times).unwrap();
    assert_eq!(&set.shape()[..], [6, 2, 1, 32]);
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one_thread.install(|| equation.dataset(4, 6, &times)).unwrap(), set);
    for index in (0..6).rev() {
        let solution = equation.sample(4, index as u64, &times).unwrap();
        assert_eq!(solution.fields.as_slice::<f64>(), set.rows(index, index + 1).as_slice::<f64>());
    }
}

#[test]
fn impossible_problems_are_errors() {
    let equation = Burgers { n: 16, ..Burgers::default() };
    let start = equation.initial(0, 0);
    for (result, part) in [
        (equation.solve(&start[1..], &[1.0]), "length of the initial state"),
        (equation.solve(&[f64::NAN; 16], &[1.0]), "a value of the initial state"),
        (equation.solve(&start, &[1.0, 0.5]), "time"),
        (equation.solve(&start, &[-1.0]), "time"),
        (equation.solve(&start, &[f64::INFINITY]), "time"),
        (Burgers { n: 2, ..equation }.solve(&[0.0; 2], &[1.0]), "n"),
        (Burgers { viscosity: -1.0, ..equation }.solve(&start, &[1.0]), "viscosity"),
        (Burgers { length: 0.0, ..equation }.solve(&start, &[1.0]), "length"),
        (Burgers { step: f64::NAN, ..equation }.solve(&start, &[1.0]), "step"),
    ] {
        let message = result.unwrap_err().to_string();
        assert!(message.starts_with(&format!("pde: {part} is")), "{message}");
    }
    // Steps far too large blow up, and it is said.
    let wild: Vec<f64> = (0..16).map(|i| 1e6 * f64::from(i).sin()).collect();
    let message = Burgers { step: 5.0, ..equation }.solve(&wild, &[500.0]).unwrap_err().to_string();
    assert!(message.contains("take smaller steps"), "{message}");
    let darcy = Darcy { n: 4, ..Darcy::default() };
    assert!(darcy.solve(&[1.0; 15], &[1.0; 16]).is_err());
    assert!(darcy.solve(&[0.0; 16], &[1.0; 16]).is_err());
    assert!(darcy.solve(&[1.0; 16], &[f64::NAN; 16]).is_err());
}
