//! The flow of the Barlow-Twins loss against its closed form, the graph's gradient, and the same world seen by a kernel.

use perturb_graph::{DType, Expr, Tensor, eval, grad};
use perturb_metrics::Matrix;
use perturb_ssl::Objective;
use perturb_ssl::finite::stepwise::{BarlowFlow, Simulation, analytic, step_time};
use perturb_ssl::kernel::contrastive_modes;
use perturb_ssl::objective::BarlowTwins;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

fn normal(rows: usize, columns: usize, seed: u64) -> Matrix<'static> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values = (0..rows * columns).map(|_| rng.sample::<f64, _>(StandardNormal)).collect();
    Matrix::from_vec(values, columns).unwrap()
}

/// Second views are first views with noise.
fn views(pairs: usize, features: usize) -> [Matrix<'static>; 2] {
    let (first, noise) = (normal(pairs, features, 1), normal(pairs, features, 2));
    let second = first.values().iter().zip(noise.values()).map(|(x, n)| x + 0.3 * n).collect();
    let second = Matrix::from_vec(second, features).unwrap();
    [first, second]
}

#[test]
fn every_mode_follows_the_closed_form() {
    // A positive, a small positive, a zero and a negative mode, in a basis that is not the coordinates'.
    let (c, s) = (0.6, 0.8);
    let rotated = |a: f64, b: f64| [c * c * a + s * s * b, c * s * (a - b), s * s * a + c * c * b];
    let ([a, b, d], [e, f, g]) = (rotated(1.5, 0.4), rotated(0.0, -0.5));
    let gamma = [a, b, 0.0, 0.0, b, d, 0.0, 0.0, 0.0, 0.0, e, f, 0.0, 0.0, f, g];
    let flow = BarlowFlow::new(&Matrix::new(&gamma, 4).unwrap()).unwrap();
    for (found, expected) in flow.modes().iter().zip([1.5, 0.4, 0.0, -0.5]) {
        assert!((found - expected).abs() < 1e-12);
    }
    let start = flow.aligned(4, 1e-3).unwrap();
    let found = Simulation { step: 0.01, steps: 1500, every: 50 }.run(&flow, &start).unwrap();
    assert_eq!(found.len(), 31);
    for moment in &found {
        let amplitudes = flow.amplitudes(&moment.weights).unwrap();
        for (&found, &gamma) in amplitudes.iter().zip(flow.modes()) {
            let expected = analytic(gamma, 1e-3, moment.time);
            assert!((found / expected - 1.0).abs() < 1e-4, "γ = {gamma}, t = {}: {found}, not {expected}", moment.time);
        }
        let loss: f64 = flow.modes().iter().map(|g| (g * analytic(*g, 1e-3, moment.time).powi(2) - 1.0).powi(2)).sum();
        assert!((moment.loss - loss).abs() < 1e-3 * loss, "{} not {loss}", moment.loss);
    }
    let half = analytic(0.4, 1e-3, step_time(0.4, 1e-3)).powi(2);
    assert!((half - 0.5 / 0.4).abs() < 1e-12);
    assert_eq!(step_time(-0.5, 1e-3), f64::INFINITY);
}

#[test]
fn the_flow_is_that_of_the_loss_on_pairs() {
    let [first, second] = views(50, 5);
    let flow = BarlowFlow::of_pairs(&first, &second).unwrap();
    let w = normal(3, 5, 3);
    let tensor = |m: &Matrix| Tensor::new([m.rows(), m.columns()], m.values().to_vec()).unwrap();
    let weights = Expr::input("w", [3, 5], DType::F64);
    let embed = |x: &Matrix| Expr::constant(tensor(x)).matmul(&weights.transpose(&[1, 0]));
    let loss = BarlowTwins::PLAIN.loss(&embed(&first), &embed(&second)).unwrap();
    let gradient = grad(&loss, &[weights.clone()]).unwrap().remove(0);
    let found = eval(&[loss, gradient], &[(weights.clone(), tensor(&w))]).unwrap();
    // One step of Runge–Kutta is short enough for its difference quotient to be the velocity.
    let step = 1e-7;
    let moments = Simulation { step, steps: 1, every: 1 }.run(&flow, &w).unwrap();
    assert!((moments[0].loss - found[0].to_f64_vec()[0]).abs() < 1e-10 * moments[0].loss);
    let scale = found[1].to_f64_vec().iter().fold(0.0f64, |m, v| m.max(v.abs()));
    for ((after, before), slope) in moments[1].weights.values().iter().zip(w.values()).zip(found[1].to_f64_vec()) {
        assert!(((after - before) / step + slope).abs() < 1e-4 * scale, "{} not {}", (after - before) / step, -slope);
    }
}

