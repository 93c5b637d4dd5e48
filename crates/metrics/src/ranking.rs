//! Quality of a ranking by scores: ROC-AUC, average precision, NDCG, reciprocal ranks.
//!
//! Higher scores come first. Equal scores are never broken by position: each measure says how it shares them.

use crate::error::{MetricError, Result, check_lengths, check_values};
use crate::matrix::Matrix;
use crate::rank::ranks;

/// The probability that a positive item scores above a negative one, ties counting half: the area under the ROC curve,
/// in [0, 1].
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Length`], [`MetricError::Nan`]; [`MetricError::Constant`] unless there are
/// both positive and negative items.
pub fn roc_auc(scores: &[f64], positive: &[bool]) -> Result<f64> {
    let positives = check(scores, positive)?;
    let negatives = positive.len() - positives;
    if negatives == 0 {
        return Err(MetricError::Constant { what: "positive" });
    }
    let sum: f64 = ranks(scores)?.iter().zip(positive).filter(|(_, p)| **p).map(|(r, _)| r).sum();
    let (positives, negatives) = (positives as f64, negatives as f64);
    Ok((sum - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

/// Average precision `Σ (R_k − R_{k−1})·P_k` over the thresholds between distinct scores: items of equal score enter
/// together. In (0, 1].
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Length`], [`MetricError::Nan`]; [`MetricError::Constant`] without positive
/// items.
pub fn average_precision(scores: &[f64], positive: &[bool]) -> Result<f64> {
    let positives = check(scores, positive)?;
    let (mut seen, mut found, mut sum) = (0, 0, 0.0);
    for tie in ties(scores) {
        let hits = tie.iter().filter(|&&i| positive[i]).count();
        seen += tie.len();
        found += hits;
        sum += hits as f64 * found as f64 / seen as f64;
    }
    Ok(sum / positives as f64)
}

/// Mean of [`average_precision`] over queries, one row of `scores` each; `relevant` is row-major of the same shape.
///
/// # Errors
/// As [`average_precision`], of the first query that has none.
pub fn mean_average_precision(scores: &Matrix, relevant: &[bool]) -> Result<f64> {
    check_lengths("scores and relevant", scores.values().len(), relevant.len())?;
    let queries = scores.iter().zip(relevant.chunks_exact(scores.columns()));
    let sum: f64 = queries.map(|(s, r)| average_precision(s, r)).sum::<Result<f64>>()?;
    Ok(sum / scores.rows() as f64)
}

/// Normalised discounted cumulative gain of the first `k` items (Järvelin & Kekäläinen 2002):
/// `Σ gain_i / log₂(i + 1)` over the ranking by score, divided by its largest possible value. Items of equal score each
/// get the mean gain of their tie (McSherry & Najork 2008). In [0, 1].
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Length`], [`MetricError::Nan`]; [`MetricError::Domain`] for a gain that is
/// negative or infinite, gains that are all zero, or `k = 0`.
pub fn ndcg(scores: &[f64], gains: &[f64], k: usize) -> Result<f64> {
    check_lengths("scores and gains", scores.len(), gains.len())?;
    check_values("scores", scores)?;
    check_values("gains", gains)?;
    if gains.iter().any(|&g| g < 0.0 || g.is_infinite()) || gains.iter().all(|&g| g == 0.0) {
        let reason = "must be finite, not negative, and not all zero".to_string();
        return Err(MetricError::Domain { what: "gains", reason });
    }
    if k == 0 {
        return Err(MetricError::Domain { what: "k", reason: "needs k ≥ 1".to_string() });
    }
    Ok(discounted_gain(scores, gains, k) / discounted_gain(gains, gains, k))
}

fn discounted_gain(scores: &[f64], gains: &[f64], k: usize) -> f64 {
    let (mut start, mut sum) = (0, 0.0);
    for tie in ties(scores) {
        let mean = tie.iter().map(|&i| gains[i]).sum::<f64>() / tie.len() as f64;
        sum += mean * (start..(start + tie.len()).min(k)).map(|i| 1.0 / (i as f64 + 2.0).log2()).sum::<f64>();
        start += tie.len();
    }
    sum
}

/// The rank of item `target`, from 1: one plus the number of higher scores plus half the number of other equal ones,
/// the expectation over random orders of the tie ("realistic" rank, Berrendorf et al. 2020).
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Nan`]; [`MetricError::Domain`] if there is no such item.
pub fn rank_of(scores: &[f64], target: usize) -> Result<f64> {
    check_values("scores", scores)?;
    let Some(&score) = scores.get(target) else {
        let reason = format!("item {target} of {} scores", scores.len());
        return Err(MetricError::Domain { what: "target", reason });
    };
    let above = scores.iter().filter(|&&s| s > score).count() as f64;
    let equal = scores.iter().filter(|&&s| s == score).count() as f64;
    Ok(1.0 + above + (equal - 1.0) / 2.0)
}

