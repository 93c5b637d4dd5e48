//! Norm balls within the range of a pixel.

use crate::{Norm, ThreatError};

/// All points whose distance from a centre is at most `epsilon`, each coordinate within `bounds`.
///
/// The set is meant for single-precision points, and exactly: `‖x − c‖ ≤ epsilon` holds in `f64` for the `f32` values of
/// `x` and `c`, and the bounds are the `f32` values nearest to those given. Centres must lie within the bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ball {
    norm: Norm,
    epsilon: f64,
    bounds: (f64, f64),
}

impl Ball {
    /// A ball of radius `epsilon` (in the units of the input, a number of coordinates for ℓ0; may be infinite) with coordinates in `bounds` (lower, upper;
    /// may be infinite).
    ///
    /// # Errors
    /// If `epsilon` is negative or NaN, or the bounds are NaN or not increasing.
    pub fn new(norm: impl Into<Norm>, epsilon: f64, bounds: (f64, f64)) -> Result<Ball, ThreatError> {
        if epsilon.is_nan() || epsilon < 0.0 {
            return Err(ThreatError::Epsilon { epsilon });
        }
        let (lo, hi) = bounds;
        // False for NaN too.
        let increasing = (lo as f32) < (hi as f32);
        if !increasing {
            return Err(ThreatError::Bounds { lo, hi });
        }
        Ok(Ball { norm: norm.into(), epsilon, bounds })
    }

    /// The norm alone, with no limit on the distance: what attacks that minimise the distance search in.
    ///
    /// # Errors
    /// If the bounds are NaN or not increasing.
    pub fn unbounded(norm: impl Into<Norm>, bounds: (f64, f64)) -> Result<Ball, ThreatError> {
        Ball::new(norm, f64::INFINITY, bounds)
    }

    /// The same norm and bounds with another radius.
    ///
    /// # Errors
    /// If `epsilon` is negative or NaN.
    pub fn with_epsilon(&self, epsilon: f64) -> Result<Ball, ThreatError> {
        Ball::new(self.norm, epsilon, self.bounds)
    }

    /// What measures the distance.
    pub fn norm(&self) -> Norm {
        self.norm
    }

    /// Radius.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Lower and upper limit of every coordinate, as given.
    pub fn bounds(&self) -> (f64, f64) {
        self.bounds
    }

    /// Lower and upper limit of every coordinate, as single-precision values.
    pub fn limits(&self) -> (f32, f32) {
        (self.bounds.0 as f32, self.bounds.1 as f32)
    }

    /// Distance between two points in the ball's norm.
    pub fn distance(&self, center: &[f32], x: &[f32]) -> f64 {
        distance(self.norm, center, x)
    }

    /// Whether every coordinate of `x` is within the bounds. NaN is not.
    pub fn within_bounds(&self, x: &[f32]) -> bool {
        let (lo, hi) = self.limits();
        x.iter().all(|v| (lo..=hi).contains(v))
    }

    /// Whether `x` belongs to the ball around `center`.
    pub fn contains(&self, center: &[f32], x: &[f32]) -> bool {
        self.within_bounds(x) && self.distance(center, x) <= self.epsilon
    }
}

/// `‖x − center‖` in `f64`; NaN if a coordinate is NaN.
pub fn distance(norm: impl Into<Norm>, center: &[f32], x: &[f32]) -> f64 {
    let differences = center.iter().zip(x).map(|(&c, &v)| (f64::from(v) - f64::from(c)).abs());
    match norm.into() {
        Norm::L0 => differences.map(|d| if d.is_nan() { d } else { f64::from(u8::from(d > 0.0)) }).sum(),
        Norm::L1 => differences.sum(),
        Norm::L2 => differences.map(|d| d * d).sum::<f64>().sqrt(),
        Norm::Linf => differences.fold(0.0, |largest: f64, d| if d > largest || d.is_nan() { d } else { largest }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_a_known_triangle() {
        let (a, b) = ([0.0, 1.0, 0.5], [3.0, -3.0, 0.5]);
        assert_eq!(distance(Norm::L0, &a, &b), 2.0);
        assert_eq!(distance(Norm::L1, &a, &b), 7.0);
        assert_eq!(distance(Norm::L2, &a, &b), 5.0);
        assert_eq!(distance(Norm::Linf, &a, &b), 4.0);
        assert!(distance(Norm::Linf, &[0.0, 0.0], &[f32::NAN, 1.0]).is_nan());
    }

    #[test]
    fn refuses_what_is_no_ball() {
        for epsilon in [-1e-9, f64::NAN, f64::NEG_INFINITY] {
            let error = Ball::new(Norm::L2, epsilon, (0.0, 1.0)).unwrap_err();
            assert!(matches!(error, ThreatError::Epsilon { .. }), "{error}");
        }
        for bounds in [(1.0, 0.0), (0.5, 0.5), (f64::NAN, 1.0), (0.0, f64::NAN), (0.1, 0.1 + 1e-12)] {
            let error = Ball::new(Norm::L2, 0.1, bounds).unwrap_err();
            assert!(matches!(error, ThreatError::Bounds { .. }), "{error}");
        }
        assert!(Ball::new(Norm::L1, 0.0, (f64::NEG_INFINITY, f64::INFINITY)).is_ok());
    }

    #[test]
    fn membership_is_decided_without_rounding() {
        // The f32 nearest to 0.3 is 0.3000000119.
        let ball = Ball::new(Norm::Linf, 0.3, (0.0, 1.0)).unwrap();
        assert!(!ball.contains(&[0.0], &[0.3]));
        assert!(ball.contains(&[0.0], &[0.3f32.next_down()]));
        assert!(!ball.contains(&[0.0], &[f32::NAN]) && !ball.contains(&[0.0], &[-0.1]));
    }
}
