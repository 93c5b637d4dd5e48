//! The bias-corrected and accelerated bootstrap.

use super::resampled;
use crate::error::{MetricError, Result, check_probability};
use crate::interval::Interval;
use crate::normal;
use crate::summary::quantile_of_sorted;

/// BCa interval of `statistic` with approximate confidence `1 − alpha` (Efron 1987): percentiles moved by the median
/// bias of the resamples and by the skewness that the jackknife shows, which makes it second-order accurate.
///
/// # Errors
/// As [`bootstrap`](super::bootstrap); [`MetricError::Domain`] with fewer than two items; [`MetricError::Constant`] if
/// the statistic is the same without any one item, or if all resamples lie on one side of it.
pub fn bca<T: Clone>(
    items: &[T],
    statistic: impl Fn(&[T]) -> f64,
    resamples: usize,
    alpha: f64,
    seed: u64,
) -> Result<Interval> {
    check_probability("alpha", alpha)?;
    let statistics = resampled(items, &statistic, resamples, seed)?;
    if items.len() < 2 {
        return Err(MetricError::Domain { what: "items", reason: "needs at least two items".to_string() });
    }
    let acceleration = acceleration(items, &statistic)?;
    // Resamples that equal the statistic count half, as for discrete data.
    let value = statistic(items);
    let below = statistics.partition_point(|&v| v < value);
    let up_to = statistics.partition_point(|&v| v <= value);
    let share = (below + up_to) as f64 / (2 * resamples) as f64;
    if share <= 0.0 || share >= 1.0 {
        return Err(MetricError::Constant { what: "the side of the statistic on which resamples lie" });
    }
    let bias = normal::inverse_cdf(share)?;
    let level = |z: f64| normal::cdf(bias + (bias + z) / (1.0 - acceleration * (bias + z)));
    let z = normal::inverse_cdf(alpha / 2.0)?;
    let lower = quantile_of_sorted(&statistics, level(z))?;
    let upper = quantile_of_sorted(&statistics, level(-z))?;
    Ok(Interval { lower, upper })
}

/// `Σ d³ / (6·(Σ d²)^{3/2})` of the deviations d of the jackknife values from their mean, downward.
fn acceleration<T: Clone>(items: &[T], statistic: impl Fn(&[T]) -> f64) -> Result<f64> {
    let mut rest = items[1..].to_vec();
    let mut values = Vec::with_capacity(items.len());
    for index in 0..items.len() {
        values.push(statistic(&rest));
        if index < rest.len() {
            rest[index].clone_from(&items[index]);
        }
    }
    if let Some(index) = values.iter().position(|v| v.is_nan()) {
        return Err(MetricError::Nan { what: "the statistic without one item", index });
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let moment = |power| values.iter().map(|v| f64::powi(mean - v, power)).sum::<f64>();
    let squares = moment(2);
    if squares == 0.0 {
        return Err(MetricError::Constant { what: "the statistic" });
    }
    Ok(moment(3) / (6.0 * squares.powf(1.5)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::bootstrap;

    fn mean(sample: &[f64]) -> f64 {
        sample.iter().sum::<f64>() / sample.len() as f64
    }

    /// For the mean the acceleration is the sample's skewness over 6√n.
    #[test]
    fn acceleration_of_the_mean() {
        let values = [0.1, 0.4, 0.2, 3.0, 1.1, 0.3, 0.9];
        let (n, m) = (values.len() as f64, mean(&values));
        let moment = |p| values.iter().map(|v| f64::powi(v - m, p)).sum::<f64>() / n;
        let expected = moment(3) / moment(2).powf(1.5) / (6.0 * n.sqrt());
        assert!((acceleration(&values, mean).unwrap() - expected).abs() < 1e-14);
    }

    /// The textbook example (Efron & Tibshirani 1993, table 14.2): variance of the spatial test data A, plug-in estimate
    /// 171.5; BCa 90 % interval (115.8, 259.6), percentile interval (100.8, 233.9), each with 2000 resamples.
    #[test]
    fn spatial_test_data() {
        let a = [
            48.0, 36.0, 20.0, 29.0, 42.0, 42.0, 20.0, 42.0, 22.0, 41.0, 45.0, 14.0, 6.0, 0.0, 33.0, 28.0, 34.0, 4.0,
            32.0, 24.0, 47.0, 41.0, 24.0, 26.0, 30.0, 41.0,
        ];
        let variance = |s: &[f64]| s.iter().map(|v| (v - mean(s)).powi(2)).sum::<f64>() / s.len() as f64;
        assert!((variance(&a) - 171.5).abs() < 0.05);
        let interval = bca(&a, variance, 20_000, 0.1, 5).unwrap();
        assert!((interval.lower - 115.8).abs() < 4.0 && (interval.upper - 259.6).abs() < 6.0, "{interval:?}");
        let interval = bootstrap(&a, variance, 20_000, 0.1, 5).unwrap();
        assert!((interval.lower - 100.8).abs() < 4.0 && (interval.upper - 233.9).abs() < 4.0, "{interval:?}");
    }

    #[test]
    fn refuses_what_has_no_answer() {
        assert!(matches!(bca(&[1.0], mean, 10, 0.05, 0), Err(MetricError::Domain { .. })));
        assert!(matches!(bca(&[1.0, 1.0], mean, 10, 0.05, 0), Err(MetricError::Constant { .. })));
        assert!(matches!(bca(&[], mean, 10, 0.05, 0), Err(MetricError::Empty { .. })));
    }
}
