//! −1, 0 or 1 by the sign of x.

use super::{Lines, Rules, increasing};
use crate::{Expr, Interval, Rounding, Unary};

pub(super) struct Sign;

impl Rules for Sign {
    fn name(&self) -> &'static str {
        "sign"
    }
    fn value(&self, x: f64) -> f64 {
        if x > 0.0 {
            1.0
        } else if x < 0.0 {
            -1.0
        } else {
            x * 0.0
        }
    }
    fn integer(&self, x: i64) -> Option<i64> {
        Some(x.signum())
    }
    fn derivative(&self, _x: &Expr, _y: &Expr) -> Option<Expr> {
        None
    }
    fn image(&self, x: &Interval) -> Interval {
        increasing(Unary::Sign, x)
    }
    fn ulps(&self) -> f64 {
        0.0
    }
    // Piecewise constant: its interval is used.
    fn lines(&self, _x: &Interval, _rounding: Rounding) -> Option<Lines> {
        None
    }
}
