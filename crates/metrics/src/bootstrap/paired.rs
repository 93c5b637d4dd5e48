//! The paired difference of two methods over the same runs.

use super::{bootstrap, check_probability};
use crate::error::{MetricError, Result, check_lengths, check_values};
use crate::interval::Interval;

/// Resamples with which the reproductions compute their intervals.
pub const PAIRED_RESAMPLES: usize = 10_000;

/// The mean of `a − b` over paired runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedDifference {
    /// The mean difference.
    pub mean: f64,
    /// Its percentile interval over resampled pairs.
    pub interval: Interval,
    /// Number of pairs.
    pub pairs: usize,
}

impl PairedDifference {
    /// The rule `Δ(a − b) ≥ threshold`: the mean difference reaches the threshold and the interval lies above zero.
    pub fn at_least(&self, threshold: f64) -> bool {
        self.mean >= threshold && self.interval.lower > 0.0
    }
}

/// The mean difference `a − b` over paired runs, with the percentile interval of confidence `1 − alpha` over
/// [`PAIRED_RESAMPLES`] resamples of the pairs.
///
/// # Errors
/// [`MetricError::Length`], [`MetricError::Empty`], [`MetricError::Nan`]; [`MetricError::Domain`] with one pair only,
/// whose interval would be a point, or for infinite values.
pub fn paired_difference(a: &[f64], b: &[f64], alpha: f64, seed: u64) -> Result<PairedDifference> {
    check_probability("alpha", alpha)?;
    let differences = differences(a, b)?;
    if differences.len() < 2 {
        return Err(MetricError::Domain { what: "a and b", reason: "an interval needs at least two pairs".into() });
    }
    let mean = |sample: &[f64]| sample.iter().sum::<f64>() / sample.len() as f64;
    let interval = bootstrap(&differences, mean, PAIRED_RESAMPLES, alpha, seed)?;
    Ok(PairedDifference { mean: mean(&differences), interval, pairs: differences.len() })
}

/// `a − b`, checked to be finite.
pub(crate) fn differences(a: &[f64], b: &[f64]) -> Result<Vec<f64>> {
    check_lengths("a and b", a.len(), b.len())?;
    check_values("a", a)?;
    check_values("b", b)?;
    match a.iter().zip(b).position(|(a, b)| !(a.is_finite() && b.is_finite())) {
        Some(index) => Err(MetricError::Domain { what: "a and b", reason: format!("infinite at index {index}") }),
        None => Ok(a.iter().zip(b).map(|(a, b)| a - b).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two pairs: the resampled mean is d₁, (d₁ + d₂)/2 or d₂ with probabilities 1/4, 1/2, 1/4, so the 95 % interval is
    /// the range; with alpha = 0.6 both ends are the middle.
    #[test]
    fn enumerated_for_two_pairs() {
        let found = paired_difference(&[3.0, 5.0], &[2.0, 1.0], 0.05, 1).unwrap();
        assert_eq!((found.mean, found.pairs), (2.5, 2));
        assert_eq!(found.interval, Interval { lower: 1.0, upper: 4.0 });
        let narrow = paired_difference(&[3.0, 5.0], &[2.0, 1.0], 0.6, 1).unwrap();
        assert_eq!(narrow.interval, Interval { lower: 2.5, upper: 2.5 });
    }

    #[test]
    fn the_rule_needs_size_and_certainty() {
        let sure = paired_difference(&[3.0, 5.0], &[2.0, 1.0], 0.05, 1).unwrap();
        assert!(sure.at_least(2.5) && !sure.at_least(2.6));
        let unsure = paired_difference(&[9.0, 1.0], &[1.0, 2.0], 0.05, 1).unwrap();
        assert!(unsure.mean > 3.0 && !unsure.at_least(1.0));
    }

    #[test]
    fn refuses_what_has_no_answer() {
        assert!(matches!(paired_difference(&[1.0], &[0.0], 0.05, 0), Err(MetricError::Domain { .. })));
        assert!(matches!(paired_difference(&[1.0], &[], 0.05, 0), Err(MetricError::Length { .. })));
        assert!(matches!(
            paired_difference(&[1.0, f64::INFINITY], &[0.0; 2], 0.05, 0),
            Err(MetricError::Domain { .. })
        ));
    }
}
