//! Natural logarithm.

use super::lines::concave;
use super::{Lines, Rules, increasing};
use crate::{Expr, Interval, Rounding, Unary};

pub(super) struct Log;

impl Rules for Log {
    fn name(&self) -> &'static str {
        "log"
    }
    fn value(&self, x: f64) -> f64 {
        x.ln()
    }
    fn derivative(&self, x: &Expr, _y: &Expr) -> Option<Expr> {
        Some(x.reciprocal())
    }
    fn image(&self, x: &Interval) -> Interval {
        increasing(Unary::Log, x)
    }
    fn ulps(&self) -> f64 {
        4.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        Some(concave(x, &x.center(), &|v| v.log(), &|v| v.reciprocal(), rounding))
    }
}
