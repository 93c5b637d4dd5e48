//! The brute-force oracle against closed forms and dense grids.

mod oracle;

use num_rational::BigRational;
use oracle::{Dense, Net, counterexample, fraction, holds, random_property};
use perturb_onnx::vnnlib::Property;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

// y = Σ|xᵢ|.
fn absolute(inputs: usize) -> Net {
    let row = |i: usize, sign: f32| (0..inputs).map(|j| if i == j { sign } else { 0.0 }).collect();
    let weights: Vec<Vec<f32>> = (0..inputs).flat_map(|i| [row(i, 1.0), row(i, -1.0)]).collect();
    let first = Dense { bias: vec![0.0; weights.len()], weights };
    Net { layers: vec![first, Dense { weights: vec![vec![1.0; 2 * inputs]], bias: vec![0.0] }] }
}

fn property(inputs: usize, lo: &str, hi: &str, assertion: &str) -> Property {
    let mut text = String::from("(declare-const Y_0 Real)");
    for i in 0..inputs {
        text += &format!("(declare-const X_{i} Real) (assert (>= X_{i} {lo})) (assert (<= X_{i} {hi}))");
    }
    Property::parse(&format!("{text} (assert {assertion})")).unwrap()
}

// Over −1..2 in each direction, Σ|xᵢ| goes from 0 to twice the number of inputs.
#[test]
fn sums_of_absolute_values() {
    for inputs in 1..=4 {
        let net = absolute(inputs);
        let at = |assertion: &str| holds(&net, &property(inputs, "-1", "2", assertion));
        assert!(!at("(<= Y_0 0)") && at("(< Y_0 0)") && at("(<= Y_0 -0.0001)") && !at("(<= Y_0 0.0001)"));
        let top = 2 * inputs;
        assert!(!at(&format!("(>= Y_0 {top})")) && at(&format!("(> Y_0 {top})")));
        // Only the origin has y ≤ 0, and there x₀ = 0.
        assert!(!at("(and (<= Y_0 0) (>= X_0 0))") && at("(and (<= Y_0 0) (> X_0 0))"));
        assert!(at("(and (<= Y_0 0.5) (>= X_0 0.51))") && !at("(and (<= Y_0 0.5) (>= X_0 0.49))"));
    }
}

// A degenerate box is a point.
#[test]
fn points() {
    let net = absolute(2);
    let at = |assertion: &str| holds(&net, &property(2, "(/ 1 3)", "(/ 1 3)", assertion));
    assert!(!at("(= (* 3 Y_0) 2)") && at("(< (* 3 Y_0) 2)") && at("(> (* 3 Y_0) 2)"));
}

// The distance of a fold from a plane: relu(x₀ − x₁) + relu(x₁ − x₀) = |x₀ − x₁| is 0 on the diagonal only.
#[test]
fn the_diagonal() {
    let first = Dense { weights: vec![vec![1.0, -1.0], vec![-1.0, 1.0]], bias: vec![0.0; 2] };
    let net = Net { layers: vec![first, Dense { weights: vec![vec![1.0, 1.0]], bias: vec![0.0] }] };
    let at = |assertion: &str| holds(&net, &property(2, "0", "1", assertion));
    assert!(!at("(and (<= Y_0 0) (<= (+ X_0 X_1) 1) (>= X_0 0.5))"));
    assert!(at("(and (<= Y_0 0) (<= (+ X_0 X_1) 1) (> X_0 0.5))"));
    assert!(at("(and (< Y_0 0.25) (>= (- X_0 X_1) 0.25))") && !at("(and (<= Y_0 0.25) (>= (- X_0 X_1) 0.25))"));
}

// What the oracle finds is a counterexample, and what it denies is not found on a grid. Where it finds one in the open, a
// grid fine enough finds one, too: those cases are counted.
#[test]
fn random_networks_and_a_grid() {
    let rng = &mut ChaCha8Rng::seed_from_u64(11);
    let (mut true_ones, mut on_grid, mut false_ones) = (0, 0, 0);
    for round in 0..300 {
        let inputs = 1 + round % 2;
        let net = Net::random(&[inputs, 4, 3, 2], rng);
        let property = random_property(inputs, 2, rng);
        let steps: i64 = if inputs == 1 { 400 } else { 20 };
        let found = counterexample(&net, &property);
        if let Some(input) = &found {
            assert!(property.is_counterexample(input, &net.outputs_at(input)), "{round}: {input:?}");
        }
        let points = (0..(steps + 1).pow(inputs as u32)).map(|i| -> Vec<BigRational> {
            let place = |k: usize| i / (steps + 1).pow(k as u32) % (steps + 1);
            (0..inputs).map(|k| fraction(2 * place(k) - steps, steps)).collect()
        });
        let hit = points.into_iter().any(|input| property.is_counterexample(&input, &net.outputs_at(&input)));
        assert!(!hit || found.is_some(), "{round}: the grid has a counterexample");
        match (found.is_some(), hit) {
            (true, hit) => (false_ones, on_grid) = (false_ones + 1, on_grid + usize::from(hit)),
            _ => true_ones += 1,
        }
    }
    assert!(true_ones > 40 && false_ones > 40, "{true_ones} hold, {false_ones} do not");
    assert!(on_grid * 10 > false_ones * 8, "{on_grid} of {false_ones} on the grid");
}

// How long 1,000 networks of the size that searches are tested on take.
#[test]
#[ignore = "measures time"]
fn time_of_the_oracle() {
    let rng = &mut ChaCha8Rng::seed_from_u64(12);
    for sizes in [[2, 5, 4, 2], [3, 4, 3, 2]] {
        let began = std::time::Instant::now();
        let holding =
            (0..1000).filter(|_| holds(&Net::random(&sizes, rng), &random_property(sizes[0], 2, rng))).count();
        println!("{sizes:?}: {holding} of 1000 hold, in {:?}", began.elapsed());
    }
}
