//! An independent check of proofs: nothing here uses code of the search that finds them, though the search may ask here
//! whether a leaf of it will pass (`prover`).
//!
//! # What is proved
//!
//! That no real input in one of the property's boxes, by the *real* arithmetic of the network's operations on the weights
//! of the file, gives outputs that meet all constraints of one of the box's conjunctions. Values that do not depend on the
//! input are what [`perturb_graph::eval`] computes.
//!
//! # How
//!
//! The graph is lowered to affine maps and elementwise functions. Over a box, every scalar gets an interval, and the
//! operands of `relu`, sigmoid and tanh better ones by backward walks (CROWN, Zhang et al. 2018, with slopes that
//! the proof may choose, and β-CROWN's multipliers, Wang et al. 2021, eq. 8). A refutation is a walk from a combination of
//! constraints.
//!
//! # Why rounding does no harm
//!
//! All arithmetic is in `f64`, rounded to nearest. Let u = 2⁻⁵³ and γ_n = nu/(1 − nu). A sum of n products, computed in any
//! order and with or without fused multiply-add, differs from the exact one by at most γ_n·Σ|aᵢbᵢ| + n·2⁻¹⁰⁷⁵ if nothing
//! overflows: every product takes part in at most n roundings, each a factor 1 + δ with |δ| ≤ u, and may have lost
//! 2⁻¹⁰⁷⁵ to underflow; additions do not underflow (Higham 2002, §3.1). Sums of numbers that are not negative are
//! bounded from above by their computed values times 1 + γ_n, by the same argument. Single operations are widened to the
//! next number. So:
//!
//! - *Intervals.* A row's centre is a computed dot product with that error, its radius a sum of numbers that are not
//!   negative.
//! - *Walks.* A walk keeps `f ≥ Σ âᵥ·v + ĉ − e` with computed coefficients. What a step adds up to the coefficient of a
//!   scalar v differs from the exact one by at most γ_F times the absolute values of what is added, where F bounds how
//!   often a scalar is used; since |v| ≤ its magnitude m_v, this costs at most γ_F·Σ_v Σ_j |c_j·w_jv|·m_v = γ_F·Σ_j |c_j|·(Σ_v
//!   |w_jv|·m_v), and the sum in brackets is known from the interval pass. Lines below and above functions hold for
//!   the slopes as computed, and their products with coefficients are among the terms.
//! - *Overflow.* Where anything becomes infinite or NaN, nothing is claimed: intervals become all numbers, a walk's bound
//!   −∞. A coefficient that is dropped belongs to a scalar that is 0 on the whole subdomain.
//! - *The property.* The box's exact bounds are rounded outwards, coefficients of the combination are formed exactly, and
//!   what they lose by rounding is counted.
//! - *Library functions* (`exp`, `tanh`, `cosh`; only in networks with sigmoid or tanh) are trusted to 8 units in the
//!   last place.

mod bounds;
mod error;
mod file;
mod form;
pub(crate) mod lower;
pub(crate) mod network;
pub(crate) mod prover;
mod relaxation;
mod rounding;
#[cfg(test)]
mod tests;
mod tree;
mod walk;

pub use error::{CheckError, Place};
pub use file::{MAX_PROOF_BYTES, ProofFileError, read_proof, write_proof};

use crate::proof::{CaseProof, Proof};
use bounds::{Bounds, Model, Walked};
use error::malformed;
use num_rational::BigRational;
use num_traits::Zero;
use perturb_graph::Graph;
use perturb_onnx::vnnlib::{Case, Constraint, Property, Variable};
use rayon::prelude::*;
use std::collections::BTreeMap;
use tree::{Job, Narrowing, Reader, Refutation};
use walk::{Functional, Rule, Walk};

/// What a proof that was accepted consists of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CheckSummary {
    /// Number of leaves of all trees.
    pub leaves: usize,
    /// Number of splits.
    pub splits: usize,
    /// Number of refutations.
    pub refutations: usize,
    /// The smallest lower bound of a refuting combination, as weighted in the proof; +∞ if there was nothing to refute.
    pub margin: f64,
}

