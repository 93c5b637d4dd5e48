//! The search against a brute-force oracle in exact arithmetic, networks made to fool verifiers, and published instances.

mod fooling;
mod oracle;

use oracle::{Dense, Net, random_property};
use perturb_certify::verify::{Branching, Outcome, Settings, Verdict, verify};
use perturb_certify::{Confirmation, check, confirm};
use perturb_graph::{DType, Expr, Graph, Tensor, Unary};
use perturb_onnx::vnnlib::Property;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

fn search(network: &Graph, property: &Property, branching: Branching) -> Outcome {
    let timeout = Duration::from_secs(5);
    let settings = Settings { timeout, most_open: 5_000, branching, proof: true, ..Settings::default() };
    verify(network, property, &settings, &mut |_| {}).unwrap()
}

/// Whether the outcome decides; panics if it is wrong.
fn decides(what: &str, network: &Graph, property: &Property, truth: bool, branching: Branching) -> bool {
    let outcome = search(network, property, branching);
    match outcome.verdict {
        Verdict::Unsat => {
            assert!(truth, "{what}, {branching:?}: a wrong `unsat`");
            let proof = outcome.proof.expect("a proof was asked for");
            check(network, property, &proof).unwrap_or_else(|e| panic!("{what}, {branching:?}: {e}"));
            true
        }
        Verdict::Sat(witness) => {
            assert!(!truth, "{what}, {branching:?}: a wrong `sat`");
            let exact = confirm(network, property, &witness.inputs).unwrap();
            assert!(matches!(exact, Confirmation::Counterexample { .. }), "{what}, {branching:?}: {exact:?}");
            true
        }
        Verdict::Timeout | Verdict::Unknown(_) => false,
    }
}

// Tiny networks of random depths and widths; returns how many of both searches decided, and how many properties hold.
fn random_networks(count: usize, seed: u64) -> (usize, usize) {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let (mut decided, mut hold) = (0, 0);
    for round in 0..count {
        let inputs = rng.random_range(1..=3);
        let hidden: Vec<usize> = (0..rng.random_range(1..=2)).map(|_| rng.random_range(2..=4)).collect();
        let outputs = rng.random_range(1..=2);
        let sizes: Vec<usize> = [inputs].into_iter().chain(hidden).chain([outputs]).collect();
        let net = Net::random(&sizes, rng);
        let property = random_property(inputs, outputs, rng);
        let (network, truth) = (net.graph(), oracle::holds(&net, &property));
        hold += usize::from(truth);
        for branching in [Branching::Inputs, Branching::Signs] {
            let what = format!("seed {seed}, network {round} of sizes {sizes:?}");
            decided += usize::from(decides(&what, &network, &property, truth, branching));
        }
    }
    (decided, hold)
}

#[test]
fn random_networks_are_never_judged_wrongly() {
    let (decided, hold) = random_networks(150, 1);
    println!("{decided} of 300 decided, {hold} of 150 hold");
    assert!(decided > 285 && (30..120).contains(&hold), "{decided} decided, {hold} hold");
}

#[test]
#[ignore = "takes minutes: the full tier"]
fn ten_thousand_random_networks_are_never_judged_wrongly() {
    let (decided, hold) = random_networks(10_000, 2);
    println!("{decided} of 20000 decided, {hold} of 10000 hold");
    assert!(decided > 19_000, "{decided}");
}

#[test]
fn networks_made_to_fool_verifiers_are_never_judged_wrongly() {
    let mut decided = 0;
    let all = fooling::all();
    for f in &all {
        for branching in [Branching::Inputs, Branching::Signs] {
            decided += usize::from(decides(f.name, &f.net.graph(), &f.property, f.holds, branching));
        }
    }
    println!("{decided} of {} decided", 2 * all.len());
    assert!(decided >= 20, "only {decided} of {} decided", 2 * all.len());
}

// −relu(a) + relu(−a) + a is 0 everywhere, a = x₁ − x₂. Halving inputs alone would need boxes as small as the margin all along
// the line a = 0: more than ten thousand. Two pieces of fixed signs decide the whole box.
#[test]
fn few_open_signs_are_decided_piece_by_piece() {
    let first = Dense { weights: vec![vec![1.0, -1.0], vec![-1.0, 1.0], vec![1.0, -1.0]], bias: vec![0.0, 0.0, 2.0] };
    let last = Dense { weights: vec![vec![-1.0, 1.0, 1.0]], bias: vec![-2.0] };
    let network = Net { layers: vec![first, last] }.graph();
    let below = |limit: &str| {
        let bounds = "(assert (>= X_0 -1)) (assert (<= X_0 1)) (assert (>= X_1 -1)) (assert (<= X_1 1))";
        let declared = "(declare-const X_0 Real) (declare-const X_1 Real) (declare-const Y_0 Real)";
        Property::parse(&format!("{declared} {bounds} (assert (<= Y_0 {limit}))")).unwrap()
    };
    let property = below("-0.0001");
    let outcome = search(&network, &property, Branching::Inputs);
    assert_eq!(outcome.verdict, Verdict::Unsat);
    assert!(outcome.subdomains < 10, "{} subdomains", outcome.subdomains);
    let summary = check(&network, &property, &outcome.proof.unwrap()).unwrap();
    assert!(summary.splits > 0 && summary.margin > 0.0, "{summary:?}");
    assert!(matches!(search(&network, &below("0.0001"), Branching::Inputs).verdict, Verdict::Sat(_)));
}