#[test]
fn a_start_that_is_not_aligned_grows_from_its_effective_amplitudes() {
    let gamma = [2.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.5];
    let flow = BarlowFlow::new(&Matrix::new(&gamma, 3).unwrap()).unwrap();
    let scaled: Vec<f64> = normal(3, 3, 4).values().iter().map(|v| 1e-6 * v).collect();
    let start = Matrix::new(&scaled, 3).unwrap();
    let starts = flow.effective_starts(&start).unwrap();
    // Gram–Schmidt by hand: what of each column the columns before it leave.
    let columns: Vec<Vec<f64>> = (0..3).map(|j| (0..3).map(|i| scaled[3 * i + j]).collect()).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for (column, start) in columns.iter().zip(&starts) {
        let mut left = column.clone();
        for q in &basis {
            let along = dot(q, column);
            left.iter_mut().zip(q).for_each(|(l, q)| *l -= along * q);
        }
        let length = dot(&left, &left).sqrt();
        assert!((length / start - 1.0).abs() < 1e-9);
        basis.push(left.iter().map(|v| v / length).collect());
    }
    let found = Simulation { step: 0.01, steps: 1200, every: 1 }.run(&flow, &start).unwrap();
    for (j, (&gamma, &start)) in flow.modes().iter().zip(&starts).enumerate() {
        let half = |m: &&perturb_ssl::finite::stepwise::Moment| flow.spectrum(&m.weights).unwrap()[j] >= 0.5;
        let time = found.iter().find(half).unwrap().time;
        assert!((time / step_time(gamma, start) - 1.0).abs() < 0.02, "mode {j}: {time}");
    }
    assert!(found.last().unwrap().loss < 1e-3);
}

/// With fewer rows than positive modes the end is not exactly the space of the strongest: the next mode has grown to
/// e^{4γ_{d+1}·τ_d} of its start by the time that the last row's mode ends the growth of all, so that the angle falls as
/// start^(1 − γ_{d+1}/γ_d) only.
#[test]
fn a_narrow_embedding_keeps_a_trace_of_the_next_mode() {
    let modes: Vec<f64> = (0..8).map(|j| 1.6f64.powi(-j)).collect();
    let gamma = (0..64).map(|i| if i / 8 == i % 8 { modes[i / 8] } else { 0.0 }).collect();
    let flow = BarlowFlow::new(&Matrix::from_vec(gamma, 8).unwrap()).unwrap();
    let random = normal(4, 8, 6);
    let angle = |start: f64| {
        let scaled = random.values().iter().map(|v| start * v).collect();
        let simulation = Simulation { step: 0.02, steps: 2500, every: 2500 };
        let found = simulation.run(&flow, &Matrix::from_vec(scaled, 8).unwrap()).unwrap();
        assert!(found[1].loss < 1e-6);
        flow.angle_to_top(&found[1].weights).unwrap()
    };
    let (large, small) = (angle(1e-4), angle(1e-7));
    assert!(large > 1e-3, "{large}");
    let exponent = (large / small).log10() / 3.0;
    assert!((exponent - (1.0 - 1.0 / 1.6)).abs() < 0.02, "{exponent}");
}

