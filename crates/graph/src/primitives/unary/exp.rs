//! eˣ.

use super::lines::convex;
use super::{Lines, Rules, increasing};
use crate::{Expr, Interval, Rounding, Unary};

pub(super) struct Exp;

impl Rules for Exp {
    fn name(&self) -> &'static str {
        "exp"
    }
    fn value(&self, x: f64) -> f64 {
        x.exp()
    }
    fn derivative(&self, _x: &Expr, y: &Expr) -> Option<Expr> {
        Some(y.clone())
    }
    fn image(&self, x: &Interval) -> Interval {
        increasing(Unary::Exp, x)
    }
    fn ulps(&self) -> f64 {
        4.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        // Shi et al. 2020: a tangent left of lo + 1 keeps the lower line positive at lo.
        let point = x.center().minimum(&x.lo.add(&x.lo.like(0.99)));
        Some(convex(x, &point, &|v| v.exp(), &|v| v.exp(), rounding))
    }
}