#[test]
fn no_time_and_other_sizes() {
    let net = Net::random(&[2, 3, 1], &mut ChaCha8Rng::seed_from_u64(3));
    let property = random_property(2, 1, &mut ChaCha8Rng::seed_from_u64(4));
    let none = Settings { timeout: Duration::ZERO, ..Settings::default() };
    assert_eq!(verify(&net.graph(), &property, &none, &mut |_| {}).unwrap().verdict, Verdict::Timeout);
    let other = random_property(3, 1, &mut ChaCha8Rng::seed_from_u64(4));
    let error = verify(&net.graph(), &other, &none, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("2 inputs") && error.contains("3 X"), "{error}");
}

// However early the time ends, what has not been refuted is not called so: every `unsat` has a proof that passes. The
// network is large enough that the time ends in every phase of the search.
#[test]
fn the_end_of_the_time_is_no_verdict() {
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    let net = Net::random(&[6, 48, 48, 48, 2], rng);
    let network = net.graph();
    let mut text = String::from("(declare-const Y_0 Real) (declare-const Y_1 Real)");
    for i in 0..6 {
        text += &format!("(declare-const X_{i} Real) (assert (>= X_{i} -0.5)) (assert (<= X_{i} 0.5))");
    }
    // Above what attacks reach, most of which are corners, and far below what bounds prove at once.
    let reached = (0..2000).map(|k: i64| {
        let corner = |i: usize| if k >> i & 1 == 1 { 8 } else { -8 };
        let input: Vec<_> =
            (0..6).map(|i| oracle::fraction(if k < 64 { corner(i) } else { rng.random_range(-8..=8) }, 16)).collect();
        num_traits::ToPrimitive::to_f64(&net.outputs_at(&input)[0]).unwrap()
    });
    let limit = 4.0 * reached.fold(1.0, f64::max);
    let property = Property::parse(&format!("{text} (assert (>= Y_0 {limit}))")).unwrap();
    let mut ends = std::collections::BTreeSet::new();
    for milliseconds in (1..60).step_by(2).chain((60..800).step_by(60)) {
        let timeout = Duration::from_millis(milliseconds);
        let settings = Settings { timeout, branching: Branching::Signs, proof: true, ..Settings::default() };
        let outcome = verify(&network, &property, &settings, &mut |_| {}).unwrap();
        match outcome.verdict {
            Verdict::Unsat => drop(check(&network, &property, &outcome.proof.unwrap()).unwrap()),
            Verdict::Timeout => {}
            other => panic!("{milliseconds} ms: {other:?}"),
        }
        ends.insert(outcome.subdomains);
    }
    assert!(ends.len() > 5, "{ends:?}");
}

// Networks of sigmoids and tanhs, for which there is no exact oracle: a counterexample is one for the reference
// interpreter, no point of the box refutes an `unsat`, and its proof is accepted.
#[test]
fn networks_of_curves_are_never_judged_wrongly() {
    let rng = &mut ChaCha8Rng::seed_from_u64(6);
    let mut ends = [0; 3];
    for round in 0..60 {
        let curve = [Unary::Sigmoid, Unary::Tanh][round % 2];
        let mut dense = |h: &Expr, n: usize, scale: f32| {
            let mut draw = |shape: [usize; 2]| {
                let values = (0..shape[0] * shape[1]).map(|_| rng.random_range(-scale..scale)).collect();
                Expr::constant(Tensor::new(shape, values).unwrap())
            };
            h.matmul(&draw([h.shape()[1], n])).add(&draw([1, n]))
        };
        let x = Expr::input("x", [1, 3], DType::F32);
        let h = Expr::apply(curve, &[dense(&x, 8, 3.0)]).unwrap();
        let h = Expr::apply(curve, &[dense(&h, 8, 2.0)]).unwrap();
        let network = Graph::new(vec![x], vec![("y".into(), dense(&h, 2, 1.0))]).unwrap();
        let mut reached = f64::NEG_INFINITY;
        let mut points = Vec::new();
        for _ in 0..2000 {
            let point: Vec<f32> = (0..3).map(|_| rng.random_range(-0.5f32..=0.5)).collect();
            let outputs = outputs_at(&network, &point);
            reached = reached.max(outputs[0]);
            points.push(outputs);
        }
        // Above what was seen, well above, or below.
        let limit = reached + [0.1, 0.3, -0.05][round % 3];
        let mut text = String::from("(declare-const Y_0 Real) (declare-const Y_1 Real)");
        for i in 0..3 {
            text += &format!("(declare-const X_{i} Real) (assert (>= X_{i} -0.5)) (assert (<= X_{i} 0.5))");
        }
        let property = Property::parse(&format!("{text} (assert (>= Y_0 {limit}))")).unwrap();
        for branching in [Branching::Inputs, Branching::Signs] {
            let outcome = search(&network, &property, branching);
            match outcome.verdict {
                Verdict::Unsat => {
                    assert!(points.iter().all(|y| y[0] < limit), "round {round}, {branching:?}: a wrong `unsat`");
                    let proof = outcome.proof.expect("a proof was asked for");
                    check(&network, &property, &proof).unwrap_or_else(|e| panic!("round {round}, {branching:?}: {e}"));
                    ends[0] += 1;
                }
                Verdict::Sat(witness) => {
                    assert!(outputs_at(&network, &witness.inputs)[0] >= limit - 1e-5, "round {round}, {branching:?}");
                    ends[1] += 1;
                }
                Verdict::Timeout | Verdict::Unknown(_) => ends[2] += 1,
            }
        }
    }
    println!("{ends:?}");
    // Where all signs are fixed and the curves still bend, nothing is left to split.
    assert!(ends[0] >= 40 && ends[1] >= 40, "{ends:?}");
}

