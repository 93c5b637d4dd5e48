//! log(1 + x), accurate near 0.

use super::lines::concave;
use super::{Lines, Rules, increasing};
use crate::{Expr, Interval, Rounding, Unary};

pub(super) struct Log1p;

fn derivative(x: &Expr) -> Expr {
    x.offset(1.0).reciprocal()
}

impl Rules for Log1p {
    fn name(&self) -> &'static str {
        "log1p"
    }
    fn value(&self, x: f64) -> f64 {
        x.ln_1p()
    }
    fn derivative(&self, x: &Expr, _y: &Expr) -> Option<Expr> {
        Some(derivative(x))
    }
    fn image(&self, x: &Interval) -> Interval {
        increasing(Unary::Log1p, x)
    }
    fn ulps(&self) -> f64 {
        4.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        Some(concave(x, &x.center(), &|v| v.log1p(), &derivative, rounding))
    }
}
