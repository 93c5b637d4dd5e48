//! Hyperbolic sine and cosine, and the inverse hyperbolic functions.

use super::lines::{concave, convex, reverse_s_shaped, s_shaped};
use super::{Lines, Rules, increasing};
use crate::{Expr, Interval, Rounding, Unary};

pub(super) struct Sinh;
pub(super) struct Cosh;
pub(super) struct Asinh;
pub(super) struct Acosh;
pub(super) struct Atanh;

// The derivatives of the inverse functions, without cancellation near ±1.
fn asinh_slope(x: &Expr) -> Expr {
    x.square().offset(1.0).sqrt().reciprocal()
}

fn acosh_slope(x: &Expr) -> Expr {
    x.offset(-1.0).mul(&x.offset(1.0)).sqrt().reciprocal()
}

fn atanh_slope(x: &Expr) -> Expr {
    x.neg().offset(1.0).mul(&x.offset(1.0)).reciprocal()
}

impl Rules for Sinh {
    fn name(&self) -> &'static str {
        "sinh"
    }
    fn value(&self, x: f64) -> f64 {
        x.sinh()
    }
    fn derivative(&self, x: &Expr, _y: &Expr) -> Option<Expr> {
        Some(x.cosh())
    }
    fn image(&self, x: &Interval) -> Interval {
        increasing(Unary::Sinh, x)
    }
    fn ulps(&self) -> f64 {
        4.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        Some(reverse_s_shaped(x, &|v| v.sinh(), &|v| v.cosh(), rounding))
    }
}

impl Rules for Cosh {
    fn name(&self) -> &'static str {
        "cosh"
    }
    fn value(&self, x: f64) -> f64 {
        x.cosh()
    }
    fn derivative(&self, x: &Expr, _y: &Expr) -> Option<Expr> {
        Some(x.sinh())
    }
    fn image(&self, x: &Interval) -> Interval {
        if x.is_point() {
            return Interval::point(&x.lo.cosh());
        }
        // Even and convex: smallest where the magnitude is.
        Interval { lo: x.lo.maximum(&x.hi.neg()).relu().cosh(), hi: x.magnitude().cosh() }
    }
    fn ulps(&self) -> f64 {
        4.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        Some(convex(x, &x.center(), &|v| v.cosh(), &|v| v.sinh(), rounding))
    }
}

impl Rules for Asinh {
    fn name(&self) -> &'static str {
        "asinh"
    }
    fn value(&self, x: f64) -> f64 {
        libm::asinh(x)
    }
    fn derivative(&self, x: &Expr, _y: &Expr) -> Option<Expr> {
        Some(asinh_slope(x))
    }
    fn image(&self, x: &Interval) -> Interval {
        increasing(Unary::Asinh, x)
    }
    fn ulps(&self) -> f64 {
        8.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        Some(s_shaped(x, &|v| v.asinh(), &asinh_slope, rounding))
    }
}

impl Rules for Acosh {
    fn name(&self) -> &'static str {
        "acosh"
    }
    fn value(&self, x: f64) -> f64 {
        libm::acosh(x)
    }
    fn derivative(&self, x: &Expr, _y: &Expr) -> Option<Expr> {
        Some(acosh_slope(x))
    }
    fn image(&self, x: &Interval) -> Interval {
        increasing(Unary::Acosh, x)
    }
    fn ulps(&self) -> f64 {
        8.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        Some(concave(x, &x.center(), &|v| v.acosh(), &acosh_slope, rounding))
    }
}

impl Rules for Atanh {
    fn name(&self) -> &'static str {
        "atanh"
    }
    fn value(&self, x: f64) -> f64 {
        libm::atanh(x)
    }
    fn derivative(&self, x: &Expr, _y: &Expr) -> Option<Expr> {
        Some(atanh_slope(x))
    }
    fn image(&self, x: &Interval) -> Interval {
        increasing(Unary::Atanh, x)
    }
    fn ulps(&self) -> f64 {
        8.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        Some(reverse_s_shaped(x, &|v| v.atanh(), &atanh_slope, rounding))
    }
}
