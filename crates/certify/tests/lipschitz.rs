//! Lipschitz layers against singular values.

use perturb_certify::CertifyError;
use perturb_certify::lipschitz::{
    Activation, LbdnSequential, Parameterization, SandwichConv, SandwichLinear, cayley, certified_radius,
};
use perturb_graph::{DType, Expr, Tensor, eval, grad};
use perturb_nn::{Initializer, Layers, Parameters};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn random(rng: &mut ChaCha8Rng, shape: &[usize], size: f64) -> Tensor {
    let count = shape.iter().product();
    Tensor::new(shape, (0..count).map(|_| rng.random_range(-size..size)).collect::<Vec<f64>>()).unwrap()
}

/// All parameters random, and large enough that a bound that is not by construction would be broken.
fn scrambled(layers: &Layers, output: &Expr, rng: &mut ChaCha8Rng) -> Expr {
    let mut parameters = Parameters::of_leaves(&layers.parameters());
    let values: Vec<(String, Tensor)> =
        parameters.iter().map(|(n, v)| (n.to_string(), random(rng, v.shape(), 2.0))).collect();
    values.into_iter().for_each(|(name, value)| parameters.insert(name, value));
    parameters.bind_exprs(std::slice::from_ref(output)).unwrap().remove(0)
}

/// The largest singular value of the Jacobian of all elements of `y` by all elements of `x`, at a point.
fn steepness(y: &Expr, x: &Expr, at: &Tensor) -> f64 {
    let (rows, columns) = (y.shape().count(), x.shape().count());
    let flat = y.reshape([rows]);
    let gradient = |k: usize| grad(&flat.slice_axis(0, k, k + 1).sum(), std::slice::from_ref(x)).unwrap().remove(0);
    let gradients: Vec<Expr> = (0..rows).map(|k| gradient(k).reshape([1, columns])).collect();
    let jacobian = Expr::concat(&gradients, 0);
    let (values, _) = jacobian.matmul(&jacobian.transpose(&[1, 0])).eigh();
    eval(&[values.slice_axis(0, rows - 1, rows)], &[(x.clone(), at.clone())]).unwrap()[0].as_slice::<f64>()[0].sqrt()
}

#[test]
fn cayley_is_orthogonal() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for (n, m) in [(1, 3), (4, 2), (6, 6)] {
        let x = Expr::constant(random(&mut rng, &[3, n, n], 3.0));
        let y = Expr::constant(random(&mut rng, &[3, m, n], 3.0));
        let [a, b] = cayley(&x, &y).unwrap();
        let product = |e: &Expr| e.transpose(&[0, 2, 1]).matmul(e);
        let sum = eval(&[product(&a).add(&product(&b))], &[]).unwrap().remove(0);
        for (i, v) in sum.as_slice::<f64>().iter().enumerate() {
            let expected = if i % (n * n) % (n + 1) == 0 { 1.0 } else { 0.0 };
            assert!((v - expected).abs() < 1e-12, "{n} {m}: {v}");
        }
    }
}

#[test]
fn networks_keep_their_bound() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for parameterization in [Parameterization::Sandwich, Parameterization::Orthogonal, Parameterization::Spectral] {
        for activation in [Activation::Relu, Activation::LeakyRelu(0.1), Activation::Tanh, Activation::Softplus] {
            let network = LbdnSequential { widths: vec![7, 7, 4], gamma: 3.0, activation, parameterization };
            let layers = Layers::new(Initializer::he(0)).dtype(DType::F64);
            let x = Expr::input("x", [1, 5], DType::F64);
            let y = network.build(&layers, &x).unwrap();
            let mut largest = 0.0f64;
            for _ in 0..10 {
                let y = scrambled(&layers, &y, &mut rng);
                largest = largest.max(steepness(&y, &x, &random(&mut rng, &[1, 5], 2.0)));
            }
            assert!(largest <= 3.0 * (1.0 + 1e-10), "{parameterization:?} {activation:?}: slope {largest}");
            assert!(largest > 0.1, "{parameterization:?} {activation:?}: slope {largest}");
        }
    }
}

