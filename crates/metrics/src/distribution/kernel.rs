//! Maximum mean discrepancy.

use crate::distance::{dot, pairwise, squared_distance, sum_over_pairs};
use crate::error::{MetricError, Result};
use crate::matrix::{Matrix, check_columns, check_rows};
use crate::summary::quantile_of_sorted;

/// A positive definite kernel of two rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kernel {
    /// `⟨x, y⟩`.
    Linear,
    /// `(⟨x, y⟩/d + 1)³` with d columns, the kernel of the KID.
    Cubic,
    /// `exp(−‖x − y‖² / (2·bandwidth²))`.
    Rbf {
        /// Standard deviation of the bump, positive; see [`median_bandwidth`].
        bandwidth: f64,
    },
}

impl Kernel {
    pub(crate) fn of(self, x: &[f64], y: &[f64]) -> f64 {
        match self {
            Kernel::Linear => dot(x, y),
            Kernel::Cubic => (dot(x, y) / x.len() as f64 + 1.0).powi(3),
            Kernel::Rbf { bandwidth } => (-0.5 * squared_distance(x, y) / (bandwidth * bandwidth)).exp(),
        }
    }
}

/// The median of the distances between different rows, the usual bandwidth of an RBF kernel (Gretton et al. 2012, §8).
/// Take it from the real sample, so that the same yardstick serves all models.
///
/// # Errors
/// [`MetricError::Domain`] with fewer than two rows, or if more than half of the pairs coincide.
pub fn median_bandwidth(x: &Matrix) -> Result<f64> {
    check_rows("sample", x, 2)?;
    let table = pairwise(x, x, squared_distance);
    let above_diagonal = |i: usize| table[i * x.rows() + i + 1..(i + 1) * x.rows()].iter().map(|d| d.sqrt());
    let mut distances: Vec<f64> = (0..x.rows()).flat_map(above_diagonal).collect();
    distances.sort_unstable_by(f64::total_cmp);
    let median = quantile_of_sorted(&distances, 0.5)?;
    if median == 0.0 {
        let reason = "more than half of the pairs of rows coincide, so their median distance is zero".to_string();
        return Err(MetricError::Domain { what: "sample", reason });
    }
    Ok(median)
}

/// The unbiased estimate of the squared maximum mean discrepancy (Gretton et al. 2012, eq. 3), a U-statistic: below
/// zero about half of the time if both samples come from one distribution.
///
/// # Errors
/// [`MetricError::Length`] for different numbers of columns; [`MetricError::Domain`] with fewer than two rows in either
/// or a bandwidth that is not positive.
pub fn squared_mmd(x: &Matrix, y: &Matrix, kernel: Kernel) -> Result<f64> {
    check_columns("columns of x and y", x, y)?;
    check_rows("x", x, 2)?;
    check_rows("y", y, 2)?;
    check_kernel(kernel)?;
    let within = |z: &Matrix| {
        let diagonal: f64 = z.iter().map(|row| kernel.of(row, row)).sum();
        let n = z.rows() as f64;
        (sum_over_pairs(z, z, |a, b| kernel.of(a, b)) - diagonal) / (n * (n - 1.0))
    };
    let between = sum_over_pairs(x, y, |a, b| kernel.of(a, b)) / (x.rows() as f64 * y.rows() as f64);
    Ok(within(x) + within(y) - 2.0 * between)
}

/// Kernel inception distance (Bińkowski et al. 2018): [`squared_mmd`] with the cubic kernel, over features of any
/// network and the whole samples.
///
/// # Errors
/// As [`squared_mmd`].
pub fn kid(real: &Matrix, generated: &Matrix) -> Result<f64> {
    squared_mmd(real, generated, Kernel::Cubic)
}

pub(crate) fn check_kernel(kernel: Kernel) -> Result<()> {
    match kernel {
        Kernel::Rbf { bandwidth } if !(bandwidth > 0.0 && bandwidth.is_finite()) => {
            let reason = format!("must be positive and finite, got {bandwidth}");
            Err(MetricError::Domain { what: "bandwidth", reason })
        }
        _ => Ok(()),
    }
}
