//! Gauss error function.

use super::lines::s_shaped;
use super::{Lines, Rules, increasing};
use crate::{Expr, Interval, Rounding, Unary};
use std::f64::consts::PI;

pub(super) struct Erf;

fn derivative(x: &Expr) -> Expr {
    x.square().neg().exp().scale(2.0 / PI.sqrt())
}

impl Rules for Erf {
    fn name(&self) -> &'static str {
        "erf"
    }
    fn value(&self, x: f64) -> f64 {
        libm::erf(x)
    }
    fn derivative(&self, x: &Expr, _y: &Expr) -> Option<Expr> {
        Some(derivative(x))
    }
    fn image(&self, x: &Interval) -> Interval {
        increasing(Unary::Erf, x)
    }
    fn ulps(&self) -> f64 {
        4.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        Some(s_shaped(x, &|v| v.erf(), &derivative, rounding))
    }
}
