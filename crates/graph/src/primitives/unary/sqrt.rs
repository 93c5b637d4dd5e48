//! √x.

use super::lines::concave;
use super::{Lines, Rules, increasing};
use crate::{Expr, Interval, Rounding, Unary};

pub(super) struct Sqrt;

impl Rules for Sqrt {
    fn name(&self) -> &'static str {
        "sqrt"
    }
    fn value(&self, x: f64) -> f64 {
        x.sqrt()
    }
    fn derivative(&self, _x: &Expr, y: &Expr) -> Option<Expr> {
        Some(y.reciprocal().scale(0.5))
    }
    fn image(&self, x: &Interval) -> Interval {
        increasing(Unary::Sqrt, x)
    }
    fn ulps(&self) -> f64 {
        1.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        Some(concave(x, &x.center(), &|v| v.sqrt(), &|v| v.sqrt().reciprocal().scale(0.5), rounding))
    }
}
