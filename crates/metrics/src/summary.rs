//! Mean, standard deviation and quantiles.

use crate::error::{MetricError, Result, check_values};

/// The arithmetic mean.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Nan`].
pub fn mean(values: &[f64]) -> Result<f64> {
    check_values("values", values)?;
    Ok(values.iter().sum::<f64>() / values.len() as f64)
}

/// The standard deviation with divisor `n − ddof` (NumPy's name): `ddof = 0` for a whole population, `ddof = 1`
/// for a sample.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Nan`]; [`MetricError::Domain`] unless there are more than `ddof` values.
pub fn standard_deviation(values: &[f64], ddof: usize) -> Result<f64> {
    let mean = mean(values)?;
    if values.len() <= ddof {
        let reason = format!("ddof = {ddof} needs more than {ddof} values, got {}", values.len());
        return Err(MetricError::Domain { what: "values", reason });
    }
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    Ok((squares / (values.len() - ddof) as f64).sqrt())
}

/// The `q`-quantile, `0 ≤ q ≤ 1`, interpolated linearly between order statistics: Hyndman & Fan 1996, type 7, the
/// default of NumPy and R. Infinite values are allowed and sort last.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Nan`]; [`MetricError::Domain`] for `q`.
pub fn quantile(values: &[f64], q: f64) -> Result<f64> {
    check_values("values", values)?;
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    quantile_of_sorted(&sorted, q)
}

/// The median: the [`quantile`] at one half.
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Nan`].
pub fn median(values: &[f64]) -> Result<f64> {
    quantile(values, 0.5)
}

/// [`quantile`] of values that are checked and sorted already.
pub(crate) fn quantile_of_sorted(sorted: &[f64], q: f64) -> Result<f64> {
    if !(0.0..=1.0).contains(&q) {
        return Err(MetricError::Domain { what: "q", reason: format!("a quantile needs 0 ≤ q ≤ 1, got {q}") });
    }
    let position = q * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let weight = position - below as f64;
    let low = sorted[below];
    // An order statistic hit exactly is returned as it is: interpolating towards ∞ with weight 0 gives NaN.
    if weight == 0.0 || low == sorted[below + 1] {
        return Ok(low);
    }
    Ok(low + weight * (sorted[below + 1] - low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn textbook_values() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(mean(&values).unwrap(), 5.0);
        assert_eq!(standard_deviation(&values, 0).unwrap(), 2.0);
        assert!((standard_deviation(&values, 1).unwrap() - (32.0f64 / 7.0).sqrt()).abs() < 1e-15);
        assert_eq!(median(&values).unwrap(), 4.5);
    }

    /// numpy 2.4: `numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], q)`.
    #[test]
    fn quantiles_of_numpy() {
        let values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        for (q, expected) in [(0.0, 1.0), (0.1, 1.0), (0.25, 1.75), (0.4, 2.8), (0.5, 3.5), (0.9, 6.9), (1.0, 9.0)] {
            assert!((quantile(&values, q).unwrap() - expected).abs() < 1e-12, "q = {q}");
        }
    }

    #[test]
    fn infinite_distances() {
        assert_eq!(median(&[1.0, f64::INFINITY, 2.0]).unwrap(), 2.0);
        assert_eq!(median(&[1.0, f64::INFINITY]).unwrap(), f64::INFINITY);
        assert_eq!(median(&[f64::INFINITY, f64::INFINITY]).unwrap(), f64::INFINITY);
    }

    #[test]
    fn refuses_what_has_no_answer() {
        assert_eq!(mean(&[]), Err(MetricError::Empty { what: "values" }));
        assert_eq!(median(&[0.0, f64::NAN]), Err(MetricError::Nan { what: "values", index: 1 }));
        assert!(matches!(quantile(&[1.0], 1.5), Err(MetricError::Domain { .. })));
        assert!(matches!(quantile(&[1.0], f64::NAN), Err(MetricError::Domain { .. })));
        assert!(matches!(standard_deviation(&[1.0], 1), Err(MetricError::Domain { .. })));
    }
}
