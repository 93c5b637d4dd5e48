//! Sine and cosine, which share one interval rule, and the tangent.

use super::{Lines, Rules};
use crate::interval::unit_roundoff;
use crate::{Expr, Interval, Rounding, Unary};
use std::f64::consts::{FRAC_PI_2, PI, TAU};

pub(super) struct Sin;
pub(super) struct Cos;
pub(super) struct Tan;

/// 1 where one of the points `at`, `at ± period`, … lies in the interval, or may do so.
///
/// It does when an integer lies in [(lo − at)/period, (hi − at)/period]. The ends are moved outward by the rounding of
/// this computation, so that a point at an end is never missed.
fn contains(x: &Interval, at: f64, period: f64) -> Expr {
    let turns = |v: &Expr, side: f64| {
        let t = v.sub(&v.like(at)).scale(1.0 / period);
        let slack = t.abs().add(&v.abs()).add(&v.like(1.0)).scale(side * 8.0 * unit_roundoff(v.dtype()));
        t.add(&slack)
    };
    turns(&x.hi, 1.0).floor().greater_equal(&turns(&x.lo, -1.0))
}

/// Image of an interval under a function of period 2π with its maximum at `peak` and its minimum half a period later.
fn periodic(f: Unary, x: &Interval, peak: f64) -> Interval {
    let at = |v: &Expr| Expr::build(f, std::slice::from_ref(v));
    if x.is_point() {
        return Interval::point(&at(&x.lo));
    }
    let (f_lo, f_hi) = (at(&x.lo), at(&x.hi));
    let contains = |extremum: f64| contains(x, extremum, TAU);
    Interval {
        lo: Expr::select(&contains(peak + PI), &x.lo.like(-1.0), &f_lo.minimum(&f_hi)),
        hi: Expr::select(&contains(peak), &x.lo.like(1.0), &f_lo.maximum(&f_hi)),
    }
}

impl Rules for Sin {
    fn name(&self) -> &'static str {
        "sin"
    }
    fn value(&self, x: f64) -> f64 {
        x.sin()
    }
    fn derivative(&self, x: &Expr, _y: &Expr) -> Option<Expr> {
        Some(x.cos())
    }
    fn image(&self, x: &Interval) -> Interval {
        periodic(Unary::Sin, x, FRAC_PI_2)
    }
    fn ulps(&self) -> f64 {
        4.0
    }
    // Neither convex nor concave in general: its interval is used.
    fn lines(&self, _x: &Interval, _rounding: Rounding) -> Option<Lines> {
        None
    }
}

impl Rules for Cos {
    fn name(&self) -> &'static str {
        "cos"
    }
    fn value(&self, x: f64) -> f64 {
        x.cos()
    }
    fn derivative(&self, x: &Expr, _y: &Expr) -> Option<Expr> {
        Some(x.sin().neg())
    }
    fn image(&self, x: &Interval) -> Interval {
        periodic(Unary::Cos, x, 0.0)
    }
    fn ulps(&self) -> f64 {
        4.0
    }
    // Neither convex nor concave in general: its interval is used.
    fn lines(&self, _x: &Interval, _rounding: Rounding) -> Option<Lines> {
        None
    }
}

impl Rules for Tan {
    fn name(&self) -> &'static str {
        "tan"
    }
    fn value(&self, x: f64) -> f64 {
        x.tan()
    }
    fn derivative(&self, _x: &Expr, y: &Expr) -> Option<Expr> {
        Some(y.square().offset(1.0))
    }
    fn image(&self, x: &Interval) -> Interval {
        if x.is_point() {
            return Interval::point(&x.lo.tan());
        }
        // Increasing between two poles, and anything across one.
        let (pole, infinite) = (contains(x, FRAC_PI_2, PI), x.lo.like(f64::INFINITY));
        Interval {
            lo: Expr::select(&pole, &infinite.neg(), &x.lo.tan()),
            hi: Expr::select(&pole, &infinite, &x.hi.tan()),
        }
    }
    fn ulps(&self) -> f64 {
        4.0
    }
    fn lines(&self, _x: &Interval, _rounding: Rounding) -> Option<Lines> {
        None
    }
}
