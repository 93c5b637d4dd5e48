//! Alignment and uniformity on the sphere.

use crate::distance::{squared_distance, sum_over_pairs};
use crate::error::{MetricError, Result, check_lengths};
use crate::matrix::{Matrix, check_columns, check_rows};

/// Mean of `‖x_i − y_i‖^alpha` over positive pairs, rows of length one (Wang & Isola 2020; α = 2 there). Lower is more
/// aligned.
///
/// # Errors
/// [`MetricError::Length`]; [`MetricError::Domain`] for rows that are not of length one or α ≤ 0.
pub fn alignment(x: &Matrix, y: &Matrix, alpha: f64) -> Result<f64> {
    check_columns("columns of x and y", x, y)?;
    check_lengths("rows of x and y", x.rows(), y.rows())?;
    check_positive("alpha", alpha)?;
    check_unit_rows("x", x)?;
    check_unit_rows("y", y)?;
    let sum: f64 = x.iter().zip(y.iter()).map(|(a, b)| squared_distance(a, b).powf(0.5 * alpha)).sum();
    Ok(sum / x.rows() as f64)
}

/// `ln E exp(−t‖x_i − x_j‖²)` over different rows of length one (Wang & Isola 2020; t = 2 there): 0 if all coincide,
/// lower for a more even spread.
///
/// # Errors
/// [`MetricError::Domain`] with fewer than two rows, rows that are not of length one, or t ≤ 0.
pub fn uniformity(x: &Matrix, t: f64) -> Result<f64> {
    check_rows("x", x, 2)?;
    check_positive("t", t)?;
    check_unit_rows("x", x)?;
    let n = x.rows() as f64;
    let sum = sum_over_pairs(x, x, |a, b| (-t * squared_distance(a, b)).exp()) - n;
    Ok((sum / (n * (n - 1.0))).ln())
}

fn check_positive(what: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(MetricError::Domain { what, reason: format!("must be positive and finite, got {value}") })
}

fn check_unit_rows(what: &'static str, x: &Matrix) -> Result<()> {
    // Rows normalised in single precision are off by about 1e-7.
    match x.iter().position(|row| (row.iter().map(|v| v * v).sum::<f64>() - 1.0).abs() > 1e-3) {
        None => Ok(()),
        Some(row) => Err(MetricError::Domain { what, reason: format!("row {row} has not length one; normalise rows") }),
    }
}
