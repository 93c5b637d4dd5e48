//! Hyperbolic tangent.

use super::lines::s_shaped;
use super::{Lines, Rules, increasing};
use crate::{Expr, Interval, Rounding, Unary};

pub(super) struct Tanh;

fn derivative(y: &Expr) -> Expr {
    y.like(1.0).sub(&y.square())
}

impl Rules for Tanh {
    fn name(&self) -> &'static str {
        "tanh"
    }
    fn value(&self, x: f64) -> f64 {
        x.tanh()
    }
    fn derivative(&self, _x: &Expr, y: &Expr) -> Option<Expr> {
        Some(derivative(y))
    }
    fn image(&self, x: &Interval) -> Interval {
        increasing(Unary::Tanh, x)
    }
    fn ulps(&self) -> f64 {
        4.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        Some(s_shaped(x, &|v| v.tanh(), &|v| derivative(&v.tanh()), rounding))
    }
}
