//! The batch of a step: tensors that are fed or computed, and that hooks replace.

use super::Step;
use crate::TrainError;
use perturb_graph::{DType, Expr, Result, Shape, substitute};
use std::collections::HashSet;

/// A tensor of the batch: fed (with the expression that is), or a function of others.
pub(super) struct Slot {
    pub name: String,
    pub placeholder: Expr,
    pub fed: Option<Expr>,
    pub value: Expr,
}

impl Step {
    /// A tensor of the batch, which [`Batches`](crate::Batches) fill under this name.
    ///
    /// # Panics
    /// If the step has one of this name.
    #[track_caller]
    pub fn input(&mut self, name: &str, shape: impl Into<Shape>, dtype: DType) -> Expr {
        let fed = Expr::input(name, shape, dtype);
        self.slot(name, Some(fed.clone()), fed)
    }

    /// A tensor of the batch that is computed from others: a placeholder with the value of an expression, without
    /// derivative. Unlike the expression, it can be replaced, and stays what it is where weights are moved.
    ///
    /// # Errors
    /// If the value cannot be rebuilt for the batch as it is.
    ///
    /// # Panics
    /// If the step has one of this name.
    #[track_caller]
    pub fn derive(&mut self, name: &str, value: &Expr) -> Result<Expr> {
        let value = self.current(value)?;
        Ok(self.slot(name, None, cut(&value)))
    }

    #[track_caller]
    fn slot(&mut self, name: &str, fed: Option<Expr>, value: Expr) -> Expr {
        assert!(self.slots.iter().all(|s| s.name != name), "the step has a tensor '{name}' already");
        let placeholder = Expr::input(name, value.shape(), value.dtype());
        self.slots.push(Slot { name: name.into(), placeholder: placeholder.clone(), fed, value });
        self.named.insert(name.into(), placeholder.clone());
        placeholder
    }

    /// Replaces a tensor of the batch by `value`, a function of the batch: what `value` sees is the batch as hooks so
    /// far have left it. It gets no derivative.
    ///
    /// # Errors
    /// If `placeholder` is none of this step, or the shape or type of `value` differs.
    pub fn replace(&mut self, placeholder: &Expr, value: &Expr) -> Result<(), TrainError> {
        let value = self.current(value)?;
        let slot = self.slots.iter_mut().find(|s| s.placeholder.id() == placeholder.id());
        let Some(slot) = slot else {
            return Err(TrainError::Setting(format!("{placeholder:?} is no tensor of the step's batch")));
        };
        if (value.shape(), value.dtype()) != (placeholder.shape(), placeholder.dtype()) {
            let message = format!("'{}' cannot be replaced by {value:?}: shape or type differ", slot.name);
            return Err(TrainError::Setting(message));
        }
        slot.value = cut(&value);
        Ok(())
    }

    /// The objective with placeholders and parameters replaced by what the pairs say, and otherwise with the batch and
    /// the weights as hooks so far have left them.
    ///
    /// # Errors
    /// If there is no objective, or a shape or type differs.
    pub fn loss_with(&self, pairs: &[(Expr, Expr)]) -> Result<Expr, TrainError> {
        Ok(self.at_current(&self.objective()?, pairs)?)
    }

    /// Any function of placeholders and parameters, such as logits, as [`Step::loss_with`] sees the objective.
    ///
    /// # Errors
    /// If a shape or type differs.
    pub fn at_current(&self, expr: &Expr, pairs: &[(Expr, Expr)]) -> Result<Expr> {
        let mut all: Vec<(Expr, Expr)> = Vec::with_capacity(pairs.len());
        for (from, to) in pairs {
            all.push((from.clone(), self.current(to)?));
        }
        let given: HashSet<u64> = pairs.iter().map(|(from, _)| from.id()).collect();
        let others = self.moved.iter().cloned().chain(self.batch()).filter(|(from, _)| !given.contains(&from.id()));
        all.extend(others);
        Ok(substitute(std::slice::from_ref(expr), &all)?.remove(0))
    }

    // An expression with the batch as it is, at the parameters themselves.
    pub(super) fn current(&self, expr: &Expr) -> Result<Expr> {
        let batch: Vec<(Expr, Expr)> = self.batch().collect();
        Ok(substitute(std::slice::from_ref(expr), &batch)?.remove(0))
    }

    fn batch(&self) -> impl Iterator<Item = (Expr, Expr)> + '_ {
        self.slots.iter().map(|s| (s.placeholder.clone(), s.value.clone()))
    }
}

fn cut(value: &Expr) -> Expr {
    if value.dtype().is_float() { value.stop_gradient() } else { value.clone() }
}
