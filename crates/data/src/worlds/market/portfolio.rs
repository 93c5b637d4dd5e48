//! Optimal portfolios (Markowitz 1952).

use crate::worlds::error::WorldError;
use faer::prelude::Solve;
use faer::{Mat, Side};

/// Solves Σ w = b for each right side.
pub(super) fn solve<const K: usize>(covariance: &[f64], right: [&[f64]; K]) -> Result<[Vec<f64>; K], WorldError> {
    let n = right[0].len();
    if n == 0 || covariance.len() != n * n || right.iter().any(|b| b.len() != n) {
        let expected = format!("{n} assets (at least one) need a covariance of {n}×{n}");
        return Err(WorldError::parameter("market", "covariance", format!("{} values", covariance.len()), expected));
    }
    let matrix = Mat::from_fn(n, n, |i, j| covariance[i * n + j]);
    let Ok(factor) = matrix.llt(Side::Lower) else {
        return Err(WorldError::parameter("market", "covariance", "singular", "it must be positive definite"));
    };
    let solution = factor.solve(Mat::from_fn(n, K, |i, k| right[k][i]));
    Ok(std::array::from_fn(|k| (0..n).map(|i| solution[(i, k)]).collect()))
}

/// Weights that maximize wᵀμ − γ/2 wᵀΣw, the rest 1 − Σw in cash: Σ⁻¹μ/γ. μ are returns beyond the riskless rate.
///
/// # Errors
/// [`WorldError::Parameter`] for sizes that do not agree, a covariance that is not positive definite, and a risk
/// aversion γ that is not positive.
pub fn mean_variance(mean: &[f64], covariance: &[f64], risk_aversion: f64) -> Result<Vec<f64>, WorldError> {
    positive(risk_aversion)?;
    let [weights] = solve(covariance, [mean])?;
    Ok(weights.into_iter().map(|w| w / risk_aversion).collect())
}

/// The same without cash, Σw = 1: the portfolio of least variance plus Σ⁻¹(μ − λ1)/γ with the λ that keeps the sum.
/// With infinite γ, the portfolio of least variance.
///
/// # Errors
/// As [`mean_variance`].
pub fn fully_invested(mean: &[f64], covariance: &[f64], risk_aversion: f64) -> Result<Vec<f64>, WorldError> {
    if risk_aversion != f64::INFINITY {
        positive(risk_aversion)?;
    }
    let ones = vec![1.0; mean.len()];
    let [towards, flat] = solve(covariance, [mean, &ones])?;
    let (sum, total): (f64, f64) = (towards.iter().sum(), flat.iter().sum());
    let weight = |(t, f): (&f64, &f64)| f / total + (t - sum / total * f) / risk_aversion;
    Ok(towards.iter().zip(&flat).map(weight).collect())
}

/// √(μᵀΣ⁻¹μ): the largest ratio of expected return to deviation that any portfolio has, per step.
///
/// # Errors
/// As [`mean_variance`].
pub fn largest_sharpe_ratio(mean: &[f64], covariance: &[f64]) -> Result<f64, WorldError> {
    let [weights] = solve(covariance, [mean])?;
    Ok(weights.iter().zip(mean).map(|(w, m)| w * m).sum::<f64>().sqrt())
}

fn positive(risk_aversion: f64) -> Result<(), WorldError> {
    if risk_aversion > 0.0 && risk_aversion.is_finite() {
        return Ok(());
    }
    Err(WorldError::parameter("market", "risk aversion", risk_aversion, "it must be positive and finite"))
}