/// Checks that `proof` shows that no input is a counterexample of `property`: see the module's text.
///
/// The network takes one `f32` tensor, one example, and gives one tensor. Its activations (`relu`, sigmoid, tanh) are counted in the
/// order of [`perturb_graph::topological`], those that depend on the input only.
///
/// # Errors
/// If the network has an operation that cannot be checked, the property is not about it, the proof is malformed, or a
/// refutation does not hold as far as the bounds can tell.
pub fn check(network: &Graph, property: &Property, proof: &Proof) -> Result<CheckSummary, CheckError> {
    let model = Model::new(lower::lower(network).map_err(CheckError::Network)?);
    let (inputs, outputs) = (model.network.inputs, model.network.outputs.len());
    if (property.inputs, property.outputs) != (inputs, outputs) {
        return Err(CheckError::Property {
            inputs: property.inputs,
            outputs: property.outputs,
            network_inputs: inputs,
            network_outputs: outputs,
        });
    }
    let (given, cases) = (proof.cases.len(), property.cases.len());
    if given != cases {
        return malformed(Place::Proof, format!("it has {given} cases, but the property has {cases}"));
    }
    let mut summary = CheckSummary { leaves: 0, splits: 0, refutations: 0, margin: f64::INFINITY };
    for (index, (case, proof)) in property.cases.iter().zip(&proof.cases).enumerate() {
        check_case(&model, index, case, proof, &mut summary)?;
    }
    Ok(summary)
}

/// One case of the property.
struct Context<'a> {
    model: &'a Model,
    case: &'a Case,
    proof: &'a CaseProof,
    inputs: Vec<(f64, f64)>,
    /// Bounds over the whole box, once they are needed.
    root: Option<Bounds>,
}

fn check_case(
    model: &Model,
    index: usize,
    case: &Case,
    proof: &CaseProof,
    summary: &mut CheckSummary,
) -> Result<(), CheckError> {
    form::layers(&model.network, index, proof)?;
    let covers = |conjunction: usize| proof.trees.iter().any(|t| t.covers.contains(&(conjunction as u32)));
    if let Some(conjunction) = (0..case.any_of.len()).find(|&c| !covers(c)) {
        return Err(CheckError::NotCovered { case: index, conjunction });
    }
    let inputs = case.bounds.iter().map(|(lo, hi)| (rounding::enclose(lo).0, rounding::enclose(hi).1)).collect();
    let mut context = Context { model, case, proof, inputs, root: None };
    for (tree_index, tree) in proof.trees.iter().enumerate() {
        let mut narrowed = BTreeMap::new();
        let mut reader = Reader::new(&model.network, case, &context.inputs, (index, tree_index), tree)?;
        loop {
            let jobs = reader.jobs()?;
            if jobs.is_empty() {
                break;
            }
            if context.root.is_none() && jobs.iter().any(|job| job.inputs.is_none()) {
                context.root =
                    Some(Bounds::tightened(model, &context.inputs, Some(&context.proof.layers), Walked::Open));
            }
            for job in &jobs {
                context.narrow(&reader.narrowings, job.narrowing, &mut narrowed);
            }
            let margins: Vec<Result<f64, CheckError>> =
                jobs.par_iter().map(|job| context.refute_all(job, &narrowed)).collect();
            // Only what still holds is needed again.
            let mut holds = std::collections::BTreeSet::new();
            let mut next = reader.narrowing;
            while let Some(id) = next {
                holds.insert(id);
                next = reader.narrowings[id].outer;
            }
            narrowed.retain(|id, _| holds.contains(id));
            for (job, margin) in jobs.iter().zip(margins) {
                summary.margin = summary.margin.min(margin?);
                summary.refutations += job.refutations.len();
            }
        }
        summary.leaves += reader.leaves;
        summary.splits += reader.branches;
    }
    Ok(())
}

