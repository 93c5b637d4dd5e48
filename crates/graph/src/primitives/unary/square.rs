//! x².

use super::lines::convex;
use super::{Lines, Rules};
use crate::{Expr, Interval, Rounding};

pub(super) struct Square;

impl Rules for Square {
    fn name(&self) -> &'static str {
        "square"
    }
    fn value(&self, x: f64) -> f64 {
        x * x
    }
    fn integer(&self, x: i64) -> Option<i64> {
        Some(x.wrapping_mul(x))
    }
    fn derivative(&self, x: &Expr, _y: &Expr) -> Option<Expr> {
        Some(x.scale(2.0))
    }
    fn image(&self, x: &Interval) -> Interval {
        if x.is_point() {
            return Interval::point(&x.lo.square());
        }
        Interval { lo: x.lo.maximum(&x.hi.neg()).relu().square(), hi: x.magnitude().square() }
    }
    fn ulps(&self) -> f64 {
        1.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        Some(convex(x, &x.center(), &|v| v.square(), &|v| v.scale(2.0), rounding))
    }
}
