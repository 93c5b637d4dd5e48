//! Lasso by coordinate descent.

use super::linear::{LinearMap, check_penalty};
use crate::distance::dot;
use crate::error::{MetricError, Result, check_lengths};
use crate::matrix::Matrix;

const MAX_SWEEPS: usize = 10_000;

/// The affine map that minimises `‖X·Wᵀ + b − Y‖² / (2n) + alpha·Σ|W|` (Tibshirani 1996), one output at a time by
/// cyclic coordinate descent until its duality gap is below 1e-8 of the variance of the target. That is
/// scikit-learn's `Lasso(alpha)`.
///
/// # Errors
/// [`MetricError::Length`]; [`MetricError::Domain`] unless `alpha` is positive, or if 10,000 sweeps do not suffice.
pub fn lasso(x: &Matrix, y: &Matrix, alpha: f64) -> Result<LinearMap> {
    check_lengths("rows of x and y", x.rows(), y.rows())?;
    check_penalty("alpha", alpha)?;
    if alpha == 0.0 {
        return Err(MetricError::Domain { what: "alpha", reason: "must be positive; use ridge without it".into() });
    }
    let centred = x.centred();
    let columns: Vec<Vec<f64>> = (0..x.columns()).map(|j| centred.column(j)).collect();
    let (x_means, y_means) = (x.column_means(), y.column_means());
    let (mut weights, mut bias) = (Vec::new(), Vec::new());
    for (output, mean) in y_means.iter().enumerate() {
        let target: Vec<f64> = y.column(output).iter().map(|v| v - mean).collect();
        let found = descend(&columns, target, alpha)?;
        bias.push(mean - dot(&found, &x_means));
        weights.extend(found);
    }
    Ok(LinearMap { weights, bias })
}

/// The coefficients for one centred target.
fn descend(columns: &[Vec<f64>], target: Vec<f64>, alpha: f64) -> Result<Vec<f64>> {
    let threshold = alpha * target.len() as f64;
    let squares: Vec<f64> = columns.iter().map(|c| dot(c, c)).collect();
    let mut weights = vec![0.0; columns.len()];
    let mut residual = target.clone();
    for _ in 0..MAX_SWEEPS {
        for ((column, &square), weight) in columns.iter().zip(&squares).zip(&mut weights) {
            if square == 0.0 {
                continue;
            }
            let correlation = dot(column, &residual) + square * *weight;
            let new = correlation.signum() * (correlation.abs() - threshold).max(0.0) / square;
            if new != *weight {
                let change = *weight - new;
                residual.iter_mut().zip(column).for_each(|(r, c)| *r += change * c);
                *weight = new;
            }
        }
        if duality_gap(columns, &target, &residual, &weights, threshold) <= 1e-8 * dot(&target, &target) {
            return Ok(weights);
        }
    }
    let reason = format!("no convergence in {MAX_SWEEPS} sweeps; standardise the columns of x or raise alpha");
    Err(MetricError::Domain { what: "lasso", reason })
}

/// The gap between `‖r‖²/2 + threshold·‖w‖₁` and its dual at the scaled residual (Kim et al. 2007, §III).
fn duality_gap(columns: &[Vec<f64>], target: &[f64], residual: &[f64], weights: &[f64], threshold: f64) -> f64 {
    let largest = columns.iter().map(|c| dot(c, residual).abs()).fold(0.0, f64::max);
    let scale = if largest > threshold { threshold / largest } else { 1.0 };
    let squared = dot(residual, residual);
    let primal = 0.5 * squared + threshold * weights.iter().map(|w| w.abs()).sum::<f64>();
    let dual = scale * dot(residual, target) - 0.5 * scale * scale * squared;
    primal - dual
}