#[test]
fn a_linear_kernel_has_the_modes_of_its_features() {
    let [first, second] = views(12, 4);
    let flow = BarlowFlow::of_pairs(&first, &second).unwrap();
    let product = |a: &Matrix, b: &Matrix| {
        let dot = |i: usize, j: usize| a.row(i).iter().zip(b.row(j)).map(|(a, b)| a * b).sum::<f64>();
        let values = (0..a.rows()).flat_map(|i| (0..b.rows()).map(move |j| (i, j))).map(|(i, j)| dot(i, j)).collect();
        Matrix::from_vec(values, b.rows()).unwrap()
    };
    let modes =
        contrastive_modes(&product(&first, &first), &product(&first, &second), &product(&second, &second)).unwrap();
    assert_eq!(modes.gamma().len(), 4, "as many as there are features");
    for (found, expected) in modes.gamma().iter().zip(flow.modes()) {
        assert!((found - expected).abs() < 1e-10, "{found}, not {expected}");
    }
    // Points that training did not see, embedded as W = Γ^(−½) on the two strongest axes would, up to signs.
    let points = normal(5, 4, 9);
    let both = Matrix::from_vec([first.values(), second.values()].concat(), 4).unwrap();
    let embedded = modes.embed(&product(&points, &both), 2).unwrap();
    for j in 0..2 {
        let axis = flow.axis(j);
        let expected: Vec<f64> = points
            .iter()
            .map(|x| x.iter().zip(&axis).map(|(x, a)| x * a).sum::<f64>() / flow.modes()[j].sqrt())
            .collect();
        let sign = (embedded.row(0)[j] * expected[0]).signum();
        for (found, expected) in embedded.iter().zip(&expected) {
            assert!((sign * found[j] - expected).abs() < 1e-8, "{found:?}, not {expected}");
        }
    }
}

#[test]
fn the_angle_to_the_strongest_modes() {
    let gamma = [3.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 1.0];
    let flow = BarlowFlow::new(&Matrix::new(&gamma, 3).unwrap()).unwrap();
    let tilted = [1.0, 0.0, 0.0, 0.0, 0.8, 0.6];
    assert!((flow.angle_to_top(&Matrix::new(&tilted, 3).unwrap()).unwrap() - 0.6).abs() < 1e-12);
    assert!(flow.angle_to_top(&flow.aligned(2, 0.1).unwrap()).unwrap() < 1e-12);
    assert_eq!(flow.angle_to_top(&flow.aligned(3, 0.1).unwrap()).unwrap(), 0.0);
}

#[test]
fn what_does_not_fit_is_refused() {
    let matrix = |values: &[f64], columns| Matrix::from_vec(values.to_vec(), columns).unwrap();
    assert!(BarlowFlow::new(&matrix(&[1.0, 2.0], 2)).is_err());
    assert!(BarlowFlow::new(&matrix(&[1.0, 2.0, 0.0, 1.0], 2)).is_err());
    let flow = BarlowFlow::new(&matrix(&[1.0, 0.0, 0.0, 2.0], 2)).unwrap();
    assert!(flow.aligned(3, 1.0).is_err() && flow.aligned(0, 1.0).is_err());
    assert!(flow.amplitudes(&matrix(&[1.0, 2.0, 3.0], 3)).is_err());
    let run = |step: f64, every: usize| Simulation { step, steps: 2, every }.run(&flow, &flow.aligned(2, 0.1).unwrap());
    assert!(run(0.0, 1).is_err() && run(f64::NAN, 1).is_err() && run(0.1, 0).is_err() && run(0.1, 1).is_ok());
    assert!(
        Simulation { step: 100.0, steps: 9, every: 1 }.run(&flow, &flow.aligned(2, 0.1).unwrap()).is_err(),
        "diverges"
    );
    let (k, wide) = (matrix(&[1.0, 0.0, 0.0, 1.0], 2), matrix(&[1.0, 0.0], 2));
    assert!(contrastive_modes(&k, &wide, &k).is_err());
    let negative = matrix(&[-1.0, 0.0, 0.0, 1.0], 2);
    assert!(contrastive_modes(&negative, &matrix(&[0.0; 4], 2), &k).is_err());
    let modes = contrastive_modes(&k, &k, &k).unwrap();
    assert!(modes.embed(&matrix(&[1.0; 3], 3), 1).is_err() && modes.embed(&matrix(&[1.0; 4], 4), 9).is_err());
}