/// Mean of `1 / rank` over queries, in (0, 1].
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Nan`]; [`MetricError::Domain`] for a rank below 1.
pub fn mean_reciprocal_rank(ranks: &[f64]) -> Result<f64> {
    check_ranks(ranks)?;
    Ok(ranks.iter().map(|r| 1.0 / r).sum::<f64>() / ranks.len() as f64)
}

/// The fraction of queries whose rank is at most `k`, in [0, 1].
///
/// # Errors
/// As [`mean_reciprocal_rank`].
pub fn hits_at(ranks: &[f64], k: usize) -> Result<f64> {
    check_ranks(ranks)?;
    Ok(ranks.iter().filter(|&&r| r <= k as f64).count() as f64 / ranks.len() as f64)
}

fn check_ranks(ranks: &[f64]) -> Result<()> {
    check_values("ranks", ranks)?;
    match ranks.iter().position(|&r| r < 1.0) {
        None => Ok(()),
        Some(index) => {
            let reason = format!("ranks count from 1, but index {index} is {}", ranks[index]);
            Err(MetricError::Domain { what: "ranks", reason })
        }
    }
}

/// Checks scores with their marks and returns the number of positive items, at least one.
fn check(scores: &[f64], positive: &[bool]) -> Result<usize> {
    check_lengths("scores and positive", scores.len(), positive.len())?;
    check_values("scores", scores)?;
    match positive.iter().filter(|p| **p).count() {
        0 => Err(MetricError::Constant { what: "positive" }),
        positives => Ok(positives),
    }
}

/// Indices grouped by equal score, best first.
fn ties(scores: &[f64]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&i, &j| (scores[j] + 0.0).total_cmp(&(scores[i] + 0.0)));
    order.chunk_by(|&i, &j| scores[i] == scores[j]).map(<[usize]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORES: [f64; 8] = [0.9, 0.8, 0.8, 0.4, 0.35, 0.35, 0.35, 0.1];
    const POSITIVE: [bool; 8] = [true, false, true, false, true, false, false, true];

    /// scikit-learn 1.9.1: `roc_auc_score`, `average_precision_score`, `ndcg_score` of these vectors.
    #[test]
    fn scores_of_scikit_learn() {
        assert!((roc_auc(&SCORES, &POSITIVE).unwrap() - 0.53125).abs() < 1e-15);
        assert!((average_precision(&SCORES, &POSITIVE).unwrap() - 0.6488095238095238).abs() < 1e-15);
        let gains = [3.0, 0.0, 2.0, 1.0, 0.0, 2.0, 0.5, 4.0];
        for (k, expected) in [(1, 0.75), (3, 0.5993117731185831), (5, 0.5999246456438582), (8, 0.8078351319223458)] {
            assert!((ndcg(&SCORES, &gains, k).unwrap() - expected).abs() < 1e-14, "k = {k}");
        }
    }

    #[test]
    fn area_by_counting_pairs() {
        let (mut wins, mut pairs) = (0.0, 0.0);
        for (s, _) in SCORES.iter().zip(POSITIVE).filter(|x| x.1) {
            for (t, _) in SCORES.iter().zip(POSITIVE).filter(|x| !x.1) {
                pairs += 1.0;
                wins += if s > t {
                    1.0
                } else if s == t {
                    0.5
                } else {
                    0.0
                };
            }
        }
        assert!((roc_auc(&SCORES, &POSITIVE).unwrap() - wins / pairs).abs() < 1e-15);
    }

    #[test]
    fn worked_by_hand() {
        let scores = Matrix::new(&[3.0, 2.0, 1.0, 1.0, 2.0, 3.0], 3).unwrap();
        let relevant = [true, false, true, true, false, false];
        // Precisions at the hits: (1 + 2/3)/2 and 1/3.
        let expected = ((1.0 + 2.0 / 3.0) / 2.0 + 1.0 / 3.0) / 2.0;
        assert!((mean_average_precision(&scores, &relevant).unwrap() - expected).abs() < 1e-15);
        assert_eq!(rank_of(&[0.5, 0.7, 0.5, 0.1], 2).unwrap(), 2.5);
        assert!((mean_reciprocal_rank(&[1.0, 2.0, 4.0]).unwrap() - 1.75 / 3.0).abs() < 1e-15);
        assert_eq!(hits_at(&[1.0, 2.5, 3.0, 10.0], 3).unwrap(), 0.75);
    }

    #[test]
    fn refuses_what_has_no_answer() {
        assert_eq!(roc_auc(&[1.0, 2.0], &[true, true]), Err(MetricError::Constant { what: "positive" }));
        assert_eq!(average_precision(&[1.0], &[false]), Err(MetricError::Constant { what: "positive" }));
        assert!(matches!(roc_auc(&[f64::NAN, 1.0], &[true, false]), Err(MetricError::Nan { .. })));
        assert!(matches!(ndcg(&[1.0], &[0.0], 1), Err(MetricError::Domain { what: "gains", .. })));
        assert!(matches!(ndcg(&[1.0], &[1.0], 0), Err(MetricError::Domain { what: "k", .. })));
        assert!(matches!(rank_of(&[1.0], 1), Err(MetricError::Domain { .. })));
        assert!(matches!(mean_reciprocal_rank(&[0.0]), Err(MetricError::Domain { .. })));
        assert!(matches!(hits_at(&[], 3), Err(MetricError::Empty { .. })));
    }
}