fn outputs_at(network: &Graph, point: &[f32]) -> Vec<f64> {
    let input = &network.inputs[0];
    let feed = (input.clone(), Tensor::new(input.shape(), point.to_vec()).unwrap());
    perturb_graph::eval(&network.output_exprs(), &[feed]).unwrap().remove(0).to_f64_vec()
}

// The mean of |x − t| over a grid of t in [−1, 1] is (1 + x²)/2, as 9,000 `relu`s behind and before matrices that are mostly 0 in
// the last layer: too many for compiled bounds, so that the prover's own bounds guide the cuts.
#[test]
fn networks_of_very_many_operands_are_decided_by_the_provers_bounds() {
    let (count, spread) = (4_500, 40);
    let x = Expr::input("x", [1, 1], DType::F32);
    let grid = |k: usize| -1.0 + 2.0 * k as f32 / (count - 1) as f32;
    let slopes: Vec<f32> = (0..2 * count).map(|k| if k < count { 1.0 } else { -1.0 }).collect();
    let shifts: Vec<f32> = (0..2 * count).map(|k| if k < count { -grid(k) } else { grid(k - count) }).collect();
    let first = Expr::constant(Tensor::new([1, 2 * count], slopes).unwrap());
    let bias = Expr::constant(Tensor::new([2 * count], shifts).unwrap());
    // Each of the next layer's units sums its own share.
    let mut sums = vec![0.0f32; 2 * count * spread];
    (0..2 * count).for_each(|k| sums[k * spread + k % spread] = 1.0 / count as f32);
    let second = Expr::constant(Tensor::new([2 * count, spread], sums).unwrap());
    let ones = Expr::constant(Tensor::full([spread, 1], 1.0f32));
    let y = x.matmul(&first).add(&bias).relu().matmul(&second).relu().matmul(&ones);
    let network = Graph::new(vec![x], vec![("y".into(), y)]).unwrap();
    for (limit, truth) in [("0.49", true), ("0.501", false)] {
        let property = Property::parse(&format!(
            "(declare-const X_0 Real) (declare-const Y_0 Real)
             (assert (>= X_0 -1)) (assert (<= X_0 1)) (assert (<= Y_0 {limit}))"
        ));
        assert!(decides(limit, &network, &property.unwrap(), truth, Branching::Inputs), "y <= {limit}: undecided");
    }
}

// Weights 1 ± 10⁻⁹ are 1 in `f32`: rounded, the first two properties would be decided the other way round. The search by signs sees
// no such margins, since it looks in `f32`, and may leave them open.
#[test]
fn weights_in_f64_are_not_rounded() {
    for branching in [Branching::Inputs, Branching::Signs] {
        for (weight, limit, truth) in
            [(1.0 + 1e-9, "1.0000000005", false), (1.0 - 1e-9, "0.9999999995", true), (1.0 + 1e-9, "1.1", true)]
        {
            let x = Expr::input("x", [1, 2], DType::F64);
            let first = Expr::constant(Tensor::new([2, 2], vec![weight, 0.5, 0.0, -weight]).unwrap());
            let second = Expr::constant(Tensor::new([2, 1], vec![1.0f64, 0.0]).unwrap());
            let y = x.matmul(&first).relu().matmul(&second);
            let network = Graph::new(vec![x], vec![("y".into(), y)]).unwrap();
            let property = Property::parse(&format!(
                "(declare-const X_0 Real) (declare-const X_1 Real) (declare-const Y_0 Real)
                 (assert (>= X_0 -1)) (assert (<= X_0 1)) (assert (>= X_1 -1)) (assert (<= X_1 1))
                 (assert (>= Y_0 {limit}))"
            ))
            .unwrap();
            let decided = decides(&format!("{weight}"), &network, &property, truth, branching);
            assert!(decided || branching == Branching::Signs && limit != "1.1", "{limit}, {branching:?}: undecided");
        }
    }
}