impl Context<'_> {
    // Computes the bounds of a narrowing and of those around it, as far as they are not known.
    fn narrow(&self, all: &[Narrowing], id: Option<usize>, narrowed: &mut BTreeMap<usize, Bounds>) {
        let mut missing = Vec::new();
        let mut next = id;
        while let Some(id) = next.filter(|id| !narrowed.contains_key(id)) {
            missing.push(id);
            next = all[id].outer;
        }
        for id in missing.into_iter().rev() {
            let Some(outer) = all[id].outer.map_or(self.root.as_ref(), |outer| narrowed.get(&outer)) else { return };
            let (layers, splits) = (&self.proof.layers, &all[id].splits);
            narrowed.insert(id, Bounds::narrowed(self.model, &self.inputs, layers, outer, splits));
        }
    }

    // The smallest margin of refutations on one box. Where one does not hold, narrower bounds are tried.
    fn refute_all(&self, job: &Job<'_>, narrowed: &BTreeMap<usize, Bounds>) -> Result<f64, CheckError> {
        let known = job.narrowing.map_or(self.root.as_ref(), |id| narrowed.get(&id));
        let margins = match (&job.inputs, known) {
            (None, Some(known)) => self.margins(job, known),
            (inputs, _) => {
                let inputs = inputs.as_ref().unwrap_or(&self.inputs);
                let margins = self.margins(job, &Bounds::tightened(self.model, inputs, None, Walked::Open));
                if margins.iter().all(Result::is_ok) {
                    margins
                } else {
                    self.margins(job, &Bounds::tightened(self.model, inputs, None, Walked::Positive))
                }
            }
        };
        margins.into_iter().try_fold(f64::INFINITY, |least, margin| Ok(least.min(margin?)))
    }

    fn margins(&self, job: &Job<'_>, bounds: &Bounds) -> Vec<Result<f64, CheckError>> {
        let refute = |coefficients: &mut Vec<f64>, r: &Refutation<'_>| self.refute(r, bounds, coefficients);
        job.refutations.par_iter().map_init(Vec::new, refute).collect()
    }

    fn refute(
        &self,
        refutation: &Refutation<'_>,
        bounds: &Bounds,
        coefficients: &mut Vec<f64>,
    ) -> Result<f64, CheckError> {
        let evidence = refutation.evidence;
        let conjunction = refutation.conjunction;
        let start = combination(self.model, &self.case.any_of[conjunction], &evidence.weights);
        let rule = Rule { slopes: evidence.slopes.as_deref(), splits: &refutation.splits };
        let layers = self.model.network.layers.len();
        let bound = Walk { model: self.model, bounds, layers }.lower(&start, rule, coefficients);
        if bound > 0.0 || bounds.empty {
            return Ok(if bounds.empty { f64::INFINITY } else { bound });
        }
        Err(CheckError::NotRefuted { place: refutation.place.clone(), conjunction, bound })
    }
}

// Σ weight·(left side of the constraint).
fn combination(model: &Model, constraints: &[Constraint], weights: &[f32]) -> Functional {
    let mut terms: BTreeMap<u32, BigRational> = BTreeMap::new();
    let mut constant = BigRational::zero();
    let used = constraints.iter().zip(weights).filter(|(_, w)| **w != 0.0);
    for (constraint, weight) in used.filter_map(|(c, w)| Some((c, BigRational::from_float(*w)?))) {
        constant += &constraint.constant * &weight;
        for (variable, coefficient) in &constraint.terms {
            let scalar = match *variable {
                Variable::Input(index) => index as u32,
                Variable::Output(index) => model.network.outputs[index],
            };
            *terms.entry(scalar).or_insert_with(BigRational::zero) += coefficient * &weight;
        }
    }
    let (constant, constant_error) = rounding::nearest(&constant);
    let terms = terms.into_iter().map(|(scalar, exact)| {
        let (value, error) = rounding::nearest(&exact);
        (scalar, value, error)
    });
    Functional { terms: terms.collect(), constant, constant_error }
}

/// Intervals that hold the outputs of a network at one input.
pub(crate) fn enclosure(network: network::Network, input: &[f32]) -> Vec<(f64, f64)> {
    let model = Model::new(network);
    let inputs: Vec<(f64, f64)> = input.iter().map(|&v| (f64::from(v), f64::from(v))).collect();
    let bounds = Bounds::intervals(&model, &inputs);
    model.network.outputs.iter().map(|&o| bounds.of(o)).collect()
}
