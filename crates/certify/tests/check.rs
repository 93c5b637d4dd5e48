//! The checker of proofs against sampling, exact values, and proofs made by hand.

mod check_proving;
mod nets;
mod oracle;

use check_proving::{activations, at_most, direct, lower_bound, plain, property, rational, single};
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive};
use perturb_certify::proof::{ElementSlopes, Evidence, LayerSlopes, Node, Proof};
use perturb_certify::{Certifier, CheckError, Method, Region, Settings, check, evaluate};
use perturb_graph::{Conv, DType, Expr, Graph, Pool, Tensor, eval};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn smooth(network: &Graph) -> bool {
    let operators = network.operators();
    operators.contains_key("tanh") || operators.contains_key("sigmoid")
}

fn exact(point: &[f64]) -> Vec<BigRational> {
    point.iter().map(|&v| rational(v)).collect()
}

// Points of a box: half of them corners.
fn points(bounds: &[(f64, f64)], count: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
    let mut point = |corner: bool| -> Vec<f64> {
        let end = |&(lo, hi): &(f64, f64)| match (corner, rng.random_range(0..2)) {
            (true, 0) => lo,
            (true, _) => hi,
            _ => rng.random_range(lo..=hi),
        };
        bounds.iter().map(end).collect()
    };
    (0..count).map(|i| point(i % 2 == 0)).collect()
}

fn combination(values: &[BigRational], coefficients: &[f64]) -> BigRational {
    values.iter().zip(coefficients).map(|(v, &c)| v * rational(c)).sum()
}

// No point of the box, evaluated exactly, beats a proved margin. Networks with sigmoid or tanh are evaluated in f64.
fn margins_hold(index: u64) {
    let network = nets::random(index, DType::F32);
    let rng = &mut ChaCha8Rng::seed_from_u64(77 + index);
    let inputs = network.inputs[0].shape().count();
    let epsilon = [1e-9, 0.003, 0.05, 0.4][index as usize / 5 % 4];
    let bounds: Vec<(f64, f64)> = (0..inputs)
        .map(|_| rng.random_range(-1.0..1.0))
        .map(|center: f64| (center - epsilon, center + epsilon))
        .collect();
    let coefficients: Vec<f64> = (0..3).map(|_| f64::from(rng.random_range(-3..=3))).collect();
    let threshold = lower_bound(&network, &bounds, &coefficients, -1e3) - 1e3 - 0.25;
    let margin = lower_bound(&network, &bounds, &coefficients, threshold);
    assert!((0.2..0.3).contains(&margin), "network {index}: margin {margin}");
    let (margin, threshold) = (rational(margin), rational(threshold));
    for point in points(&bounds, 12, rng) {
        let (values, slack) = if smooth(&network) {
            let network = nets::random(index, DType::F64);
            let input = Tensor::new(network.inputs[0].shape(), point.clone()).unwrap();
            let found = eval(&network.output_exprs(), &[(network.inputs[0].clone(), input)]).unwrap();
            (exact(&found[0].to_f64_vec()), 1e-12)
        } else {
            (evaluate(&network, &exact(&point)).unwrap(), 0.0)
        };
        let left = combination(&values, &coefficients) - &threshold;
        assert!(left >= &margin - rational(slack), "network {index}: {left} at {point:?} is below {margin}");
    }
}

#[test]
fn no_point_beats_a_proved_margin() {
    (0..200).for_each(margins_hold);
}

// The checker and the transform of the graph implement CROWN independently: with the same slopes they agree.
#[test]
fn bounds_are_those_of_crown() {
    for index in (0..100).filter(|i| !smooth(&nets::random(*i, DType::F32))) {
        let network = nets::random(index, DType::F32);
        if nets::KINDS[index as usize % 5] == "pooled conv" {
            continue;
        }
        let rng = &mut ChaCha8Rng::seed_from_u64(index);
        let shape = network.inputs[0].shape().prepend(1);
        let center: Vec<f32> = (0..shape.count()).map(|_| rng.random_range(-1.0..1.0)).collect();
        let certifier = Certifier::new(&network, Method::Crown, Settings { batch: 1, ..Settings::default() }).unwrap();
        let tensor = Tensor::new(shape, center.clone()).unwrap();
        let margin = certifier.margins(&tensor, &[0], &Region::from(0.125)).unwrap()[0];
        let bounds: Vec<(f64, f64)> = center.iter().map(|&c| (f64::from(c) - 0.125, f64::from(c) + 0.125)).collect();
        let found = [[1.0, -1.0, 0.0], [1.0, 0.0, -1.0]].map(|c| lower_bound(&network, &bounds, &c, 0.0));
        let found = found[0].min(found[1]);
        // The other one rounds in f32, and where bounds are nearly symmetric that decides which slope is taken.
        let (low, high) = (margin - 1e-4 * (1.0 + margin.abs()), margin + 5e-3 * (1.0 + margin.abs()));
        assert!((low..high).contains(&found), "network {index}: {found}, but {margin}");
    }
}

