//! Proofs for tests: the simplest one, and one that is found by halving inputs.
#![allow(dead_code)]

use num_rational::BigRational;
use perturb_certify::proof::{CaseProof, Evidence, LayerSlopes, Node, Proof, Tree};
use perturb_certify::{CheckError, check};
use perturb_graph::{Graph, dependents, topological};
use perturb_onnx::vnnlib::{Case, Constraint, Property, Variable};
use std::collections::BTreeMap;

/// The exact value of a number.
pub fn rational(value: f64) -> BigRational {
    BigRational::from_float(value).unwrap()
}

/// `Σ coefficient·output + constant ≤ 0`.
pub fn at_most(coefficients: &[f64], constant: f64) -> Constraint {
    let used = coefficients.iter().enumerate().filter(|(_, c)| **c != 0.0);
    let terms: BTreeMap<Variable, BigRational> = used.map(|(i, &c)| (Variable::Output(i), rational(c))).collect();
    Constraint { terms, constant: rational(constant), strict: false }
}

/// A property of one case.
pub fn property(bounds: &[(f64, f64)], outputs: usize, any_of: Vec<Vec<Constraint>>) -> Property {
    let bounds = bounds.iter().map(|&(lo, hi)| (rational(lo), rational(hi))).collect::<Vec<_>>();
    Property { inputs: bounds.len(), outputs, cases: vec![Case { bounds, any_of }] }
}

/// Number of `relu` nodes that depend on the input.
pub fn activations(network: &Graph) -> usize {
    let outputs = network.output_exprs();
    let varying = dependents(&outputs, &network.inputs);
    let nodes = topological(&outputs).into_iter().filter(|n| varying.contains(&n.id()));
    nodes.filter(|n| n.op().free_slopes().is_some()).count()
}

/// Evidence without slopes and multipliers.
pub fn plain(weights: &[f32]) -> Evidence {
    Evidence { weights: weights.to_vec(), slopes: None, multipliers: Vec::new() }
}

/// A case's proof with adaptive slopes.
pub fn case(network: &Graph, trees: Vec<Tree>) -> CaseProof {
    CaseProof { layers: vec![LayerSlopes::Adaptive; activations(network)], trees }
}

/// A proof of one case, whose only tree covers conjunction 0.
pub fn single(network: &Graph, nodes: Vec<Node>) -> Proof {
    Proof { cases: vec![case(network, vec![Tree { covers: vec![0], nodes }])] }
}

/// The proof without any split, for the first conjunction and its first constraint.
pub fn direct(network: &Graph) -> Proof {
    single(network, vec![Node::Refuted { conjunction: 0, evidence: plain(&[1.0]) }, Node::Done])
}

/// The proved lower bound of `coefficients·outputs` over a box, as what is left after the exact `threshold`.
pub fn lower_bound(network: &Graph, bounds: &[(f64, f64)], coefficients: &[f64], threshold: f64) -> f64 {
    let property = property(bounds, coefficients.len(), vec![vec![at_most(coefficients, -threshold)]]);
    match check(network, &property, &direct(network)) {
        Ok(summary) => summary.margin,
        Err(CheckError::NotRefuted { bound, .. }) => bound,
        Err(error) => panic!("{error}"),
    }
}

/// A proof by halving the widest input again and again, for each conjunction by one of its constraints; `None` if that
/// takes more than `budget` leaves for a conjunction. Nothing is taken on trust: every leaf has passed the checker.
pub fn prove(network: &Graph, property: &Property, budget: usize) -> Option<Proof> {
    let cases = property.cases.iter().map(|c| {
        let trees = (0..c.any_of.len()).map(|conjunction| tree(network, property, c, conjunction, budget));
        Some(case(network, trees.collect::<Option<_>>()?))
    });
    Some(Proof { cases: cases.collect::<Option<_>>()? })
}

fn tree(network: &Graph, property: &Property, case: &Case, conjunction: usize, budget: usize) -> Option<Tree> {
    let constraints = &case.any_of[conjunction];
    let mut nodes = Vec::new();
    let mut pending = vec![case.bounds.clone()];
    let mut leaves = 0;
    while let Some(bounds) = pending.pop() {
        if let Some(weights) = (0..constraints.len()).find_map(|k| refuting(network, property, &bounds, constraints, k))
        {
            nodes.push(Node::Refuted { conjunction: conjunction as u32, evidence: plain(&weights) });
            nodes.push(Node::Done);
            leaves += 1;
            continue;
        }
        let width = |i: &usize| &bounds[*i].1 - &bounds[*i].0;
        let index = (0..bounds.len()).max_by(|a, b| width(a).cmp(&width(b)))?;
        let middle = num_traits::ToPrimitive::to_f64(&(&bounds[index].0 + width(&index) / rational(2.0)))?;
        let exact = rational(middle);
        if leaves + pending.len() > budget || exact <= bounds[index].0 || exact >= bounds[index].1 {
            return None;
        }
        nodes.push(Node::Input { index: index as u32, at: middle });
        let mut halves = [bounds.clone(), bounds];
        (halves[0][index].1, halves[1][index].0) = (exact.clone(), exact);
        let [below, above] = halves;
        pending.extend([above, below]);
    }
    Some(Tree { covers: vec![conjunction as u32], nodes })
}

// Weights that refute a conjunction on a whole box by its k-th constraint.
fn refuting(
    network: &Graph,
    property: &Property,
    bounds: &[(BigRational, BigRational)],
    constraints: &[Constraint],
    k: usize,
) -> Option<Vec<f32>> {
    let weights: Vec<f32> = (0..constraints.len()).map(|i| f32::from(u8::from(i == k))).collect();
    let part = Case { bounds: bounds.to_vec(), any_of: vec![constraints.to_vec()] };
    let part = Property { cases: vec![part], ..property.clone() };
    let proof = single(network, vec![Node::Refuted { conjunction: 0, evidence: plain(&weights) }, Node::Done]);
    match check(network, &part, &proof) {
        Ok(_) => Some(weights),
        Err(CheckError::NotRefuted { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}
