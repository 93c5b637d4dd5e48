//! Losses over the embeddings of two views.

mod contrastive;
mod redundancy;

pub use contrastive::NtXent;
pub use redundancy::{BarlowTwins, CrossMoment, VicReg};

use crate::{Result, SslError};
use perturb_graph::Expr;

/// A loss over the embeddings of two views.
pub trait Objective {
    /// The loss of `first` and `second`, `[batch, width]` each, row `i` of both showing the same thing: a scalar, or one
    /// value for each anchor. It is a graph, so every transform applies.
    ///
    /// # Errors
    /// If the shapes do not fit, the batch has fewer than two rows, or a setting makes no sense.
    fn loss(&self, first: &Expr, second: &Expr) -> Result<Expr>;
}

/// Rows and columns of two matrices of one shape.
fn sizes(first: &Expr, second: &Expr) -> Result<(usize, usize)> {
    match first.shape()[..] {
        [batch, width] if first.shape() == second.shape() && batch >= 2 && width > 0 => Ok((batch, width)),
        _ => Err(SslError::Views { first: first.shape().to_string(), second: second.shape().to_string() }),
    }
}

/// The sum of the squares off the diagonal of a square matrix.
fn off_diagonal(matrix: &Expr) -> Expr {
    let diagonal = matrix.diagonal();
    matrix.square().sum().sub(&diagonal.square().sum())
}
