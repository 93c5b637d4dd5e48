//! Exact evaluation against the graph's reference evaluator, closed forms, and the definition of a counterexample.

mod check_proving;
mod nets;
mod oracle;

use check_proving::rational;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive};
use perturb_certify::{Confirmation, confirm, evaluate};
use perturb_graph::{Conv, DType, Expr, Graph, Pool, Tensor, eval};
use perturb_onnx::vnnlib::Property;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[test]
fn agrees_with_the_reference_evaluator() {
    for index in 0..100 {
        let network = nets::random(index, DType::F64);
        let rng = &mut ChaCha8Rng::seed_from_u64(index);
        let shape = network.inputs[0].shape().clone();
        let point: Vec<f32> = (0..shape.count()).map(|_| rng.random_range(-1.0..1.0)).collect();
        let exact: Vec<BigRational> = point.iter().map(|&v| oracle::number(v)).collect();
        let input = Tensor::new(&shape, point.iter().map(|&v| f64::from(v)).collect()).unwrap();
        let expected = eval(&network.output_exprs(), &[(network.inputs[0].clone(), input)]).unwrap()[0].to_f64_vec();
        let operators = network.operators();
        let found = evaluate(&nets::random(index, DType::F32), &exact);
        if operators.contains_key("tanh") || operators.contains_key("sigmoid") {
            let error = found.unwrap_err().to_string();
            assert_eq!(error, "the network has sigmoid or tanh, whose values are no fractions");
            continue;
        }
        for (found, expected) in found.unwrap().iter().zip(expected) {
            let difference = (found - rational(expected)).abs().to_f64().unwrap();
            assert!(difference < 1e-12 * (1.0 + expected.abs()), "network {index}: {found}, but {expected}");
        }
    }
}

#[test]
fn agrees_with_rational_arithmetic() {
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    for _ in 0..50 {
        let net = oracle::Net::random(&[3, 6, 5, 2], rng);
        let input: Vec<BigRational> =
            (0..3).map(|_| oracle::fraction(rng.random_range(-50..50), rng.random_range(1..50))).collect();
        assert_eq!(evaluate(&net.graph(), &input).unwrap(), net.outputs_at(&input));
    }
}

// x/3 + x/7 − (10/21)·x, on ways through layers of different denominators.
#[test]
fn divisions_are_exact() {
    let x = Expr::input("x", [1, 1], DType::F32);
    let [third, seventh] = [3.0, 7.0].map(|d| x.div(&x.like(d)));
    let y = third.add(&seventh).sub(&third.relu()).maximum(&x.like(-2.0)).div(&x.like(-6.0)).minimum(&x.like(0.125));
    let network = Graph::new(vec![x], vec![("y".into(), y)]).unwrap();
    let value = |x: i64| evaluate(&network, &[oracle::fraction(x, 5)]).unwrap().remove(0);
    // (x/7)/−6 for positive x, (10x/21)/−6 for negative x, from which 1/8 and (−2)/−6 cut off.
    assert_eq!(value(3), oracle::fraction(-3, 5 * 42));
    assert_eq!(value(-1), oracle::fraction(10, 5 * 21 * 6));
    assert_eq!(value(-30), oracle::fraction(1, 8));
}

// The mean of nine numbers has a denominator of nine; at the border, of four or six.
#[test]
fn average_pooling_is_exact() {
    let x = Expr::input("x", [1, 1, 3, 3], DType::F32);
    let pool = Pool { padding: vec![(1, 1); 2], strides: vec![1; 2], ..Pool::square(3, 2) };
    let network = Graph::new(vec![x.clone()], vec![("y".into(), x.avg_pool(pool))]).unwrap();
    let input: Vec<BigRational> = (1..=9).map(|i| oracle::fraction(i, 1)).collect();
    let found = evaluate(&network, &input).unwrap();
    let expected = [(12, 4), (21, 6), (16, 4), (27, 6), (45, 9), (33, 6), (24, 4), (39, 6), (28, 4)];
    assert_eq!(found, expected.map(|(n, d)| oracle::fraction(n, d)));
}

// Transposed convolution, grouped convolution and dilation against the reference evaluator.
#[test]
fn convolutions_agree_with_the_reference_evaluator() {
    let rng = &mut ChaCha8Rng::seed_from_u64(9);
    let mut numbers = |n: usize| -> Vec<f64> { (0..n).map(|_| f64::from(rng.random_range(-8..8)) / 4.0).collect() };
    let x = Expr::input("x", [1, 4, 5, 6], DType::F32);
    let kernel =
        |shape: [usize; 4], values: Vec<f64>| Expr::constant(Tensor::from_f64(shape, DType::F32, values).unwrap());
    let grouped = Conv { groups: 2, dilation: vec![2, 1], padding: vec![(2, 1), (0, 1)], ..Conv::unit(2) };
    let strided = Conv { strides: vec![2, 1], padding: vec![(1, 0), (0, 1)], ..Conv::unit(2) };
    let grouped = x.conv(&kernel([6, 2, 2, 3], numbers(72)), grouped);
    let transposed = x.try_conv_transpose(&kernel([4, 3, 3, 2], numbers(72)), &strided, &[0, 0]).unwrap();
    for y in [grouped, transposed] {
        let network = Graph::new(vec![x.clone()], vec![("y".into(), y.clone())]).unwrap();
        let point = numbers(120);
        let exact: Vec<BigRational> = point.iter().map(|&v| rational(v)).collect();
        let input = Tensor::from_f64([1, 4, 5, 6], DType::F32, point).unwrap();
        // Sums of multiples of 1/16 are exact in both.
        let expected = eval(&[y], &[(x.clone(), input)]).unwrap()[0].to_f64_vec();
        let found: Vec<f64> = evaluate(&network, &exact).unwrap().iter().map(|v| v.to_f64().unwrap()).collect();
        assert_eq!(found, expected);
    }
}

