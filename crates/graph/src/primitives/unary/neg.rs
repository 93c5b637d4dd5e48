//! −x.

use super::{Lines, Rules};
use crate::{Expr, Interval, Rounding};

pub(super) struct Neg;

impl Rules for Neg {
    fn name(&self) -> &'static str {
        "neg"
    }
    fn value(&self, x: f64) -> f64 {
        -x
    }
    fn integer(&self, x: i64) -> Option<i64> {
        Some(x.wrapping_neg())
    }
    fn derivative(&self, x: &Expr, _y: &Expr) -> Option<Expr> {
        Some(x.like(-1.0))
    }
    fn image(&self, x: &Interval) -> Interval {
        if x.is_point() { Interval::point(&x.lo.neg()) } else { Interval { lo: x.hi.neg(), hi: x.lo.neg() } }
    }
    fn ulps(&self) -> f64 {
        0.0
    }
    // Linear: bound propagation transposes it instead.
    fn lines(&self, _x: &Interval, _rounding: Rounding) -> Option<Lines> {
        None
    }
}
