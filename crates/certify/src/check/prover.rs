//! Refutations on boxes as a search finds them, decided as [`check`](super::check()) decides them in a proof.

use super::bounds::{Bounds, Model, Walked};
use super::walk::{Rule, Walk};
use super::{CheckError, combination, lower, rounding};
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

/// A network that refutations are about.
pub(crate) struct Prover<'a> {
    model: Model,
    property: &'a Property,
}

impl<'a> Prover<'a> {
    /// # Errors
    /// If the network has an operation that cannot be checked.
    pub fn new(network: &Graph, property: &'a Property) -> Result<Prover<'a>, CheckError> {
        Ok(Prover { model: Model::new(lower::lower(network).map_err(CheckError::Network)?), property })
    }

    /// For each box, whether each of its refutations holds: the combination is positive on all of the box.
    pub fn refuted(&self, case: usize, questions: &[Question<'_>]) -> Vec<Vec<bool>> {
        let case = &self.property.cases[case];
        let whole: Vec<(f64, f64)> =
            case.bounds.iter().map(|(lo, hi)| (rounding::enclose(lo).0, rounding::enclose(hi).1)).collect();
        let layers = self.model.network.layers.len();
        let decide = |question: &Question<'_>| -> Vec<bool> {
            let corners = question.lower.iter().zip(question.upper).zip(&whole);
            let inputs: Vec<(f64, f64)> =
                corners.map(|((&l, &u), &(lo, hi))| (f64::from(l).max(lo), f64::from(u).min(hi))).collect();
            let mut coefficients = Vec::new();
            let mut holds = |walked: Walked| -> Vec<bool> {
                let bounds = Bounds::tightened(&self.model, &inputs, None, walked);
                let walk = Walk { model: &self.model, bounds: &bounds, layers };
                let positive = |&(conjunction, weights): &(usize, &[f32])| {
                    let start = combination(&self.model, &case.any_of[conjunction], weights);
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
