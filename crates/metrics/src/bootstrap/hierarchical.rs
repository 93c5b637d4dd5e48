//! The bootstrap over groups of items.

use super::{central, check_probability, sorted_statistics};
use crate::error::{MetricError, Result};
use crate::interval::Interval;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Percentile interval over resamples of groups (seeds, say) and, inside each drawn group, of its items (test samples):
/// the uncertainty of both levels, where pooling all items would take those of one run for independent.
///
/// `statistic` sees the drawn groups.
///
/// # Errors
/// [`MetricError::Probability`]; [`MetricError::Empty`] without groups or resamples or with an empty group;
/// [`MetricError::Nan`] with the number of the resample on which the statistic was NaN.
pub fn hierarchical<T: Clone>(
    groups: &[Vec<T>],
    statistic: impl Fn(&[Vec<T>]) -> f64,
    resamples: usize,
    alpha: f64,
    seed: u64,
) -> Result<Interval> {
    check_probability("alpha", alpha)?;
    if groups.is_empty() || groups.iter().any(Vec::is_empty) {
        return Err(MetricError::Empty { what: "a group" });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let statistics = sorted_statistics(resamples, || {
        let drawn: Vec<Vec<T>> = (0..groups.len())
            .map(|_| {
                let group = &groups[rng.random_range(0..groups.len())];
                (0..group.len()).map(|_| group[rng.random_range(0..group.len())].clone()).collect()
            })
            .collect();
        statistic(&drawn)
    })?;
    central(&statistics, alpha)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::bootstrap;

    fn mean_of_means(groups: &[Vec<f64>]) -> f64 {
        let mean = |g: &Vec<f64>| g.iter().sum::<f64>() / g.len() as f64;
        groups.iter().map(mean).sum::<f64>() / groups.len() as f64
    }

    /// Four groups of constants: the variance of the resampled mean is that of a mean of four draws from the group
    /// values, σ²/4 with σ² = 5/4 for 0, 1, 2, 3; pooling 400 items would give σ²/400.
    #[test]
    fn groups_are_the_units() {
        let groups: Vec<Vec<f64>> = (0..4).map(|g| vec![f64::from(g); 100]).collect();
        let wide = hierarchical(&groups, mean_of_means, 4000, 0.05, 3).unwrap();
        let half_width = 1.96 * (1.25f64 / 4.0).sqrt();
        assert!((wide.upper - wide.lower - 2.0 * half_width).abs() < 0.35, "{wide:?}");
        let pooled: Vec<f64> = groups.concat();
        let narrow = bootstrap(&pooled, |s| s.iter().sum::<f64>() / s.len() as f64, 1000, 0.05, 3).unwrap();
        assert!(narrow.upper - narrow.lower < 0.3, "{narrow:?}");
    }

    /// Equal groups: only the items vary, and the mean of all 2·50 draws has variance (1/4)/100.
    #[test]
    fn items_vary_inside_groups() {
        let group: Vec<f64> = (0..50).map(|i| f64::from(i % 2)).collect();
        let interval = hierarchical(&[group.clone(), group], mean_of_means, 4000, 0.05, 3).unwrap();
        assert!((interval.upper - interval.lower - 2.0 * 1.96 * 0.05).abs() < 0.015, "{interval:?}");
    }

    #[test]
    fn refuses_what_has_no_answer() {
        let run = |groups: &[Vec<f64>]| hierarchical(groups, mean_of_means, 10, 0.05, 0);
        assert!(matches!(run(&[]), Err(MetricError::Empty { .. })));
        assert!(matches!(run(&[vec![1.0], vec![]]), Err(MetricError::Empty { .. })));
    }
}
