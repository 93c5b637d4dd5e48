//! 1 where x > 0, else 0.

use super::{Lines, Rules, increasing};
use crate::{Expr, Interval, Rounding, Unary};

pub(super) struct Step;

impl Rules for Step {
    fn name(&self) -> &'static str {
        "step"
    }
    fn value(&self, x: f64) -> f64 {
        if x > 0.0 { 1.0 } else { 0.0 }
    }
    fn derivative(&self, _x: &Expr, _y: &Expr) -> Option<Expr> {
        None
    }
    fn image(&self, x: &Interval) -> Interval {
        increasing(Unary::Step, x)
    }
    fn ulps(&self) -> f64 {
        0.0
    }
    // Piecewise constant: its interval is used.
    fn lines(&self, _x: &Interval, _rounding: Rounding) -> Option<Lines> {
        None
    }
}
