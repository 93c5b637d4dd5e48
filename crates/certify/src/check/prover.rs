//! Refutations on boxes as a search finds them, decided as [`check`](super::check()) decides them in a proof.

use super::bounds::{Bounds, Model, Walked};
use super::network::Network;
use super::walk::{Rule, Split, Walk};
use super::{CheckError, combination, lower, rounding};
use crate::proof::Evidence;
use perturb_graph::Graph;
use perturb_onnx::vnnlib::Property;
use rayon::prelude::*;

/// A box of one case, and weights of the constraints of some of its conjunctions.
pub(crate) struct Question<'a> {
    /// Corners; the case's own box ends where it ends.
    pub lower: &'a [f32],
    pub upper: &'a [f32],
    /// Conjunctions and one weight for each of their constraints.
    pub refutations: Vec<(usize, &'a [f32])>,
}

/// An operand of an activation whose sign is fixed on a piece of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sign {
    /// Which activation, and which element of its operand.
    pub activation: usize,
    pub element: usize,
    /// Whether it is at least 0, or at most 0.
    pub above: bool,
}

/// Intervals of all of a network's scalars over a box.
pub(crate) struct Enclosure(Bounds);

impl Enclosure {
    /// Bounds of a scalar.
    pub fn of(&self, scalar: u32) -> (f64, f64) {
        self.0.of(scalar)
    }
}

/// What bounds the left sides of a case's constraints, as written, on a box.
pub(crate) struct Planes {
    /// Lower bounds.
    pub lower: Vec<f64>,
    /// Slopes of the planes that are nowhere above, `[constraints · inputs]`.
    pub slopes: Vec<f32>,
    /// How many operands of activations have an open sign.
    pub open: usize,
}

/// A network that refutations are about.
pub(crate) struct Prover<'a> {
    model: Model,
    property: &'a Property,
    /// The box of each case, rounded outwards.
    boxes: Vec<Vec<(f64, f64)>>,
}

impl<'a> Prover<'a> {
    /// # Errors
    /// If the network has an operation that cannot be checked.
    pub fn new(network: &Graph, property: &'a Property) -> Result<Prover<'a>, CheckError> {
        let model = Model::new(lower::lower(network).map_err(CheckError::Network)?);
        let ends = |(lo, hi): &(_, _)| (rounding::enclose(lo).0, rounding::enclose(hi).1);
        let boxes = property.cases.iter().map(|case| case.bounds.iter().map(ends).collect());
        Ok(Prover { model, property, boxes: boxes.collect() })
    }

    /// The network in the checker's form.
    pub fn network(&self) -> &Network {
        &self.model.network
    }

    /// Intervals that hold the outputs at one input.
    pub fn values(&self, input: &[f32]) -> Vec<(f64, f64)> {
        let point: Vec<(f64, f64)> = input.iter().map(|&x| (f64::from(x), f64::from(x))).collect();
        let bounds = Bounds::intervals(&self.model, &point);
        self.model.network.outputs.iter().map(|&o| bounds.of(o)).collect()
    }

    /// Intervals over a box of one case, as the checker finds them first.
    pub fn enclose(&self, case: usize, lower: &[f32], upper: &[f32]) -> Enclosure {
        Enclosure(Bounds::tightened(&self.model, &self.inside(case, lower, upper), None, Walked::Open))
    }

    /// Whether the evidence refutes a conjunction on the piece of a box that `signs` cut out.
    pub fn refutes(
        &self,
        case: usize,
        enclosure: &Enclosure,
        conjunction: usize,
        evidence: &Evidence,
        signs: &[Sign],
    ) -> bool {
        let splits = signs.iter().zip(&evidence.multipliers).map(|(sign, &multiplier)| Split {
            activation: sign.activation,
            element: sign.element,
            above: sign.above,
            multiplier: f64::from(multiplier),
        });
        let start = combination(&self.model, &self.property.cases[case].any_of[conjunction], &evidence.weights);
        let rule = Rule { slopes: evidence.slopes.as_deref(), splits: &splits.collect::<Vec<_>>() };
        let layers = self.model.network.layers.len();
        Walk { model: &self.model, bounds: &enclosure.0, layers }.lower(&start, rule, &mut Vec::new()) > 0.0
    }

    /// Planes below the constraints' left sides on a box, one constraint after the other.
    pub fn planes(&self, case: usize, lower: &[f32], upper: &[f32]) -> Planes {
        let layers = self.model.network.layers.len();
        let bounds = Bounds::tightened(&self.model, &self.inside(case, lower, upper), None, Walked::Few);
        let walk = Walk { model: &self.model, bounds: &bounds, layers };
        let (mut lower, mut slopes, mut coefficients) = (Vec::new(), Vec::new(), Vec::new());
        for constraints in &self.property.cases[case].any_of {
            for k in 0..constraints.len() {
                let alone: Vec<f32> = (0..constraints.len()).map(|j| f32::from(u8::from(j == k))).collect();
                let start = combination(&self.model, constraints, &alone);
                lower.push(walk.lower(&start, Rule { slopes: None, splits: &[] }, &mut coefficients));
                slopes.extend(coefficients[..self.model.network.inputs].iter().map(|&c| c as f32));
            }
        }
        let network = &self.model.network;
        let is_open = |&&operand: &&u32| bounds.of(operand).0 < 0.0 && bounds.of(operand).1 > 0.0;
        let open = (0..network.activations.len()).map(|a| network.operands_of(a).iter().filter(is_open).count()).sum();
        Planes { lower, slopes, open }
    }

    // A box within that of its case.
    fn inside(&self, case: usize, lower: &[f32], upper: &[f32]) -> Vec<(f64, f64)> {
        let corners = lower.iter().zip(upper).zip(&self.boxes[case]);
        corners.map(|((&l, &u), &(lo, hi))| (f64::from(l).max(lo), f64::from(u).min(hi))).collect()
    }

    /// For each box, whether each of its refutations holds: the combination is positive on all of the box.
    pub fn refuted(&self, case: usize, questions: &[Question<'_>]) -> Vec<Vec<bool>> {
        let layers = self.model.network.layers.len();
        let decide = |question: &Question<'_>| -> Vec<bool> {
            let inputs = self.inside(case, question.lower, question.upper);
            let mut coefficients = Vec::new();
            let mut holds = |walked: Walked| -> Vec<bool> {
                let bounds = Bounds::tightened(&self.model, &inputs, None, walked);
                let walk = Walk { model: &self.model, bounds: &bounds, layers };
                let positive = |&(conjunction, weights): &(usize, &[f32])| {
                    let start = combination(&self.model, &self.property.cases[case].any_of[conjunction], weights);
                    walk.lower(&start, Rule { slopes: None, splits: &[] }, &mut coefficients) > 0.0
                };
                question.refutations.iter().map(positive).collect()
            };
            let first = holds(Walked::Open);
            if first.iter().all(|&h| h) { first } else { holds(Walked::Positive) }
        };
        questions.par_iter().map(decide).collect()
    }
}