/// With A = I/√2 = B and Ψ = I, a sandwich layer of one unit is `relu(x)`; a free matrix X = 0, Y = y gives
/// `A = (1 − y²)/(1 + y²)`, which is 1/√2 for y² = (√2 − 1)/(√2 + 1), and `B = −2y/(1 + y²)`.
#[test]
fn one_unit_by_hand() {
    let layers = Layers::new(Initializer::he(0)).dtype(DType::F64);
    let x = Expr::input("x", [2, 1], DType::F64);
    let layer = SandwichLinear { out: 1, activation: Some(Activation::Relu) };
    let y = layer.build(&layers, &x).unwrap();
    let free = -((2f64.sqrt() - 1.0) / (2f64.sqrt() + 1.0)).sqrt();
    let mut parameters = Parameters::of_leaves(&layers.parameters());
    parameters.insert("weight", Tensor::new([2, 1], vec![0.0, free]).unwrap());
    parameters.insert("scale", Tensor::scalar(free.abs()));
    let y = parameters.bind_exprs(&[y]).unwrap().remove(0);
    let at = Tensor::new([2, 1], vec![0.75, -2.0]).unwrap();
    let values = eval(&[y], &[(x, at)]).unwrap().remove(0);
    assert!((values.as_slice::<f64>()[0] - 0.75).abs() < 1e-12 && values.as_slice::<f64>()[1] == 0.0);
}

#[test]
fn convolutions_keep_their_bound() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for (input, out, size) in [(2, 3, [4, 4]), (3, 2, [3, 5])] {
        let layers = Layers::new(Initializer::he(0)).dtype(DType::F64);
        let x = Expr::input("x", [1, input, size[0], size[1]], DType::F64);
        let layer = SandwichConv { out, window: 3, activation: Activation::LeakyRelu(0.5) };
        let y = layer.build(&layers, &x).unwrap();
        assert_eq!(y.shape()[..], [1, out, size[0], size[1]]);
        let mut largest = 0.0f64;
        for _ in 0..5 {
            let y = scrambled(&layers, &y, &mut rng);
            largest = largest.max(steepness(&y, &x, &random(&mut rng, x.shape(), 2.0)));
        }
        assert!(largest <= 1.0 + 1e-10 && largest > 0.5, "slope {largest}");
    }
}

/// A shifted image, wrapped around, gives the shifted output.
#[test]
fn convolutions_commute_with_shifts() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let layers = Layers::new(Initializer::he(0)).dtype(DType::F64);
    let x = Expr::input("x", [1, 2, 4, 5], DType::F64);
    let layer = SandwichConv { out: 3, window: 3, activation: Activation::Relu };
    let y = scrambled(&layers, &layer.build(&layers, &x).unwrap(), &mut rng);
    let shift = |e: &Expr| e.try_roll(2, 1).unwrap().try_roll(3, -2).unwrap();
    let moved = perturb_graph::substitute(std::slice::from_ref(&y), &[(x.clone(), shift(&x))]).unwrap().remove(0);
    let gap = moved.sub(&shift(&y)).abs().reduce_max(&[0, 1, 2, 3], false);
    let gap = eval(&[gap], &[(x, random(&mut rng, &[1, 2, 4, 5], 1.0))]).unwrap().remove(0);
    assert!(gap.as_slice::<f64>()[0] < 1e-12);
}

/// Two logits of slopes ±γ/√2 along one direction: the class changes exactly at the radius.
#[test]
fn radius_of_a_linear_classifier() {
    let (gamma, x) = (3.0, 0.4);
    let margin = 2.0 * gamma / 2f64.sqrt() * x;
    assert!((certified_radius(margin, gamma) - x).abs() < 1e-15);
    assert_eq!(certified_radius(-1.0, gamma), 0.0);
}

#[test]
fn what_makes_no_sense_is_an_error() {
    let layers = Layers::new(Initializer::he(0));
    let x = Expr::input("x", [1, 5], DType::F32);
    let network = LbdnSequential {
        widths: vec![4, 2],
        gamma: 1.0,
        activation: Activation::Relu,
        parameterization: Parameterization::Sandwich,
    };
    let steep = LbdnSequential { activation: Activation::LeakyRelu(2.0), ..network.clone() };
    assert!(matches!(steep.build(&layers, &x), Err(CertifyError::Parameter { .. })));
    for gamma in [0.0, -1.0, f64::NAN] {
        let network = LbdnSequential { gamma, ..network.clone() };
        assert!(matches!(network.build(&layers, &x), Err(CertifyError::Parameter { .. })));
    }
    let image = Expr::input("x", [1, 1, 2, 2], DType::F32);
    assert!(matches!(network.build(&layers, &image), Err(CertifyError::Unfit { .. })));
    let layer = SandwichConv { out: 1, window: 3, activation: Activation::Relu };
    assert!(matches!(layer.build(&layers, &image), Err(CertifyError::Unfit { .. })));
    assert!(matches!(layer.build(&layers, &x), Err(CertifyError::Unfit { .. })));
}
