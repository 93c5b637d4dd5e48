//! The bootstrap: intervals of any statistic by resampling.
//!
//! | function | resamples | interval |
//! |---|---|---|
//! | [`bootstrap`] | items | percentiles |
//! | [`bca`] | items | percentiles corrected for bias and skewness |
//! | [`paired_difference`] | pairs of runs | percentiles of the mean difference |
//! | [`hierarchical`] | groups, then items in each | percentiles |

mod bca;
mod hierarchical;
mod paired;

pub use bca::bca;
pub use hierarchical::hierarchical;
pub(crate) use paired::differences;
pub use paired::{PAIRED_RESAMPLES, PairedDifference, paired_difference};

use crate::error::{MetricError, Result, check_probability};
use crate::interval::Interval;
use crate::summary::quantile_of_sorted;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Percentile interval of `statistic` with approximate confidence `1 − alpha` (Efron 1979): the `alpha / 2` and
/// `1 − alpha / 2` quantiles of the statistic over `resamples` samples of `items` drawn with replacement.
///
/// Items may be anything, pairs for instance, so that a correlation can be resampled by its points. The same seed
/// gives the same interval.
///
/// # Errors
/// [`MetricError::Empty`] without items or resamples; [`MetricError::Probability`] for `alpha`;
/// [`MetricError::Nan`] with the number of the resample on which the statistic was NaN.
///
/// ```
/// let scores = [0.91, 0.87, 0.93, 0.9, 0.88];
/// let mean = |sample: &[f64]| sample.iter().sum::<f64>() / sample.len() as f64;
/// let interval = perturb_metrics::bootstrap(&scores, mean, 2000, 0.05, 1)?;
/// assert!(0.87 < interval.lower && interval.lower < 0.898 && 0.898 < interval.upper);
/// # Ok::<(), perturb_metrics::MetricError>(())
/// ```
pub fn bootstrap<T: Clone>(
    items: &[T],
    statistic: impl Fn(&[T]) -> f64,
    resamples: usize,
    alpha: f64,
    seed: u64,
) -> Result<Interval> {
    check_probability("alpha", alpha)?;
    central(&resampled(items, statistic, resamples, seed)?, alpha)
}

/// The statistic of each resample, sorted.
fn resampled<T: Clone>(items: &[T], statistic: impl Fn(&[T]) -> f64, resamples: usize, seed: u64) -> Result<Vec<f64>> {
    if items.is_empty() {
        return Err(MetricError::Empty { what: "items" });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut sample = items.to_vec();
    sorted_statistics(resamples, || {
        for slot in &mut sample {
            slot.clone_from(&items[rng.random_range(0..items.len())]);
        }
        statistic(&sample)
    })
}

/// Draws `resamples` statistics and sorts them.
fn sorted_statistics(resamples: usize, mut draw: impl FnMut() -> f64) -> Result<Vec<f64>> {
    if resamples == 0 {
        return Err(MetricError::Empty { what: "resamples" });
    }
    let mut statistics: Vec<f64> = (0..resamples).map(|_| draw()).collect();
    if let Some(index) = statistics.iter().position(|v| v.is_nan()) {
        return Err(MetricError::Nan { what: "the statistic over resamples", index });
    }
    statistics.sort_unstable_by(f64::total_cmp);
    Ok(statistics)
}

/// The `alpha / 2` and `1 − alpha / 2` quantiles.
fn central(sorted: &[f64], alpha: f64) -> Result<Interval> {
    let lower = quantile_of_sorted(sorted, alpha / 2.0)?;
    let upper = quantile_of_sorted(sorted, 1.0 - alpha / 2.0)?;
    Ok(Interval { lower, upper })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(sample: &[f64]) -> f64 {
        sample.iter().sum::<f64>() / sample.len() as f64
    }

    /// The bootstrap distribution of a mean of zeros and ones is binomial, so its quantiles are known: with n = 400
    /// and p = 1/2 they are 0.5 ± 1.96·0.025, up to the lattice 1/400 and Monte Carlo error.
    #[test]
    fn mean_of_coin_tosses() {
        let tosses: Vec<f64> = (0..400).map(|i| f64::from(i % 2)).collect();
        let interval = bootstrap(&tosses, mean, 4000, 0.05, 7).unwrap();
        assert!((interval.lower - 0.451).abs() < 0.006, "{interval:?}");
        assert!((interval.upper - 0.549).abs() < 0.006, "{interval:?}");
    }

    #[test]
    fn same_seed_same_interval() {
        let values: Vec<f64> = (0..50).map(|i| f64::from(i * i % 17)).collect();
        let run = |seed| bootstrap(&values, mean, 200, 0.1, seed).unwrap();
        assert_eq!(run(3), run(3));
        assert_ne!(run(3), run(4));
    }

    #[test]
    fn refuses_what_has_no_answer() {
        assert!(matches!(bootstrap(&[], mean, 10, 0.05, 0), Err(MetricError::Empty { what: "items" })));
        assert!(matches!(bootstrap(&[1.0], mean, 0, 0.05, 0), Err(MetricError::Empty { what: "resamples" })));
        assert!(matches!(bootstrap(&[1.0], mean, 10, 1.0, 0), Err(MetricError::Probability { .. })));
        assert!(matches!(bootstrap(&[1.0], |_| f64::NAN, 10, 0.05, 0), Err(MetricError::Nan { .. })));
    }
}
