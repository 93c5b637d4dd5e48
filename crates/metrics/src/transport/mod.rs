//! Optimal transport: Wasserstein distances, exact and regularised.
//!
//! | function | for | exact |
//! |---|---|---|
//! | [`wasserstein_line`] | samples on a line | yes, by sorting |
//! | [`wasserstein`] | samples of points | yes, by assignment or [`transport`] |
//! | [`wasserstein_gaussian`] | Gaussians | yes, in closed form |
//! | [`assignment`] | a cost matrix, one to one | yes, with dual potentials |
//! | [`transport`] | a cost matrix with weights | yes, with a lower bound from its dual |
//! | [`Sinkhorn`] | large cost matrices | lower and upper bound of the exact cost |
//! | [`sinkhorn_divergence`] | large samples | no: debiased, zero only for equal samples |
//! | [`sliced_wasserstein`] | large samples | no: a mean over random lines |

mod assignment;
mod line;
mod points;
mod sinkhorn;
mod weighted;

pub use assignment::{Assignment, assignment};
pub use line::{Order, sliced_wasserstein, wasserstein_line};
pub use points::{wasserstein, wasserstein_gaussian};
pub use sinkhorn::{Sinkhorn, SinkhornPlan, sinkhorn_divergence};
pub use weighted::{Transport, transport};

use crate::error::{MetricError, Result, check_lengths};
use crate::matrix::Matrix;

/// Weights divided by their sum; fails unless there is one finite weight, not negative, per item and some is positive.
fn normalised(what: &'static str, weights: &[f64], items: usize) -> Result<Vec<f64>> {
    check_lengths(what, weights.len(), items)?;
    let total: f64 = weights.iter().sum();
    if weights.iter().any(|w| w.is_nan() || *w < 0.0) || !(total > 0.0 && total.is_finite()) {
        let reason = "must be finite, not negative, and not all zero".to_string();
        return Err(MetricError::Domain { what, reason });
    }
    Ok(weights.iter().map(|w| w / total).collect())
}

/// `Σ weights·potentials`, the dual value that goes with potentials `f[i] + g[j] ≤ cost[i, j]`, where `g` is raised as
/// far as `f` allows so that it is feasible whatever rounding did: a valid lower bound of the transport cost.
fn dual_value(cost: &Matrix, f: &[f64], row_weights: &[f64], column_weights: &[f64]) -> f64 {
    let mut g = vec![f64::INFINITY; cost.columns()];
    for (row, potential) in cost.iter().zip(f) {
        g.iter_mut().zip(row).for_each(|(g, c)| *g = g.min(c - potential));
    }
    let sum = |weights: &[f64], values: &[f64]| weights.iter().zip(values).map(|(w, v)| w * v).sum::<f64>();
    sum(row_weights, f) + sum(column_weights, &g)
}
