//! Area under a sampled curve.

use crate::error::{MetricError, Result, check_lengths, check_values};

/// Area under the piecewise linear curve through `(x[i], y[i])`, by the trapezoid rule. With `x` the fraction of
/// features removed or inserted, from 0 to 1, it is the deletion or insertion score of Petsiuk et al. 2018.
///
/// # Errors
/// [`MetricError::Length`], [`MetricError::Nan`]; [`MetricError::Domain`] with fewer than two points or if `x` decreases.
pub fn trapezoid(x: &[f64], y: &[f64]) -> Result<f64> {
    check_lengths("x and y", x.len(), y.len())?;
    check_values("x", x)?;
    check_values("y", y)?;
    if x.len() < 2 {
        return Err(MetricError::Domain { what: "x", reason: "an area needs at least two points".to_string() });
    }
    if let Some(i) = x.windows(2).position(|w| w[1] < w[0]) {
        let reason = format!("must not decrease, but x[{}] = {} comes after {}", i + 1, x[i + 1], x[i]);
        return Err(MetricError::Domain { what: "x", reason });
    }
    Ok(x.windows(2).zip(y.windows(2)).map(|(x, y)| 0.5 * (x[1] - x[0]) * (y[0] + y[1])).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_on_piecewise_linear_curves() {
        // |t| from −1 to 2 with a corner at 0: 1/2 + 2.
        assert_eq!(trapezoid(&[-1.0, 0.0, 2.0], &[1.0, 0.0, 2.0]).unwrap(), 2.5);
        assert_eq!(trapezoid(&[0.0, 1.0, 1.0, 2.0], &[1.0, 1.0, 0.0, 0.0]).unwrap(), 1.0);
    }

    /// On a grid of width h the rule overestimates ∫₀¹ t² dt = 1/3 by exactly h²/6.
    #[test]
    fn known_error_on_a_parabola() {
        let x: Vec<f64> = (0..=10).map(|i| f64::from(i) / 10.0).collect();
        let y: Vec<f64> = x.iter().map(|t| t * t).collect();
        assert!((trapezoid(&x, &y).unwrap() - 1.0 / 3.0 - 0.01 / 6.0).abs() < 1e-15);
    }

    #[test]
    fn refuses_what_has_no_answer() {
        assert!(matches!(trapezoid(&[0.0], &[1.0]), Err(MetricError::Domain { .. })));
        assert!(matches!(trapezoid(&[1.0, 0.0], &[1.0, 1.0]), Err(MetricError::Domain { .. })));
        assert!(matches!(trapezoid(&[0.0, 1.0], &[1.0]), Err(MetricError::Length { .. })));
        assert!(matches!(trapezoid(&[0.0, 1.0], &[f64::NAN, 1.0]), Err(MetricError::Nan { .. })));
    }
}
