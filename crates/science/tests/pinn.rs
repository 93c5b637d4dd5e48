//! Derivatives, residuals and solutions against what is known of them.

use perturb_data::worlds::pde::{Burgers as World, FourierSeries};
use perturb_graph::{DType, Expr, Tensor, eval};
use perturb_nn::{Initializer, Layers, Lbfgs};
use perturb_science::pinn::{
    Ansatz, Burgers, Centres, Domain, Equation, Fit, Helmholtz, Perceptron, Pig, Problem, jet, relative_error,
};

fn layers(seed: u64) -> Layers {
    Layers::new(Initializer::pytorch(seed)).dtype(DType::F64)
}

fn values(outputs: &[Expr]) -> Vec<Vec<f64>> {
    eval(outputs, &[]).unwrap().iter().map(Tensor::to_f64_vec).collect()
}

fn ansatzes() -> Vec<Box<dyn Ansatz>> {
    let domain = Domain::new(&[-2.0, 1.0], &[2.0, 3.0]).unwrap();
    let pig = Pig { gaussians: 9, sigma: 0.5, domain: domain.clone(), ..Pig::default() };
    let fourier = Perceptron { widths: vec![8, 8], fourier: Some((4, 0.5)), domain };
    vec![
        Box::new(Pig { centres: Centres::Lattice, ..pig.clone() }),
        Box::new(pig),
        Box::new(Perceptron { fourier: None, ..fourier.clone() }),
        Box::new(fourier),
    ]
}

#[test]
fn jets_are_those_of_finite_differences() {
    let points = [-1.2, 1.3, 0.4, 2.2, 1.7, 2.9];
    for (i, ansatz) in ansatzes().iter().enumerate() {
        let layers = layers(i as u64);
        let at = |values: Vec<f64>| Expr::constant(Tensor::new([3, 2], values).unwrap());
        let x = at(points.to_vec());
        let u = jet(&ansatz.value(&layers, &x), &x);
        let found = values(&[u.first, u.second].concat());
        for axis in 0..2 {
            let h = 1e-4;
            let moved = |by: f64| {
                let place = |(k, p): (usize, &f64)| if k % 2 == axis { p + by } else { *p };
                values(&[ansatz.value(&layers, &at(points.iter().enumerate().map(place).collect()))]).remove(0)
            };
            let (low, middle, high) = (moved(-h), moved(0.0), moved(h));
            for n in 0..3 {
                let first = (high[n] - low[n]) / (2.0 * h);
                let second = (high[n] - 2.0 * middle[n] + low[n]) / (h * h);
                assert!((found[axis][n] - first).abs() < 1e-6, "{i}: {} not {first}", found[axis][n]);
                assert!((found[2 + axis][n] - second).abs() < 1e-5, "{i}: {} not {second}", found[2 + axis][n]);
            }
        }
    }
}

#[test]
fn a_solution_has_no_residual() {
    let x = Expr::constant(Domain::square().lattice(5));
    let helmholtz = Helmholtz { waves: [4.0, 1.0] };
    let wave = |axis: usize, waves: f64| x.slice_axis(1, axis, axis + 1).scale(std::f64::consts::PI * waves).sin();
    let product = wave(0, 4.0).mul(&wave(1, 1.0));
    let residual = values(&[helmholtz.residual(&x, &jet(&product, &x))]).remove(0);
    assert!(residual.iter().all(|r| r.abs() < 1e-10), "{residual:?}");
    let other = values(&[helmholtz.residual(&x, &jet(&product.scale(1.1), &x))]).remove(0);
    assert!(other.iter().any(|r| r.abs() > 1.0));

    // The travelling wave u = c·(1 − tanh(c·(x − ct)/(2ν))) of Burgers' equation.
    let (c, nu) = (0.5, 0.1);
    let (place, time) = (x.slice_axis(1, 0, 1), x.slice_axis(1, 1, 2));
    let front = place.sub(&time.scale(c)).scale(c / (2.0 * nu)).tanh().scale(-c).offset(c);
    let residual = values(&[Burgers { viscosity: nu }.residual(&x, &jet(&front, &x))]).remove(0);
    assert!(residual.iter().all(|r| r.abs() < 1e-12), "{residual:?}");
}

