//! Contrast: collapse is prevented by other examples of the batch.

use super::{Objective, sizes};
use crate::{Result, SslError};
use perturb_graph::Expr;

/// NT-Xent (Chen et al. 2020, eq. 1, of SimCLR): each of the 2·batch views is an anchor that must be told by its cosine
/// to the other view of the same thing, at temperature τ, among the other 2·batch − 1. One value for each anchor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NtXent {
    /// τ.
    pub temperature: f64,
}

impl Default for NtXent {
    /// τ = 0.5, as for the paper's CIFAR-10 runs.
    fn default() -> Self {
        NtXent { temperature: 0.5 }
    }
}

impl Objective for NtXent {
    fn loss(&self, first: &Expr, second: &Expr) -> Result<Expr> {
        let (batch, _) = sizes(first, second)?;
        SslError::check(
            self.temperature > 0.0 && self.temperature.is_finite(),
            "temperature",
            self.temperature,
            "positive",
        )?;
        let z = Expr::concat(&[first.clone(), second.clone()], 0);
        // The length of a row of zeros has no derivative.
        let length = z.square().reduce_sum(&[1], true).offset(1e-12).sqrt();
        let z = z.div(&length);
        let logits = z.matmul(&z.transpose(&[1, 0])).scale(1.0 / self.temperature);
        // An anchor is not its own negative.
        let itself = Expr::arange(2 * batch).one_hot(2 * batch, logits.dtype());
        let logits = logits.sub(&itself.scale(1e9));
        let half = Expr::arange(batch);
        let partner = Expr::concat(&[half.offset(batch as f64), half], 0).one_hot(2 * batch, logits.dtype());
        Ok(logits.logsumexp(&[1], false).sub(&logits.mul(&partner).reduce_sum(&[1], false)))
    }
}