#[test]
fn affine_networks_are_bounded_to_twelve_digits() {
    for seed in 0..50 {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let mut weights = |shape: &[usize]| {
            let values = (0..shape.iter().product()).map(|_| rng.random_range(-1.0f32..1.0)).collect();
            Expr::constant(Tensor::new(shape, values).unwrap())
        };
        // Every kind of linear operation on the way.
        let x = Expr::input("x", [1, 2, 4, 4], DType::F32);
        let h = x.conv(&weights(&[3, 2, 3, 3]), Conv { padding: vec![(1, 0), (0, 1)], ..Conv::unit(2) });
        let h = h.mul(&weights(&[3, 1, 1])).sub(&weights(&[3, 1, 1]));
        let h = h.avg_pool(Pool::square(3, 2)).neg().div(&weights(&[3, 1, 1]).offset(2.0));
        let flat = h.reshape([1, h.shape().count()]);
        let again = Expr::concat(&[flat.slice_axis(1, 0, 2), flat.reverse(&[1])], 1);
        let sum = weights(&[1, 1]).sub(&again.reduce_sum(&[1], true));
        let n = again.shape()[1];
        let y = again.matmul(&weights(&[n, 2])).add(&sum).matmul(&weights(&[2, 2])).transpose(&[1, 0]);
        let network = Graph::new(vec![x], vec![("y".into(), y)]).unwrap();
        let bounds: Vec<(f64, f64)> =
            (0..32).map(|_| rng.random_range(-1.0..1.0)).map(|c| (c - 0.5, c + 0.5)).collect();
        // The least value is at the corner that the sign of each input's influence points to.
        let at = |point: &[f64]| combination(&evaluate(&network, &exact(point)).unwrap(), &[1.0, -1.0]);
        let low: Vec<f64> = bounds.iter().map(|b| b.0).collect();
        let base = at(&low);
        let (mut least, mut most) = (low.clone(), low.clone());
        for i in 0..32 {
            let mut moved = low.clone();
            moved[i] = bounds[i].1;
            let end = if (at(&moved) - &base).is_negative() { &mut least } else { &mut most };
            end[i] = bounds[i].1;
        }
        let (least, most) = (at(&least), at(&most));
        let size = least.abs().max(most.abs()).to_f64().unwrap();
        let found = lower_bound(&network, &bounds, &[1.0, -1.0], 0.0);
        let lost = (least - rational(found)).to_f64().unwrap();
        // The sums are at least as large as what they amount to at either end.
        assert!((0.0..1e-12 * (1.0 + size)).contains(&lost), "seed {seed}: {found}, {lost} below");
    }
}

// y = relu(x) − x + 0.1 for x in −1..1, which is at least 0.1.
fn kinked() -> (Graph, perturb_onnx::vnnlib::Property) {
    let x = Expr::input("x", [1, 1], DType::F32);
    let y = x.relu().sub(&x).add(&x.like(0.1));
    let network = Graph::new(vec![x], vec![("y".into(), y)]).unwrap();
    (network, property(&[(-1.0, 1.0)], 1, vec![vec![at_most(&[1.0], 0.0)]]))
}

fn refuted(slopes: Option<f32>, multipliers: &[f32]) -> Node {
    let slopes = slopes.map(|s| vec![vec![s]]);
    Node::Refuted { conjunction: 0, evidence: Evidence { weights: vec![2.0], slopes, multipliers: multipliers.into() } }
}

fn bound_of(result: Result<perturb_certify::CheckSummary, CheckError>) -> f64 {
    match result {
        Err(CheckError::NotRefuted { bound, .. }) => bound,
        other => panic!("{other:?}"),
    }
}

