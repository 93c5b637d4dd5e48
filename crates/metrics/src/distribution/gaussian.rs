//! The Fréchet distance.

use crate::error::{MetricError, Result, check_lengths};
use crate::linear_algebra::{covariance, square_root, trace, trace_of_square_root};
use crate::matrix::{Matrix, check_rows};
use faer::{Mat, MatRef};

/// A Gaussian, by its moments.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    mean: Vec<f64>,
    covariance: Mat<f64>,
}

impl Gaussian {
    /// The mean and the unbiased covariance of the rows.
    ///
    /// # Errors
    /// [`MetricError::Domain`] with fewer than two rows.
    pub fn fit(x: &Matrix) -> Result<Gaussian> {
        check_rows("sample", x, 2)?;
        Ok(Gaussian { mean: x.column_means(), covariance: covariance(x) })
    }

    /// The Gaussian with these moments; of `covariance` the symmetric part counts.
    ///
    /// # Errors
    /// [`MetricError::Length`] if the covariance is not square of the mean's dimension.
    pub fn new(mean: &[f64], covariance: &Matrix) -> Result<Gaussian> {
        check_lengths("mean and columns of the covariance", mean.len(), covariance.columns())?;
        check_lengths("rows and columns of the covariance", covariance.rows(), covariance.columns())?;
        let entry = |i: usize, j: usize| 0.5 * (covariance.row(i)[j] + covariance.row(j)[i]);
        let covariance = Mat::from_fn(mean.len(), mean.len(), entry);
        match mean.iter().position(|v| !v.is_finite()) {
            Some(index) => Err(MetricError::Domain { what: "mean", reason: format!("not finite at index {index}") }),
            None => Ok(Gaussian { mean: mean.to_vec(), covariance }),
        }
    }

    /// The mean.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The covariance.
    pub fn covariance(&self) -> MatRef<'_, f64> {
        self.covariance.as_ref()
    }
}

/// The squared 2-Wasserstein distance of two Gaussians,
/// `‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁^½ Σ₂ Σ₁^½)^½)` (Dowson & Landau 1982; Heusel et al. 2017, where it is the FID).
///
/// Everything stays symmetric, so that no complex root can arise; eigenvalues below zero are rounding and clipped, and
/// so is the result.
///
/// # Errors
/// [`MetricError::Length`] for different dimensions; [`MetricError::Domain`] if an eigenvalue iteration fails.
pub fn frechet_distance(a: &Gaussian, b: &Gaussian) -> Result<f64> {
    check_lengths("dimensions of a and b", a.mean.len(), b.mean.len())?;
    let root = square_root("covariance", a.covariance())?;
    let overlap = trace_of_square_root("covariance", &(&root * &b.covariance * &root))?;
    let shift: f64 = a.mean.iter().zip(&b.mean).map(|(x, y)| (x - y) * (x - y)).sum();
    Ok((shift + trace(a.covariance()) + trace(b.covariance()) - 2.0 * overlap).max(0.0))
}
