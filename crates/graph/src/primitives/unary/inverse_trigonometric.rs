//! Inverse sine, cosine and tangent.

use super::lines::{reverse_s_shaped, s_shaped};
use super::{Lines, Rules, increasing};
use crate::{Expr, Interval, Rounding, Unary};

pub(super) struct Asin;
pub(super) struct Acos;
pub(super) struct Atan;

// 1/√(1 − x²), without cancellation near ±1.
fn arc(x: &Expr) -> Expr {
    x.neg().offset(1.0).mul(&x.offset(1.0)).sqrt().reciprocal()
}

fn atan_slope(x: &Expr) -> Expr {
    x.square().offset(1.0).reciprocal()
}

impl Rules for Asin {
    fn name(&self) -> &'static str {
        "asin"
    }
    fn value(&self, x: f64) -> f64 {
        x.asin()
    }
    fn derivative(&self, x: &Expr, _y: &Expr) -> Option<Expr> {
        Some(arc(x))
    }
    fn image(&self, x: &Interval) -> Interval {
        increasing(Unary::Asin, x)
    }
    fn ulps(&self) -> f64 {
        4.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        Some(reverse_s_shaped(x, &|v| v.asin(), &arc, rounding))
    }
}

impl Rules for Acos {
    fn name(&self) -> &'static str {
        "acos"
    }
    fn value(&self, x: f64) -> f64 {
        x.acos()
    }
    fn derivative(&self, x: &Expr, _y: &Expr) -> Option<Expr> {
        Some(arc(x).neg())
    }
    fn image(&self, x: &Interval) -> Interval {
        if x.is_point() { Interval::point(&x.lo.acos()) } else { Interval { lo: x.hi.acos(), hi: x.lo.acos() } }
    }
    fn ulps(&self) -> f64 {
        4.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        Some(s_shaped(x, &|v| v.acos(), &|v| arc(v).neg(), rounding))
    }
}

impl Rules for Atan {
    fn name(&self) -> &'static str {
        "atan"
    }
    fn value(&self, x: f64) -> f64 {
        x.atan()
    }
    fn derivative(&self, x: &Expr, _y: &Expr) -> Option<Expr> {
        Some(atan_slope(x))
    }
    fn image(&self, x: &Interval) -> Interval {
        increasing(Unary::Atan, x)
    }
    fn ulps(&self) -> f64 {
        4.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        Some(s_shaped(x, &|v| v.atan(), &atan_slope, rounding))
    }
}