#[test]
fn proofs_made_by_hand() {
    let (network, property) = kinked();
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-7, "{found}, not {expected}");
    // The adaptive slope is 0 where the bounds are −1 and 1: then −x + 0.1 is left.
    let found = check(&network, &property, &direct(&network));
    close(bound_of(found), -0.9);
    let summary = check(&network, &property, &single(&network, vec![refuted(Some(1.0), &[]), Node::Done])).unwrap();
    close(summary.margin, 0.2);
    assert_eq!((summary.leaves, summary.splits, summary.refutations), (1, 0, 1));
    let half = check(&network, &property, &single(&network, vec![refuted(Some(0.5), &[]), Node::Done]));
    close(bound_of(half), 2.0 * -0.4);

    let split = Node::Sign { layer: 0, element: 0 };
    let by_sign = |below: &[f32]| {
        let nodes = vec![split.clone(), refuted(None, below), Node::Done, refuted(None, &[0.0]), Node::Done];
        check(&network, &property, &single(&network, nodes))
    };
    // Without a multiplier, −x + 0.1 is bounded over the whole box; 2 is the weight's.
    close(bound_of(by_sign(&[])), -1.8);
    close(bound_of(by_sign(&[1.0])), -0.8);
    let summary = by_sign(&[2.0]).unwrap();
    close(summary.margin, 0.2);
    assert_eq!((summary.leaves, summary.splits, summary.refutations), (2, 1, 2));

    let cut = vec![Node::Input { index: 0, at: 0.0 }, refuted(None, &[]), Node::Done, refuted(None, &[]), Node::Done];
    close(check(&network, &property, &single(&network, cut)).unwrap().margin, 0.2);
}

// y = h − relu(h + x₂ − 1.5) + 0.1 with h = relu(x₁) is at least 0.1. Where x₁ ≤ 0, the second operand is at most −0.5; but
// over the whole box it may be 0.5, so that relu is bounded by a line that is 1/3 there.
#[test]
fn inner_bounds_know_signs() {
    let x = Expr::input("x", [1, 2], DType::F32);
    let at = |i: usize| x.slice_axis(1, i, i + 1);
    let h = at(0).relu();
    let second = h.add(&at(1)).offset(-1.5).relu();
    let network = Graph::new(vec![x.clone()], vec![("y".into(), h.sub(&second).offset(0.1))]).unwrap();
    let property = property(&[(-1.0, 1.0); 2], 1, vec![vec![at_most(&[1.0], 0.0)]]);
    let refuted = |multipliers: &[f32]| Node::Refuted {
        conjunction: 0,
        evidence: Evidence { weights: vec![1.0], slopes: None, multipliers: multipliers.to_vec() },
    };
    let sign = |layer: u32| Node::Sign { layer, element: 0 };
    let above = [sign(1), refuted(&[1.0, 0.0]), Node::Done, refuted(&[0.0, 0.0]), Node::Done];
    let slopes = || vec![vec![0.0]];
    let walked = LayerSlopes::Given(vec![ElementSlopes { element: 0, lower: slopes(), upper: slopes() }]);
    let proof = |below: &[Node]| {
        let mut proof = single(&network, [&[sign(0)], below, &above].concat());
        proof.cases[0].layers[1] = walked.clone();
        proof
    };
    let with = proof(&[Node::Narrow, refuted(&[0.0]), Node::Done]);
    let summary = check(&network, &property, &with).unwrap();
    assert!((summary.margin - 0.1).abs() < 1e-6 && summary.leaves == 3, "{summary:?}");
    let without = check(&network, &property, &proof(&[refuted(&[0.0]), Node::Done]));
    assert!((bound_of(without) - (0.1 - 1.0 / 3.0)).abs() < 1e-6);
    // What is narrowed holds below the node only.
    let beside = [&[sign(0), Node::Narrow, refuted(&[0.0]), Node::Done], &[refuted(&[0.0]), Node::Done][..]].concat();
    assert!(matches!(check(&network, &property, &single(&network, beside)), Err(CheckError::NotRefuted { .. })));

    let cut = Node::Input { index: 0, at: 0.0 };
    for nodes in [[cut.clone(), Node::Narrow], [Node::Narrow, cut]] {
        let found = check(&network, &property, &single(&network, nodes.to_vec()));
        assert!(matches!(found, Err(CheckError::Malformed { .. })), "{found:?}");
    }
}

// The second operand is 0.25 wherever it is looked at: no input makes it negative, and of none anything has to be refuted.
// Who does not look sees relu(z) = 0 there.
#[test]
fn signs_that_no_input_meets() {
    let x = Expr::input("x", [1, 1], DType::F32);
    let h = x.relu();
    let y = h.sub(&h).offset(0.25).relu().offset(-1.0);
    let network = Graph::new(vec![x], vec![("y".into(), y)]).unwrap();
    let property = property(&[(-1.0, 1.0)], 1, vec![vec![at_most(&[1.0], 0.8)]]);
    let evidence = Evidence { weights: vec![1.0], slopes: None, multipliers: vec![0.0] };
    let refuted = [Node::Refuted { conjunction: 0, evidence }, Node::Done];
    let sign = Node::Sign { layer: 1, element: 0 };
    let with = [&[sign.clone(), Node::Narrow][..], &refuted, &refuted].concat();
    assert!((check(&network, &property, &single(&network, with)).unwrap().margin - 0.05).abs() < 1e-6);
    let without = check(&network, &property, &single(&network, [&[sign][..], &refuted, &refuted].concat()));
    assert!((bound_of(without) + 0.2).abs() < 1e-6);
}

