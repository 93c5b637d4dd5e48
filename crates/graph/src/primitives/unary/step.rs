//! 1 where x > 0, else 0.

use super::{Lines, Rules};
use crate::{Expr, Interval, Rounding};

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
        if x.is_point() {
            return Interval::point(&x.lo.step());
        }
        // An unknown end (NaN) must not turn into a known 0: the result is 1 unless x is surely not positive.
        Interval { lo: x.lo.step(), hi: x.hi.like(1.0).sub(&x.hi.less_equal(&x.hi.like(0.0))) }
    }
    fn ulps(&self) -> f64 {
        0.0
    }
    // Piecewise constant: its interval is used.
    fn lines(&self, _x: &Interval, _rounding: Rounding) -> Option<Lines> {
        None
    }
}
