//! Logistic function.

use super::lines::s_shaped;
use super::{Lines, Rules, increasing};
use crate::{Expr, Interval, Rounding, Unary};

pub(super) struct Sigmoid;

fn derivative(y: &Expr) -> Expr {
    y.mul(&y.like(1.0).sub(y))
}

impl Rules for Sigmoid {
    fn name(&self) -> &'static str {
        "sigmoid"
    }
    fn value(&self, x: f64) -> f64 {
        if x >= 0.0 {
            1.0 / (1.0 + (-x).exp())
        } else {
            let e = x.exp();
            e / (1.0 + e)
        }
    }
    fn derivative(&self, _x: &Expr, y: &Expr) -> Option<Expr> {
        Some(derivative(y))
    }
    fn image(&self, x: &Interval) -> Interval {
        increasing(Unary::Sigmoid, x)
    }
    fn ulps(&self) -> f64 {
        8.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        Some(s_shaped(x, &|v| v.sigmoid(), &|v| derivative(&v.sigmoid()), rounding))
    }
}