// z = relu(x) − x is at least 0 but not by adaptive slopes; relu(z + 0.1) is then not 0.
#[test]
fn slopes_of_inner_bounds() {
    let x = Expr::input("x", [1, 1], DType::F32);
    let y = x.relu().sub(&x).add(&x.like(0.1)).relu().add(&x.like(-0.05));
    let network = Graph::new(vec![x], vec![("y".into(), y)]).unwrap();
    let property = property(&[(-1.0, 1.0)], 1, vec![vec![at_most(&[1.0], 0.0)]]);
    let slopes = Some(vec![vec![1.0], vec![0.0]]);
    let evidence = Evidence { weights: vec![1.0], slopes, multipliers: vec![] };
    let mut proof = single(&network, vec![Node::Refuted { conjunction: 0, evidence }, Node::Done]);
    assert!((bound_of(check(&network, &property, &proof)) + 0.05).abs() < 1e-7);
    let given = ElementSlopes { element: 0, lower: vec![vec![1.0]], upper: vec![vec![0.0]] };
    proof.cases[0].layers[1] = LayerSlopes::Given(vec![given]);
    assert!((check(&network, &property, &proof).unwrap().margin - 0.05).abs() < 1e-7);
}

#[test]
fn malformed_proofs_are_errors_with_their_place() {
    let (network, property) = kinked();
    let good = single(&network, vec![refuted(Some(1.0), &[]), Node::Done]);
    assert!(check(&network, &property, &good).is_ok());
    let rejected = |change: &dyn Fn(&mut Proof), message: &str| {
        let mut proof = good.clone();
        change(&mut proof);
        let error = check(&network, &property, &proof).unwrap_err().to_string();
        assert!(error.contains(message), "{error:?} does not contain {message:?}");
    };
    let nodes = |new: Vec<Node>| move |proof: &mut Proof| proof.cases[0].trees[0].nodes = new.clone();
    let evidence = |change: fn(&mut Evidence)| {
        move |proof: &mut Proof| match &mut proof.cases[0].trees[0].nodes[0] {
            Node::Refuted { evidence, .. } => change(evidence),
            _ => unreachable!(),
        }
    };
    rejected(&|p| p.cases.clear(), "proof: it has 0 cases, but the property has 1");
    rejected(&|p| p.cases[0].layers.clear(), "case 0: slopes for 0 activations are given, but there are 1");
    rejected(&|p| p.cases[0].trees.clear(), "case 0: no tree covers conjunction 0");
    rejected(&|p| p.cases[0].trees[0].covers.push(7), "case 0, tree 0: it covers conjunction 7 of 1");
    rejected(&|p| p.cases[0].trees[0].nodes.push(Node::Done), "node 2: the tree has ended");
    rejected(&|p| p.cases[0].trees[0].nodes.truncate(1), "node 1: the tree ends here");
    rejected(&nodes(vec![]), "node 0: the tree ends here");
    rejected(&nodes(vec![Node::Done]), "node 0: conjunction 0 has not been refuted");
    let lone = |node: Node| nodes(vec![node]);
    for at in [f64::NAN, f64::INFINITY, 1.5, -1.1] {
        rejected(&lone(Node::Input { index: 0, at }), "node 0: input 0 is split at");
    }
    rejected(&lone(Node::Input { index: 9, at: 0.0 }), "node 0: input 9 is not one of 1");
    rejected(&lone(Node::Sign { layer: 1, element: 0 }), "node 0: activation 1 is not one of 1");
    rejected(&lone(Node::Sign { layer: 0, element: 1 }), "node 0: element 1 is not one of the 1 of activation 0");
    let twice = vec![Node::Sign { layer: 0, element: 0 }; 2];
    rejected(&nodes(twice), "node 1: the sign of element 0 of activation 0 is known already");
    let below = vec![Node::Sign { layer: 0, element: 0 }, Node::Input { index: 0, at: 0.0 }];
    rejected(&nodes(below), "node 1: an input is split below a sign");
    rejected(&lone(Node::Refuted { conjunction: 3, evidence: plain(&[1.0]) }), "conjunction 3 is not one that");
    for weight in [-1.0, f32::NAN, f32::INFINITY] {
        let wrong = Node::Refuted { conjunction: 0, evidence: plain(&[weight]) };
        rejected(&lone(wrong), "node 0: ");
    }
    rejected(&evidence(|e| e.weights.push(1.0)), "node 0: there are 2 weights for 1 constraints");
    rejected(&evidence(|e| e.multipliers.push(1.0)), "node 0: there are 1 multipliers for 0 signs");
    rejected(&evidence(|e| e.slopes = Some(vec![])), "node 0: there are slopes for 0 activations, not for 1");
    rejected(&evidence(|e| e.slopes = Some(vec![vec![]])), "node 0: activation 0 takes 1 slopes, not 0");
    for slope in [1.5, -0.1, f32::NAN] {
        let wrong = vec![refuted(Some(slope), &[])];
        rejected(&nodes(wrong), "node 0: a slope of activation 0 is");
    }
    let given = |element: u32, lower: Vec<Vec<f32>>| {
        let elements = vec![ElementSlopes { element, lower, upper: vec![] }];
        move |proof: &mut Proof| proof.cases[0].layers[0] = LayerSlopes::Given(elements.clone())
    };
    rejected(&given(4, vec![]), "case 0, slopes of activation 0: element 4 is not one of 1");
    rejected(
        &given(0, vec![vec![]]),
        "case 0, slopes of activation 0: element 0: there are slopes for 1 activations, not for 0",
    );
    // A conjunction that is refuted on one side only.
    let half = vec![Node::Input { index: 0, at: 0.0 }, refuted(None, &[]), Node::Done, Node::Done];
    rejected(&nodes(half), "node 3: conjunction 0 has not been refuted");
}

