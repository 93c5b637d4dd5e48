//! Confidence intervals of a proportion: `k` successes in `n` independent trials.

use crate::beta::regularized_beta;
use crate::error::{MetricError, Result, check_probability};
use crate::normal;

/// A closed interval, usually of confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

/// Most trials for which the limits keep ten digits after the point.
const MAX_TRIALS: u64 = 100_000_000;

/// One-sided exact lower confidence limit of a success probability: the true probability lies below it with
/// probability at most `alpha` (Clopper & Pearson 1934; used by Cohen et al. 2019, `LowerConfBound`).
///
/// It is the `p` with `P[Binomial(n, p) ≥ k] = alpha`, that is `I_p(k, n − k + 1) = alpha`; 0 for `k = 0` and
/// `alpha^(1/n)` for `k = n`. Absolute error below 1e-10.
///
/// # Errors
/// [`MetricError::Domain`] unless `k ≤ n` and `1 ≤ n ≤ 10⁸`; [`MetricError::Probability`] for `alpha`.
pub fn clopper_pearson_lower(k: u64, n: u64, alpha: f64) -> Result<f64> {
    check_counts(k, n)?;
    check_probability("alpha", alpha)?;
    if k == 0 {
        return Ok(0.0);
    }
    if k == n {
        return Ok((alpha.ln() / n as f64).exp());
    }
    let (a, b) = (k as f64, (n - k) as f64 + 1.0);
    let (mut low, mut high) = (0.0, 1.0);
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return Ok(low);
        }
        if regularized_beta(a, b, middle) <= alpha {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// One-sided exact upper confidence limit of a success probability: the true probability lies above it with
/// probability at most `alpha`. The mirror image of [`clopper_pearson_lower`].
///
/// # Errors
/// As [`clopper_pearson_lower`].
pub fn clopper_pearson_upper(k: u64, n: u64, alpha: f64) -> Result<f64> {
    check_counts(k, n)?;
    Ok(1.0 - clopper_pearson_lower(n - k, n, alpha)?)
}

/// Two-sided exact (Clopper–Pearson) interval with confidence `1 − alpha`, `alpha / 2` on each side.
///
/// # Errors
/// As [`clopper_pearson_lower`].
pub fn clopper_pearson(k: u64, n: u64, alpha: f64) -> Result<Interval> {
    check_probability("alpha", alpha)?;
    Ok(Interval { lower: clopper_pearson_lower(k, n, alpha / 2.0)?, upper: clopper_pearson_upper(k, n, alpha / 2.0)? })
}

/// Two-sided score interval (Wilson 1927) with approximate confidence `1 − alpha`, shorter than the exact one;
/// for display, not for certificates.
///
/// # Errors
/// As [`clopper_pearson_lower`].
pub fn wilson(k: u64, n: u64, alpha: f64) -> Result<Interval> {
    check_counts(k, n)?;
    check_probability("alpha", alpha)?;
    let z = -normal::inverse_cdf(alpha / 2.0)?;
    let (n, p) = (n as f64, k as f64 / n as f64);
    let scale = 1.0 + z * z / n;
    let centre = (p + z * z / (2.0 * n)) / scale;
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / scale;
    Ok(Interval { lower: (centre - half).max(0.0), upper: (centre + half).min(1.0) })
}

fn check_counts(k: u64, n: u64) -> Result<()> {
    if n == 0 {
        return Err(MetricError::Empty { what: "trials" });
    }
    if k > n || n > MAX_TRIALS {
        let reason = format!("needs k ≤ n ≤ {MAX_TRIALS}, got k = {k} successes in n = {n} trials");
        return Err(MetricError::Domain { what: "counts", reason });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-10, "{value} instead of {expected}");
    }

    /// scipy 1.17.1: `scipy.stats.beta.ppf(alpha, k, n - k + 1)`.
    #[test]
    fn lower_limits_of_scipy() {
        for (k, n, alpha, expected) in [
            (5, 10, 0.05, 0.2224411010081294),
            (1, 3, 0.5, 0.20629947401590026),
            (99, 100, 0.001, 0.9113731112960424),
            (50, 1_000, 1e-06, 0.023556521006536386),
            (99_990, 100_000, 0.001, 0.9997586773435911),
            (50_000, 100_000, 0.001, 0.49510904290369595),
            (3, 100_000, 0.05, 8.176962810387599e-06),
            (9_999_000, 10_000_000, 1e-09, 0.9998797444568716),
        ] {
            close(clopper_pearson_lower(k, n, alpha).unwrap(), expected);
        }
    }

    /// scipy 1.17.1: `scipy.stats.binomtest(k, n).proportion_ci(0.95, method)`.
    #[test]
    fn two_sided_intervals_of_scipy() {
        for (k, n, exact, score) in [
            (0, 10, [0.0, 0.30849710781876294], [0.0, 0.27753279986288926]),
            (10, 10, [0.6915028921812371, 1.0], [0.7224672001371109, 1.0]),
            (7, 20, [0.1539092047845412, 0.5921885345328283], [0.1811918241010821, 0.5671457233147637]),
            (970, 1000, [0.9574485975299709, 0.9796695143168853], [0.9574965858524128, 0.9789062611711653]),
            (12345, 100000, [0.12141710670788443, 0.125504760848672], [0.12142561775452174, 0.12550331116056454]),
        ] {
            let (c, w) = (clopper_pearson(k, n, 0.05).unwrap(), wilson(k, n, 0.05).unwrap());
            close(c.lower, exact[0]);
            close(c.upper, exact[1]);
            close(w.lower, score[0]);
            close(w.upper, score[1]);
        }
    }

    #[test]
    fn closed_forms_at_the_ends() {
        for (n, alpha) in [(1, 0.05), (20, 0.05), (100_000, 0.001)] {
            close(clopper_pearson_lower(n, n, alpha).unwrap(), alpha.powf(1.0 / n as f64));
            close(clopper_pearson_upper(0, n, alpha).unwrap(), 1.0 - alpha.powf(1.0 / n as f64));
            assert_eq!(clopper_pearson_lower(0, n, alpha).unwrap(), 0.0);
            assert_eq!(clopper_pearson_upper(n, n, alpha).unwrap(), 1.0);
            // k = 1: 1 − (1 − p)^n = alpha.
            if n > 1 {
                close(clopper_pearson_lower(1, n, alpha).unwrap(), -((-alpha).ln_1p() / n as f64).exp_m1());
            }
        }
    }

    /// Exact coverage by enumeration: the limit exceeds the true p with probability at most alpha.
    #[test]
    fn coverage_by_enumeration() {
        let (n, alpha) = (25u64, 0.1);
        let limits: Vec<f64> = (0..=n).map(|k| clopper_pearson_lower(k, n, alpha).unwrap()).collect();
        for p in [0.03, 0.2, 0.5, 0.81, 0.97] {
            let mut mass = f64::powi(1.0 - p, n as i32);
            let mut miss = 0.0;
            for k in 0..=n {
                miss += if limits[k as usize] > p { mass } else { 0.0 };
                mass *= (n - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
            }
            assert!(miss <= alpha, "p = {p}: missed with probability {miss}");
        }
    }

    #[test]
    fn refuses_what_has_no_answer() {
        assert!(matches!(clopper_pearson_lower(0, 0, 0.05), Err(MetricError::Empty { .. })));
        assert!(matches!(clopper_pearson_upper(3, 2, 0.05), Err(MetricError::Domain { .. })));
        assert!(matches!(clopper_pearson(1, 2, 0.0), Err(MetricError::Probability { .. })));
        assert!(matches!(wilson(1, 2, f64::NAN), Err(MetricError::Probability { .. })));
    }
}
