//! The checker never accepts a proof of something false, however the numbers are chosen to mislead it.

mod check_proving;
mod fooling;
mod oracle;

use check_proving::{activations, case, prove};
use num_rational::BigRational;
use perturb_certify::proof::{ElementSlopes, Evidence, LayerSlopes, Node, Proof, Tree};
use perturb_certify::{Confirmation, check, confirm, evaluate};
use perturb_graph::{Graph, Op, Unary, topological};
use perturb_onnx::vnnlib::Property;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[test]
fn the_truth_is_what_the_oracle_says() {
    for f in fooling::all() {
        let found = oracle::counterexample(&f.net, &f.property);
        assert_eq!(found.is_none(), f.holds, "{}: {:?}", f.name, f.property.cases);
        if let Some(input) = found {
            let outputs = evaluate(&f.net.graph(), &input).unwrap();
            assert!(f.property.is_counterexample(&input, &outputs), "{}", f.name);
        }
    }
}

// How many elements each `relu` has.
fn sizes(network: &Graph) -> Vec<usize> {
    let nodes = topological(&network.output_exprs()).into_iter();
    nodes.filter(|n| matches!(n.op(), Op::Unary(Unary::Relu))).map(|n| n.shape().count()).collect()
}

// A tree with random splits, slopes, weights and multipliers.
fn random_proof(network: &Graph, property: &Property, rng: &mut ChaCha8Rng) -> Proof {
    let sizes = sizes(network);
    assert_eq!(sizes.len(), activations(network));
    let slope = |rng: &mut ChaCha8Rng| [0.0, 1.0, rng.random_range(0.0..=1.0)][rng.random_range(0..3)];
    let slopes = |layers: usize, rng: &mut ChaCha8Rng| -> Vec<Vec<f32>> {
        sizes[..layers].iter().map(|&n| (0..n).map(|_| slope(rng)).collect()).collect()
    };
    let huge = |rng: &mut ChaCha8Rng| [0.0, 1.0, f32::MAX, f32::from_bits(1), 1e-30, 2.0][rng.random_range(0..6)];
    let cases = property.cases.iter().map(|c| {
        let trees = (0..c.any_of.len()).map(|conjunction| {
            let mut nodes = Vec::new();
            // Subtrees to write, with the signs that are fixed above each.
            let mut pending = vec![(Vec::new(), c.bounds[0].clone())];
            while let Some((splits, range)) = pending.pop() {
                let middle = (&range.0 + &range.1) / BigRational::from_integer(2.into());
                let at = num_traits::ToPrimitive::to_f64(&middle).unwrap();
                match rng.random_range(0..if nodes.len() > 60 { 1 } else { 3 }) {
                    1 if splits.is_empty() => {
                        nodes.push(Node::Input { index: 0, at });
                        let at = BigRational::from_float(at).unwrap();
                        pending.extend([(Vec::new(), (at.clone(), range.1)), (Vec::new(), (range.0, at))]);
                    }
                    2 if !sizes.is_empty() && splits.len() < 4 => {
                        let layer = rng.random_range(0..sizes.len());
                        let element = rng.random_range(0..sizes[layer]) as u32;
                        // A sign is fixed once.
                        let known = splits.contains(&(layer, element));
                        nodes.extend((!known).then_some(Node::Sign { layer: layer as u32, element }));
                        let splits: Vec<_> = splits.into_iter().chain((!known).then_some((layer, element))).collect();
                        pending.extend(std::iter::repeat_n((splits, range), if known { 1 } else { 2 }));
                    }
                    _ => {
                        let weights = (0..c.any_of[conjunction].len()).map(|_| huge(rng)).collect();
                        let multipliers = splits.iter().map(|_| huge(rng)).collect();
                        let slopes = (rng.random_range(0..2) == 0).then(|| slopes(sizes.len(), rng));
                        let evidence = Evidence { weights, slopes, multipliers };
                        nodes.extend([Node::Refuted { conjunction: conjunction as u32, evidence }, Node::Done]);
                    }
                }
            }
            Tree { covers: vec![conjunction as u32], nodes }
        });
        let trees = trees.collect();
        let mut proof = case(network, trees);
        for (layer, &size) in sizes.iter().enumerate() {
            let lower = slopes(layer, rng);
            let upper = slopes(layer, rng);
            let given = ElementSlopes { element: rng.random_range(0..size) as u32, lower, upper };
            proof.layers[layer] = LayerSlopes::Given(vec![given]);
        }
        proof
    });
    Proof { cases: cases.collect() }
}

#[test]
fn nothing_false_is_accepted() {
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let (mut proved, mut holding) = (0, 0);
    for f in fooling::all() {
        let network = f.net.graph();
        let found = prove(&network, &f.property, 64);
        assert!(f.holds || found.is_none(), "{}: a proof of {:?}", f.name, f.property.cases);
        proved += usize::from(found.is_some());
        holding += usize::from(f.holds);
        for round in 0..if f.net.layers[0].bias.len() > 100 { 20 } else { 200 } {
            let proof = random_proof(&network, &f.property, rng);
            let accepted = check(&network, &f.property, &proof);
            assert!(accepted.is_err() || f.holds, "{}: random proof {round}: {accepted:?}", f.name);
        }
    }
    // The others hold by equality only, or by a cancellation beyond the precision or the range of f64.
    assert!(proved >= 10, "{proved} of {holding} that hold are proved");
}

// Where the oracle's counterexample is an f32, it is confirmed; what holds has none at the ends of the box either.
#[test]
fn counterexamples_are_confirmed() {
    let mut confirmed = 0;
    let as_f32 = |value: &BigRational| num_traits::ToPrimitive::to_f64(value).unwrap() as f32;
    for f in fooling::all() {
        let network = f.net.graph();
        let verdict = |input: &BigRational| confirm(&network, &f.property, &[as_f32(input)]).unwrap();
        match oracle::counterexample(&f.net, &f.property) {
            Some(input) if oracle::number(as_f32(&input[0])) == input[0] => {
                let found = verdict(&input[0]);
                assert!(matches!(found, Confirmation::Counterexample { .. }), "{}: {found:?}", f.name);
                confirmed += 1;
            }
            Some(_) => {}
            None => {
                let (lo, hi) = &f.property.cases[0].bounds[0];
                for end in [lo, hi] {
                    let found = verdict(end);
                    assert!(matches!(found, Confirmation::Not { .. }), "{}: {found:?}", f.name);
                }
            }
        }
    }
    assert!(confirmed >= 9, "{confirmed}");
}