#[test]
fn deep_trees_do_not_exhaust_the_stack() {
    let (network, property) = kinked();
    let depth = 200_000;
    let mut nodes = Vec::new();
    for i in 0..depth {
        nodes.extend([Node::Input { index: 0, at: f64::from(i) / f64::from(depth) }, refuted(None, &[]), Node::Done]);
    }
    nodes.extend([refuted(None, &[]), Node::Done]);
    // The first cut is at 0, so that every part has one sign.
    let summary = check(&network, &property, &single(&network, nodes)).unwrap();
    assert_eq!(summary.leaves, depth as usize + 1);
}

#[test]
fn constraints_on_inputs_and_several_conjunctions() {
    // y = x over −1..1: y ≤ x − 0.1 never; y ≥ 0.5 and x ≤ 0.4 never.
    let text = "(declare-const X_0 Real) (declare-const Y_0 Real) (assert (>= X_0 -1)) (assert (<= X_0 1))
        (assert (or (and (<= Y_0 (- X_0 0.1))) (and (>= Y_0 0.5) (<= (* 2 X_0) (+ X_0 0.4)))))";
    let property = perturb_onnx::vnnlib::Property::parse(text).unwrap();
    let x = Expr::input("x", [1, 1], DType::F32);
    let network = Graph::new(vec![x.clone()], vec![("y".into(), x.mul(&x.like(1.0)))]).unwrap();
    assert_eq!(activations(&network), 0);
    let proof = check_proving::prove(&network, &property, 8);
    // The second conjunction gives X_0 an upper bound, so it is a case of its own.
    let found: Vec<usize> = property.cases.iter().map(|c| c.any_of.len()).collect();
    assert_eq!(found, [1, 1]);
    let summary = check(&network, &property, &proof.unwrap()).unwrap();
    assert!((summary.margin - 0.1).abs() < 1e-12, "{}", summary.margin);
}

#[test]
fn networks_that_cannot_be_checked_are_named() {
    let x = Expr::input("x", [1, 2], DType::F32);
    let network = Graph::new(vec![x.clone()], vec![("y".into(), x.exp())]).unwrap();
    let property = property(&[(0.0, 1.0); 2], 2, vec![vec![at_most(&[1.0, 0.0], 0.0)]]);
    let error = check(&network, &property, &direct(&network)).unwrap_err().to_string();
    assert!(error.contains("exp f32[1, 2]: this function cannot be checked"), "{error}");
    let network = Graph::new(vec![x.clone()], vec![("y".into(), x.mul(&x))]).unwrap();
    let error = check(&network, &property, &direct(&network)).unwrap_err().to_string();
    assert!(error.contains("mul f32[1, 2]"), "{error}");
}
