//! Intrinsic dimension from distances to nearest neighbours.

use crate::error::{MetricError, Result};
use crate::matrix::{Matrix, check_rows};
use crate::neighbors::nearest_others;

/// TwoNN (Facco et al. 2017): the ratio μ = r₂/r₁ of the distances to the two nearest neighbours follows a Pareto law
/// with exponent D whatever the density; its maximum-likelihood estimate, without bias, is `(n − 1) / Σ ln μ`
/// (Denti et al. 2022). `discard` is the fraction of the largest ratios that is left out as by Facco et al., who use
/// 0.1, and accounted for as censored.
///
/// # Errors
/// [`MetricError::Domain`] with fewer than three rows, rows that coincide, `discard` outside [0, 1), or ratios that are
/// all one.
pub fn two_nn(x: &Matrix, discard: f64) -> Result<f64> {
    check_rows("x", x, 3)?;
    if !(0.0..1.0).contains(&discard) {
        return Err(MetricError::Domain { what: "discard", reason: format!("needs 0 ≤ discard < 1, got {discard}") });
    }
    let mut logs = Vec::with_capacity(x.rows());
    for (row, found) in nearest_others(x, 2)?.iter().enumerate() {
        check_apart(row, found[0].distance)?;
        logs.push((found[1].distance / found[0].distance).ln());
    }
    logs.sort_unstable_by(f64::total_cmp);
    let kept = ((x.rows() as f64 * (1.0 - discard)).ceil() as usize).max(2);
    let censored = (x.rows() - kept) as f64;
    // The likelihood of the kept ratios and of the others being above the largest kept one.
    let sum = logs[..kept].iter().sum::<f64>() + censored * logs[kept - 1];
    if sum == 0.0 {
        return Err(MetricError::Constant { what: "the ratio of neighbour distances" });
    }
    Ok((kept as f64 - 1.0) / sum)
}

/// The maximum-likelihood estimate at each row from its `k` nearest neighbours (Levina & Bickel 2004, eq. 8, with the
/// unbiased divisor k − 2 that they derive): `(k − 2) / Σ_{j<k} ln(T_k / T_j)`.
///
/// # Errors
/// [`MetricError::Domain`] unless `3 ≤ k <` number of rows, if rows coincide, or if all k distances of a row are equal.
pub fn local_dimensions(x: &Matrix, k: usize) -> Result<Vec<f64>> {
    inverse_dimensions(x, k)?.into_iter().map(|inverse| Ok((k - 2) as f64 / ((k - 1) as f64 * inverse))).collect()
}

/// The mean of [`local_dimensions`] (Levina & Bickel 2004).
///
/// # Errors
/// As [`local_dimensions`].
pub fn levina_bickel(x: &Matrix, k: usize) -> Result<f64> {
    Ok(local_dimensions(x, k)?.iter().sum::<f64>() / x.rows() as f64)
}

/// The inverse of the mean inverse `Σ_{j<k} ln(T_k / T_j) / (k − 1)` (MacKay & Ghahramani 2005): the maximum-likelihood
/// estimate for all rows together, which few rows with few effective neighbours do not distort.
///
/// # Errors
/// As [`local_dimensions`].
pub fn mackay_ghahramani(x: &Matrix, k: usize) -> Result<f64> {
    Ok(x.rows() as f64 / inverse_dimensions(x, k)?.iter().sum::<f64>())
}

/// `Σ_{j<k} ln(T_k / T_j) / (k − 1)` of each row.
fn inverse_dimensions(x: &Matrix, k: usize) -> Result<Vec<f64>> {
    if k < 3 {
        return Err(MetricError::Domain { what: "k", reason: format!("needs at least 3 neighbours, got {k}") });
    }
    let inverse = |(row, found): (usize, &Vec<crate::neighbors::Neighbor>)| {
        check_apart(row, found[0].distance)?;
        let farthest = found[k - 1].distance;
        let sum: f64 = found[..k - 1].iter().map(|n| (farthest / n.distance).ln()).sum();
        if sum == 0.0 {
            return Err(MetricError::Constant { what: "the distance to the nearest neighbours of a row" });
        }
        Ok(sum / (k - 1) as f64)
    };
    nearest_others(x, k)?.iter().enumerate().map(inverse).collect()
}

fn check_apart(row: usize, distance: f64) -> Result<()> {
    if distance > 0.0 {
        return Ok(());
    }
    Err(MetricError::Domain { what: "x", reason: format!("row {row} occurs more than once; remove duplicates") })
}
