//! The distance to the nearest adversarial example that an attack found.

use super::Norm;
use serde::{Deserialize, Serialize};

/// Number of bins of the histogram.
const BINS: usize = 24;

/// Distances to the nearest adversarial example found, over the examples that the model classifies correctly.
///
/// The quartiles are over *all* those examples: one that the attack could not break counts as infinitely far, and a
/// quartile that falls among those is absent.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct MinimalPerturbation {
    /// The attack that searched.
    pub attack: String,
    /// The norm of the distances.
    pub norm: Norm,
    /// Quarter of the examples lie closer, in pixel units.
    pub lower_quartile: Option<f64>,
    /// Half of the examples lie closer, in pixel units.
    pub median: Option<f64>,
    /// Three quarters of the examples lie closer, in pixel units.
    pub upper_quartile: Option<f64>,
    /// Examples for which an adversarial example was found.
    pub found: usize,
    /// Examples searched.
    pub of: usize,
    /// Where the found distances lie.
    pub histogram: Histogram,
}

/// Counts in adjacent bins.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Bin edges, increasing, in pixel units; one more than there are bins, or none.
    pub edges: Vec<f64>,
    /// Examples per bin; the upper edge belongs to the last bin only.
    pub counts: Vec<usize>,
}

impl MinimalPerturbation {
    /// Summarises one distance per searched example, `None` (or a distance that is not finite) where the attack failed.
    pub fn from_distances(attack: impl Into<String>, norm: Norm, distances: &[Option<f64>]) -> MinimalPerturbation {
        let mut found: Vec<f64> = distances.iter().flatten().copied().filter(|d| d.is_finite()).collect();
        found.sort_by(f64::total_cmp);
        let of = distances.len();
        MinimalPerturbation {
            attack: attack.into(),
            norm,
            lower_quartile: quantile(&found, of, 0.25),
            median: quantile(&found, of, 0.5),
            upper_quartile: quantile(&found, of, 0.75),
            found: found.len(),
            of,
            histogram: Histogram::of(&found),
        }
    }
}

/// The `q`-quantile (linear between order statistics, Hyndman & Fan 1996, type 7) of `of` values, of which the
/// smallest are `sorted` and the others infinite.
fn quantile(sorted: &[f64], of: usize, q: f64) -> Option<f64> {
    let position = q * of.checked_sub(1)? as f64;
    let below = position.floor() as usize;
    let weight = position - below as f64;
    let low = *sorted.get(below)?;
    if weight == 0.0 {
        return Some(low);
    }
    sorted.get(below + 1).map(|high| low + weight * (high - low))
}

impl Histogram {
    /// Equal bins from 0 to the largest of the finite, non-negative `values`; no bins if there are none.
    pub fn of(values: &[f64]) -> Histogram {
        let Some(top) = values.iter().copied().max_by(f64::total_cmp) else {
            return Histogram { edges: Vec::new(), counts: Vec::new() };
        };
        let top = if top > 0.0 { top } else { 1.0 };
        let edges = (0..=BINS).map(|i| top * i as f64 / BINS as f64).collect();
        let mut counts = vec![0; BINS];
        for value in values {
            counts[((value / top * BINS as f64) as usize).min(BINS - 1)] += 1;
        }
        Histogram { edges, counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_count_as_infinitely_far() {
        // Sorted: 1 2 3 4 ∞; type-7 quartiles at positions 1, 2, 3.
        let m = MinimalPerturbation::from_distances("a", Norm::L2, &[Some(4.0), None, Some(2.0), Some(1.0), Some(3.0)]);
        assert_eq!((m.lower_quartile, m.median, m.upper_quartile), (Some(2.0), Some(3.0), Some(4.0)));
        assert_eq!((m.found, m.of), (4, 5));
        // Sorted: 1 3 ∞ ∞: the median lies between 3 and infinity.
        let m = MinimalPerturbation::from_distances("a", Norm::L2, &[Some(3.0), None, Some(1.0), Some(f64::INFINITY)]);
        assert_eq!((m.lower_quartile, m.median, m.upper_quartile), (Some(2.5), None, None));
    }

    #[test]
    fn nothing_found_and_nothing_searched() {
        for distances in [&[][..], &[None, None]] {
            let m = MinimalPerturbation::from_distances("a", Norm::Linf, distances);
            assert_eq!((m.median, m.found, m.of), (None, 0, distances.len()));
            assert!(m.histogram.counts.is_empty() && m.histogram.edges.is_empty());
        }
    }

    #[test]
    fn histogram_agrees_with_counting() {
        let values: Vec<f64> = (0..500).map(|i| f64::from(i * 7919 % 1000) / 250.0).collect();
        let h = Histogram::of(&values);
        assert_eq!(h.counts.iter().sum::<usize>(), values.len());
        for (bin, count) in h.counts.iter().enumerate() {
            let last = bin == BINS - 1;
            let inside = |v: &&f64| **v >= h.edges[bin] && (**v < h.edges[bin + 1] || last);
            assert_eq!(*count, values.iter().filter(inside).count(), "bin {bin}");
        }
        assert_eq!(Histogram::of(&[0.0, 0.0]).counts[0], 2);
    }
}
