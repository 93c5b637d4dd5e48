//! What one step of a loop computes.

use crate::{DType, Expr, GraphError, Op, Result, dependents, topological};
use std::collections::HashSet;

/// One step of a [`Scan`](crate::Scan): a graph of its own, whose inputs are placeholders.
///
/// The body is closed: every input that it reaches is one of its placeholders, and weights come in as `captured`, so
/// that derivatives, batches and bounds of all that a loop depends on go through the operands of its node.
#[derive(Clone)]
#[non_exhaustive]
pub struct Body {
    /// Placeholders of the carried state.
    pub carry: Vec<Expr>,
    /// Placeholders of one row of each stack that the loop reads.
    pub slices: Vec<Expr>,
    /// Placeholders of what is the same in every step.
    pub captured: Vec<Expr>,
    /// The carried state after the step; `next[i]` has the shape of `carry[i]`.
    pub next: Vec<Expr>,
    /// What the step writes: one row of each stacked output.
    pub outputs: Vec<Expr>,
}

impl Body {
    /// A step. State and outputs are of one floating-point type; slices and captured values may be of any type.
    ///
    /// # Errors
    /// If there is neither state nor output, a placeholder is no input or listed twice, a next state does not have its
    /// state's shape, types differ, or the step reaches an input or parameter that is not among the placeholders.
    pub fn new(
        carry: Vec<Expr>,
        slices: Vec<Expr>,
        captured: Vec<Expr>,
        next: Vec<Expr>,
        outputs: Vec<Expr>,
    ) -> Result<Body> {
        let body = Body { carry, slices, captured, next, outputs };
        body.check_state()?;
        body.check_closed()?;
        Ok(body)
    }

    /// State, slices and captured placeholders, in the order of the operands of the node.
    pub fn placeholders(&self) -> Vec<Expr> {
        self.carry.iter().chain(&self.slices).chain(&self.captured).cloned().collect()
    }

    /// Next state and outputs, in the order of the node's result.
    pub fn results(&self) -> Vec<Expr> {
        self.next.iter().chain(&self.outputs).cloned().collect()
    }

    /// Element type of the state, the outputs and the node.
    pub fn dtype(&self) -> DType {
        self.next.first().or(self.outputs.first()).map_or(DType::F32, Expr::dtype)
    }

    /// `operands` (or anything in their order) as state, slices and captured.
    pub fn split<'a, T>(&self, operands: &'a [T]) -> (&'a [T], &'a [T], &'a [T]) {
        let (carry, rest) = operands.split_at(self.carry.len());
        let (slices, captured) = rest.split_at(self.slices.len());
        (carry, slices, captured)
    }

    fn check_state(&self) -> Result<()> {
        let results = self.results();
        let Some(first) = results.first() else { return refuse("needs a carried state or an output", &results) };
        let state: Vec<Expr> = self.carry.iter().chain(&results).cloned().collect();
        if !first.dtype().is_float() || state.iter().any(|e| e.dtype() != first.dtype()) {
            let reason = "state and outputs must be of one floating-point type (cast others)".to_string();
            let dtypes = state.iter().map(Expr::dtype).collect();
            return Err(GraphError::DType { op: "scan".into(), reason, dtypes });
        }
        if self.carry.len() != self.next.len() {
            let reason = format!("{} state(s) are carried, {} returned", self.carry.len(), self.next.len());
            return refuse(reason, &state);
        }
        match self.carry.iter().zip(&self.next).find(|(c, n)| c.shape() != n.shape()) {
            Some((c, n)) => refuse("a next state must have its state's shape", &[c.clone(), n.clone()]),
            None => Ok(()),
        }
    }

    fn check_closed(&self) -> Result<()> {
        let placeholders = self.placeholders();
        let ids: HashSet<u64> = placeholders.iter().map(Expr::id).collect();
        if ids.len() != placeholders.len() || placeholders.iter().any(|p| !matches!(p.op(), Op::Input { .. })) {
            return refuse("placeholders must be distinct inputs", &placeholders);
        }
        let free = |n: &Expr| matches!(n.op(), Op::Input { .. } | Op::Param { .. }) && !ids.contains(&n.id());
        match topological(&self.results()).into_iter().find(free) {
            Some(stray) => {
                let reason = format!("'{}' must be captured: it is no placeholder", stray.name().unwrap_or("input"));
                refuse(reason, &[stray])
            }
            None => Ok(()),
        }
    }

    /// The placeholders in `varying` and the states that come to depend on them over the steps.
    pub(super) fn spread(&self, varying: &[bool]) -> Vec<bool> {
        let placeholders = self.placeholders();
        let mut mask = varying.to_vec();
        loop {
            let sources = chosen(&placeholders, &mask);
            let depends = dependents(&self.next, &sources);
            let reached: Vec<usize> =
                (0..self.next.len()).filter(|&i| !mask[i] && depends.contains(&self.next[i].id())).collect();
            if reached.is_empty() {
                return mask;
            }
            reached.into_iter().for_each(|i| mask[i] = true);
        }
    }

    /// The placeholders that `roots` need.
    pub(super) fn used(&self, roots: &[Expr]) -> Vec<bool> {
        let reached: HashSet<u64> = topological(roots).iter().map(Expr::id).collect();
        self.placeholders().iter().map(|p| reached.contains(&p.id())).collect()
    }
}

/// The elements of `all` where `mask` holds.
pub(super) fn chosen(all: &[Expr], mask: &[bool]) -> Vec<Expr> {
    all.iter().zip(mask).filter(|(_, m)| **m).map(|(e, _)| e.clone()).collect()
}

fn refuse<T>(reason: impl Into<String>, of: &[Expr]) -> Result<T> {
    crate::op::shape_error("scan", reason, of)
}