#[test]
fn gaussians_are_the_formula() {
    let pig = Pig { features: 2, gaussians: 3, sigma: 0.3, widths: vec![], ..Pig::default() };
    let layers = layers(5);
    let point = [0.2, -0.4];
    let x = Expr::constant(Tensor::new([1, 2], point.to_vec()).unwrap());
    let found = values(&[pig.value(&layers, &x)]).remove(0)[0];
    let parameter = |name: &str| {
        let found = layers.parameters().into_iter().find(|p| p.name() == Some(name));
        found.unwrap_or_else(|| panic!("{name}")).value().unwrap().to_f64_vec()
    };
    let mu = [parameter("mu.0"), parameter("mu.1")];
    let (f, w, b) = (parameter("gaussians.weight"), parameter("network.0.weight"), parameter("network.0.bias"));
    let bell = |i: usize| (-0.5 * (0..2).map(|d| ((point[d] - mu[d][i]) / 0.301).powi(2)).sum::<f64>()).exp();
    let feature = |k: usize| (0..3).map(|i| f[3 * k + i] * bell(3 * k + i)).sum::<f64>();
    let expected = w[0] * feature(0) + w[1] * feature(1) + b[0];
    assert!((found - expected).abs() < 1e-14, "{found}, not {expected}");
    assert!(mu.iter().flatten().all(|m| m.abs() <= 1.0));
}

#[test]
fn domains_hold_their_points() {
    let domain = Domain::new(&[0.0, -1.0], &[2.0, 1.0]).unwrap();
    assert_eq!(domain.lattice(2).to_f64_vec(), [0.5, -0.5, 0.5, 0.5, 1.5, -0.5, 1.5, 0.5]);
    assert_eq!(domain.side(0, true, 3).unwrap().to_f64_vec(), [2.0, -1.0, 2.0, 0.0, 2.0, 1.0]);
    assert_eq!(domain.side(1, false, 2).unwrap().to_f64_vec(), [0.0, -1.0, 2.0, -1.0]);
    let unit = Expr::constant(Tensor::new([2, 2], vec![0.0, 0.0, 0.75, 0.5]).unwrap());
    let found = values(&[domain.scaled(&unit), domain.normalised(&domain.scaled(&unit))]);
    assert_eq!(found, [[0.0, -1.0, 1.5, 0.0], [-1.0, -1.0, 0.5, 0.0]]);
}

/// Burgers' equation with a front that steepens, against the exact solution of Cole and Hopf.
#[test]
fn burgers_equation_is_solved() {
    let world = World { viscosity: 0.1, length: 2.0, ..World::default() };
    let series = FourierSeries { length: 2.0, terms: vec![([1, 0], [0.0, 1.0])] };
    let domain = Domain::new(&[0.0, 0.0], &[2.0, 0.5]).unwrap();
    let exact = move |x: &[f64]| world.cole_hopf(&series, x[0], x[1]);
    let problem = Problem::burgers(Burgers { viscosity: 0.1 }, domain.clone(), 20, exact).unwrap();
    let pig = Pig { gaussians: 16, sigma: 0.3, domain: domain.clone(), ..Pig::default() };
    let lbfgs = Lbfgs { memory: 20, iterations: 50, tolerance: 1e-9 };
    let fit = Fit { points: 200, residual_weight: 0.1, adam_steps: 100, lbfgs, rounds: 3, ..Fit::default() };
    let solution = fit.run(&problem, &pig, &layers(1)).unwrap();
    let places = domain.lattice(15);
    let error = relative_error(&solution.values(&places).unwrap(), &problem.exact(&places));
    assert!(error < 0.05, "{error}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    assert!(Domain::new(&[], &[]).is_err() && Domain::new(&[0.0], &[0.0]).is_err());
    assert!(Domain::new(&[0.0], &[1.0, 2.0]).is_err() && Domain::new(&[f64::NAN], &[1.0]).is_err());
    assert!(Domain::square().side(2, true, 3).is_err() && Domain::square().side(0, true, 1).is_err());
    assert!(Problem::helmholtz(Helmholtz { waves: [1.0, 1.0] }, 1).is_err());
    let problem = Problem::helmholtz(Helmholtz { waves: [1.0, 1.0] }, 3).unwrap();
    let pig = Pig::default();
    for fit in [
        Fit { points: 0, ..Fit::default() },
        Fit { rounds: 0, ..Fit::default() },
        Fit { residual_weight: -1.0, ..Fit::default() },
        Fit { border_weight: f64::NAN, ..Fit::default() },
    ] {
        assert!(fit.run(&problem, &pig, &layers(0)).is_err(), "{fit:?}");
    }
}
