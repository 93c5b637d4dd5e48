//! Sine and cosine, which share one interval rule, and the tangent.

use super::lines::s_shaped_about;
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
    // An unknown end (NaN) may be anywhere.
    let none = turns(&x.hi, 1.0).floor().less(&turns(&x.lo, -1.0));
    none.equal(&none.like(0.0))
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

// Beyond this magnitude multiples of π are not known well enough in `f32` for tangents at them.
const FAR: f64 = 128.0;

/// Lines of a function whose points of inflection are `first + kπ`, where it turns from convex to concave for even `k`
/// and back for odd ones (or the other way round, if not `convex_first`). An interval of at most half a period reaches
/// over one of them only; `otherwise` are the lines over longer ones and far from 0.
fn between_inflections(
    x: &Interval,
    first: f64,
    convex_first: bool,
    (f, slope): (Unary, &dyn Fn(&Expr) -> Expr),
    otherwise: &Lines,
    rounding: Rounding,
) -> Lines {
    let turns = x.center().offset(-first).scale(1.0 / PI).round();
    let inflection = turns.scale(PI).offset(first);
    // −1 where k is odd.
    let sign = turns.scale(0.5).sub(&turns.scale(0.5).floor()).scale(-4.0).offset(1.0);
    let sign = if convex_first { sign } else { sign.neg() };
    let at = |v: &Expr| Expr::build(f, std::slice::from_ref(v));
    let lines = s_shaped_about(&inflection, x, &|v| at(v).mul(&sign), &|v| slope(v).mul(&sign), rounding);
    let lines = lines.or(&sign.step(), &lines.negate());
    let near = x.hi.sub(&x.lo).less(&x.lo.like(PI)).mul(&x.magnitude().less(&x.lo.like(FAR)));
    lines.or(&near, otherwise)
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
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        let otherwise = Lines::constant(&self.image(x).widen(self.ulps(), rounding));
        Some(between_inflections(x, 0.0, true, (Unary::Sin, &|v| v.cos()), &otherwise, rounding))
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
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        let otherwise = Lines::constant(&self.image(x).widen(self.ulps(), rounding));
        let slope = |v: &Expr| v.sin().neg();
        Some(between_inflections(x, FRAC_PI_2, false, (Unary::Cos, &slope), &otherwise, rounding))
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
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        // Concave before each zero and convex after it, between two poles.
        let otherwise = Lines::constant(&self.image(x).widen(self.ulps(), rounding));
        let slope = |v: &Expr| v.tan().square().offset(1.0);
        let turns = x.center().scale(1.0 / PI).round();
        let (f, minus) = (|v: &Expr| v.tan().neg(), |v: &Expr| slope(v).neg());
        let lines = s_shaped_about(&turns.scale(PI), x, &f, &minus, rounding).negate();
        let pole = contains(x, FRAC_PI_2, PI);
        let near = pole.equal(&pole.like(0.0)).mul(&x.magnitude().less(&x.lo.like(FAR)));
        Some(lines.or(&near, &otherwise))
    }
}
