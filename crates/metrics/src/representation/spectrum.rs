//! How many directions a representation uses.

use crate::error::{MetricError, Result};
use crate::linear_algebra::{singular_values, view};
use crate::matrix::Matrix;

/// The exponential of the entropy of the normalised singular values (Roy & Vetterli 2007), from 1 to the smaller side.
/// Of embeddings, not centred, this is RankMe (Garrido et al. 2023).
///
/// # Errors
/// [`MetricError::Constant`] for a matrix of zeros; [`MetricError::Domain`] if the decomposition fails.
pub fn effective_rank(x: &Matrix) -> Result<f64> {
    let values = singular_values("x", view(x))?;
    let total: f64 = values.iter().sum();
    if total == 0.0 {
        return Err(MetricError::Constant { what: "x" });
    }
    let shares = values.iter().map(|v| v / total).filter(|p| *p > 0.0);
    Ok(shares.map(|p| -p * p.ln()).sum::<f64>().exp())
}

/// `(Σλ)² / Σλ²` of the eigenvalues λ of the covariance: the number of directions if all were equally strong.
///
/// # Errors
/// [`MetricError::Constant`] if no column varies; [`MetricError::Domain`] if the decomposition fails.
pub fn participation_ratio(x: &Matrix) -> Result<f64> {
    let values = singular_values("x", view(&x.centred()))?;
    let squares: Vec<f64> = values.iter().map(|v| v * v).collect();
    let total: f64 = squares.iter().sum();
    if total == 0.0 {
        return Err(MetricError::Constant { what: "x" });
    }
    Ok(total * total / squares.iter().map(|v| v * v).sum::<f64>())
}
