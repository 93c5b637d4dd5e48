//! Tests whether paired runs differ.
//!
//! All p-values are two-sided.

use crate::beta::regularized_beta;
use crate::bootstrap::differences;
use crate::error::{MetricError, Result};
use crate::normal;
use crate::rank::ranks;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Pairs up to which all 2ⁿ signs are enumerated.
const MAX_ENUMERATED: usize = 16;
/// Pairs up to which the distribution of the signed-rank sum is computed exactly.
const MAX_EXACT_RANKS: usize = 200;

/// The p-value of the mean of `a − b` under random exchange within pairs: the fraction of sign patterns whose absolute
/// mean is at least the observed one. Exact up to 16 pairs; above, `(1 + hits) / (1 + permutations)` of random patterns.
///
/// # Errors
/// [`MetricError::Length`], [`MetricError::Empty`], [`MetricError::Nan`]; [`MetricError::Domain`] for infinite values.
pub fn permutation_test(a: &[f64], b: &[f64], permutations: usize, seed: u64) -> Result<f64> {
    let differences = differences(a, b)?;
    let observed = differences.iter().sum::<f64>().abs();
    let rounding = 1e-12 * differences.iter().map(|d| d.abs()).sum::<f64>();
    let reaches = |flip: &mut dyn FnMut() -> bool| {
        let sum: f64 = differences.iter().map(|d| if flip() { -d } else { *d }).sum();
        sum.abs() >= observed - rounding
    };
    if differences.len() <= MAX_ENUMERATED {
        let patterns = 1u64 << differences.len();
        let hits = (0..patterns).filter(|pattern| {
            let mut bits = *pattern;
            reaches(&mut || {
                let flip = bits & 1 == 1;
                bits >>= 1;
                flip
            })
        });
        return Ok(hits.count() as f64 / patterns as f64);
    }
    if permutations == 0 {
        return Err(MetricError::Empty { what: "permutations" });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let hits = (0..permutations).filter(|_| reaches(&mut || rng.random())).count();
    Ok((1 + hits) as f64 / (1 + permutations) as f64)
}

/// The exact p-value of the sign test: whether `a > b` as often as `a < b`. Equal pairs are left out.
///
/// # Errors
/// As [`permutation_test`]; [`MetricError::Constant`] if all pairs are equal.
pub fn sign_test(a: &[f64], b: &[f64]) -> Result<f64> {
    let differences = nonzero_differences(a, b)?;
    let n = differences.len() as f64;
    let above = differences.iter().filter(|d| **d > 0.0).count() as f64;
    let rarer = above.min(n - above);
    // P[Binomial(n, ½) ≤ k] = I_½(n − k, k + 1), doubled by symmetry; in the middle both tails overlap.
    Ok((2.0 * regularized_beta(n - rarer, rarer + 1.0, 0.5)).min(1.0))
}

/// The p-value of Wilcoxon's signed-rank test; equal pairs are left out, ties share their average rank. Exact, given the
/// ties, up to 200 pairs; above by the normal approximation with the variance corrected for ties.
///
/// # Errors
/// As [`sign_test`].
pub fn wilcoxon_signed_rank(a: &[f64], b: &[f64]) -> Result<f64> {
    let differences = nonzero_differences(a, b)?;
    let magnitudes: Vec<f64> = differences.iter().map(|d| d.abs()).collect();
    // Doubled, average ranks are whole numbers.
    let doubled: Vec<usize> = ranks(&magnitudes)?.iter().map(|r| (2.0 * r) as usize).collect();
    let positive: usize = doubled.iter().zip(&differences).filter(|(_, d)| **d > 0.0).map(|(r, _)| r).sum();
    let total: usize = doubled.iter().sum();
    let smaller = positive.min(total - positive);
    if differences.len() > MAX_EXACT_RANKS {
        let variance = doubled.iter().map(|&r| (r * r) as f64 / 4.0).sum::<f64>();
        let z = (smaller as f64 - total as f64 / 2.0) / variance.sqrt();
        return Ok((2.0 * normal::cdf(z)).min(1.0));
    }
    // Each rank is positive with probability one half; the distribution of their sum, one rank after the other.
    let mut distribution = vec![0.0; total + 1];
    distribution[0] = 1.0;
    for rank in doubled {
        for sum in (0..=total).rev() {
            let with = if sum >= rank { distribution[sum - rank] } else { 0.0 };
            distribution[sum] = 0.5 * (distribution[sum] + with);
        }
    }
    Ok((2.0 * distribution[..=smaller].iter().sum::<f64>()).min(1.0))
}

fn nonzero_differences(a: &[f64], b: &[f64]) -> Result<Vec<f64>> {
    let differences: Vec<f64> = differences(a, b)?.into_iter().filter(|d| *d != 0.0).collect();
    if differences.is_empty() {
        return Err(MetricError::Constant { what: "a − b" });
    }
    Ok(differences)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [f64; 10] = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30, 2.0];
    const B: [f64; 10] = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.15, 1.29, 2.0];

    /// scipy 1.17.1, zero differences left out by hand: `wilcoxon(a, b, mode="exact")`, `binomtest(7, 9)`,
    /// `permutation_test((a, b), mean of differences, permutation_type="samples", n_resamples=inf)`, and for tied values
    /// `wilcoxon(t, method=PermutationMethod(10**6))`, which enumerates.
    #[test]
    fn p_values_of_scipy() {
        assert!((wilcoxon_signed_rank(&A, &B).unwrap() - 0.0390625).abs() < 1e-15);
        assert!((sign_test(&A, &B).unwrap() - 0.1796875).abs() < 1e-14);
        assert!((permutation_test(&A, &B, 0, 0).unwrap() - 0.02734375).abs() < 1e-15);
        let tied = [1.0, 2.0, -1.0, 3.0, 1.0, 2.0, -2.0, 1.0];
        assert!((wilcoxon_signed_rank(&tied, &[0.0; 8]).unwrap() - 0.2421875).abs() < 1e-15);
    }

    /// scipy 1.17.1: `wilcoxon` of 1…n, negative where i mod 5 < 2, `mode="exact"` up to 200 pairs, and above
    /// `mode="approx", correction=False`; the exact value for 201 is 0.02055.
    #[test]
    fn many_pairs() {
        let values =
            |n: usize| -> Vec<f64> { (1..=n).map(|i| if i % 5 < 2 { -(i as f64) } else { i as f64 }).collect() };
        for (n, expected) in [(200, 0.01398867528354275), (201, 0.020745073552706345), (1000, 4.287187494174282e-08)] {
            let p = wilcoxon_signed_rank(&values(n), &vec![0.0; n]).unwrap();
            assert!((p / expected - 1.0).abs() < 1e-10, "{n}: {p}");
        }
    }

    /// Random patterns estimate the fraction that enumeration gives: the pairs of twelve values, once more with pairs of
    /// difference zero, which change no mean.
    #[test]
    fn random_patterns_estimate_the_exact_fraction() {
        let short: Vec<f64> = (0..12).map(|i| f64::from(i * 7 % 12) - 3.0).collect();
        let exact = permutation_test(&short, &[0.0; 12], 0, 0).unwrap();
        let long = [short, vec![0.0; 8]].concat();
        let estimate = permutation_test(&long, &[0.0; 20], 20_000, 4).unwrap();
        assert!(exact > 0.01 && (exact - estimate).abs() < 0.01, "{exact} and {estimate}");
    }

    #[test]
    fn refuses_what_has_no_answer() {
        assert_eq!(sign_test(&[1.0], &[1.0]), Err(MetricError::Constant { what: "a − b" }));
        assert!(matches!(wilcoxon_signed_rank(&[1.0, 2.0], &[1.0]), Err(MetricError::Length { .. })));
        assert!(matches!(permutation_test(&[1.0; 20], &[0.0; 20], 0, 0), Err(MetricError::Empty { .. })));
        assert!(matches!(permutation_test(&[f64::NAN], &[0.0], 9, 0), Err(MetricError::Nan { .. })));
    }
}
