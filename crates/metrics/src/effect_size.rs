//! How large a difference is, in units that do not depend on the measure.

use crate::error::{MetricError, Result, check_lengths};
use crate::ranking::roc_auc;
use crate::summary::{mean, standard_deviation};

/// Cohen's d of independent samples: the difference of means `a − b` over the pooled standard deviation (Cohen 1988).
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Nan`]; [`MetricError::Domain`] with fewer than two values in either;
/// [`MetricError::Constant`] if neither varies.
pub fn cohens_d(a: &[f64], b: &[f64]) -> Result<f64> {
    let (sa, sb) = (standard_deviation(a, 1)?, standard_deviation(b, 1)?);
    let (na, nb) = (a.len() as f64 - 1.0, b.len() as f64 - 1.0);
    standardised(mean(a)? - mean(b)?, ((na * sa * sa + nb * sb * sb) / (na + nb)).sqrt())
}

/// Cohen's d of paired samples, d_z: the mean difference over the standard deviation of the differences.
///
/// # Errors
/// As [`cohens_d`]; [`MetricError::Length`].
pub fn cohens_d_paired(a: &[f64], b: &[f64]) -> Result<f64> {
    check_lengths("a and b", a.len(), b.len())?;
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    standardised(mean(&differences)?, standard_deviation(&differences, 1)?)
}

fn standardised(difference: f64, deviation: f64) -> Result<f64> {
    if deviation == 0.0 {
        return Err(MetricError::Constant { what: "a and b" });
    }
    Ok(difference / deviation)
}

/// Cliff's δ: the probability that a value of `a` exceeds one of `b`, minus the reverse; in [-1, 1], in O(n log n).
///
/// # Errors
/// [`MetricError::Empty`], [`MetricError::Nan`].
pub fn cliffs_delta(a: &[f64], b: &[f64]) -> Result<f64> {
    for (what, values) in [("a", a), ("b", b)] {
        if values.is_empty() {
            return Err(MetricError::Empty { what });
        }
    }
    let from_a: Vec<bool> = (0..a.len() + b.len()).map(|i| i < a.len()).collect();
    Ok(2.0 * roc_auc(&[a, b].concat(), &from_a)? - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_by_hand() {
        let (a, b) = ([2.0, 4.0, 6.0], [1.0, 2.0, 3.0, 4.0]);
        // Variances 4 and 5/3, pooled (2·4 + 3·5/3)/5 = 13/5.
        assert!((cohens_d(&a, &b).unwrap() - 1.5 / (13.0f64 / 5.0).sqrt()).abs() < 1e-15);
        // Differences 1, 2, 3: mean 2, deviation 1.
        assert_eq!(cohens_d_paired(&a, &b[..3]).unwrap(), 2.0);
        // Of 12 pairs 8 go up, 2 are equal, 2 go down.
        assert!((cliffs_delta(&a, &b).unwrap() - 0.5).abs() < 1e-15);
        assert_eq!(cliffs_delta(&b, &[10.0]).unwrap(), -1.0);
    }

    #[test]
    fn refuses_what_has_no_answer() {
        assert!(matches!(cohens_d(&[1.0], &[1.0, 2.0]), Err(MetricError::Domain { .. })));
        assert!(matches!(cohens_d(&[1.0, 1.0], &[2.0, 2.0]), Err(MetricError::Constant { .. })));
        assert!(matches!(cohens_d_paired(&[1.0], &[]), Err(MetricError::Length { .. })));
        assert!(matches!(cliffs_delta(&[], &[1.0]), Err(MetricError::Empty { what: "a" })));
    }
}
