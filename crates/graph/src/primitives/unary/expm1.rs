//! eˣ − 1, accurate near 0.

use super::lines::convex;
use super::{Lines, Rules, increasing};
use crate::{Expr, Interval, Rounding, Unary};

pub(super) struct Expm1;

impl Rules for Expm1 {
    fn name(&self) -> &'static str {
        "expm1"
    }
    fn value(&self, x: f64) -> f64 {
        x.exp_m1()
    }
    fn derivative(&self, x: &Expr, _y: &Expr) -> Option<Expr> {
        Some(x.exp())
    }
    fn image(&self, x: &Interval) -> Interval {
        increasing(Unary::Expm1, x)
    }
    fn ulps(&self) -> f64 {
        4.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        // As for eˣ: a tangent left of lo + 1 keeps the lower line above −1 at lo.
        let point = x.center().minimum(&x.lo.add(&x.lo.like(0.99)));
        Some(convex(x, &point, &|v| v.expm1(), &|v| v.exp(), rounding))
    }
}