fn verdict(found: Confirmation) -> Option<bool> {
    match found {
        Confirmation::Counterexample { .. } => Some(true),
        Confirmation::Not { .. } => Some(false),
        Confirmation::Undecided { .. } => None,
    }
}

#[test]
fn confirmations_agree_with_the_definition() {
    let rng = &mut ChaCha8Rng::seed_from_u64(6);
    let mut seen = [0, 0];
    for _ in 0..200 {
        let net = oracle::Net::random(&[2, 4, 2], rng);
        let comparison = ["<=", "<", ">", ">="][rng.random_range(0..4)];
        let text = format!(
            "(declare-const X_0 Real) (declare-const X_1 Real) (declare-const Y_0 Real) (declare-const Y_1 Real)
             (assert (>= X_0 -0.5)) (assert (<= X_0 0.5)) (assert (>= X_1 -0.5)) (assert (<= X_1 0.3))
             (assert (or (and (<= Y_0 X_1) (>= Y_1 0.25)) ({comparison} Y_0 Y_1)))"
        );
        let property = Property::parse(&text).unwrap();
        let input: Vec<f32> = (0..2).map(|_| rng.random_range(-5..=5) as f32 / 8.0).collect();
        let exact: Vec<BigRational> = input.iter().map(|&v| oracle::number(v)).collect();
        let expected = property.is_counterexample(&exact, &net.outputs_at(&exact));
        assert_eq!(verdict(confirm(&net.graph(), &property, &input).unwrap()), Some(expected));
        seen[usize::from(expected)] += 1;
    }
    assert!(seen.iter().all(|s| *s > 30), "{seen:?}");
}

#[test]
fn boxes_are_exact() {
    // 0.1 is not an f32: the nearest one lies above it.
    let text = "(declare-const X_0 Real) (declare-const Y_0 Real) (assert (>= X_0 0)) (assert (<= X_0 0.1))
        (assert (>= Y_0 0))";
    let x = Expr::input("x", [1, 1], DType::F32);
    let network = Graph::new(vec![x.clone()], vec![("y".into(), x.relu())]).unwrap();
    let property = Property::parse(text).unwrap();
    let at = |input: f32| verdict(confirm(&network, &property, &[input]).unwrap());
    assert_eq!(
        (at(0.1), at(0.1f32.next_down()), at(0.0), at(-1e-40)),
        (Some(false), Some(true), Some(true), Some(false))
    );
    let wrong = [confirm(&network, &property, &[f32::NAN]), confirm(&network, &property, &[0.0, 0.0])];
    assert_eq!(
        wrong.map(|w| w.unwrap_err().to_string()),
        ["input 0 is NaN, not a finite number".to_string(), "the network has 1 inputs, but there are 2".to_string(),]
    );
}

#[test]
fn smooth_networks_are_decided_by_an_enclosure() {
    let x = Expr::input("x", [1, 1], DType::F32);
    let network = Graph::new(vec![x.clone()], vec![("y".into(), x.tanh().sub(&x.sigmoid()))]).unwrap();
    let at = |bound: f64| {
        let text = format!(
            "(declare-const X_0 Real) (declare-const Y_0 Real) (assert (>= X_0 0)) (assert (<= X_0 1))
             (assert (<= Y_0 {bound}))"
        );
        verdict(confirm(&network, &Property::parse(&text).unwrap(), &[0.5]).unwrap())
    };
    let value = 0.5f64.tanh() - 1.0 / (1.0 + (-0.5f64).exp());
    assert_eq!((at(value - 1e-12), at(value + 1e-12)), (Some(false), Some(true)));
    assert_eq!(at(value), None);
}

#[test]
fn weights_of_all_sizes() {
    let x = Expr::input("x", [1, 3], DType::F32);
    let weights = vec![f32::MAX, f32::from_bits(1), -f32::MIN_POSITIVE];
    let w = Expr::constant(Tensor::new([3, 1], weights.clone()).unwrap());
    let network = Graph::new(vec![x.clone()], vec![("y".into(), x.matmul(&w).add(&x.slice_axis(1, 0, 1)))]).unwrap();
    let input = [f32::MAX, f32::MAX, f32::from_bits(7)].map(oracle::number);
    let expected: BigRational = weights.iter().zip(&input).map(|(&w, x)| oracle::number(w) * x).sum();
    assert_eq!(evaluate(&network, &input).unwrap(), [expected + &input[0]]);
    assert_eq!(oracle::number(f32::from_bits(1)), BigRational::new(BigInt::from(1), BigInt::from(1) << 149));
}
