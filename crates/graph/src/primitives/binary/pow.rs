//! Power.

use super::Rules;
use crate::op::Relaxation;
use crate::primitives::unary::{Lines, concave, convex};
use crate::{Expr, Interval, Rounding};

pub(super) struct Pow;

impl Rules for Pow {
    fn name(&self) -> &'static str {
        "pow"
    }
    fn value(&self, a: f64, b: f64) -> f64 {
        a.powf(b)
    }
    fn integer(&self, a: i64, b: i64) -> Option<i64> {
        Some(match (a, b) {
            (1, _) => 1,
            (-1, b) => 1 - 2 * (b & 1),
            (_, b) if b < 0 => 0,
            (a, b) => wrapping_power(a, b as u64),
        })
    }
    fn linear_in(&self, _varying: &[bool]) -> Option<Vec<bool>> {
        None
    }
    // d(aᵇ) = b·aᵇ⁻¹·da + aᵇ·log(a)·db, where 0 to the power 0 − 1 and the logarithm of 0 are replaced by what keeps the
    // products 0.
    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        let (a, b) = (&node.inputs()[0], &node.inputs()[1]);
        let zero = a.like(0.0);
        let base = tangents[0].as_ref().map(|t| {
            let both_zero = a.equal(&zero).mul(&b.equal(&zero));
            let lowered = Expr::select(&both_zero, &b.like(1.0), &b.offset(-1.0));
            t.mul(&b.mul(&a.pow(&lowered)))
        });
        let exponent = tangents[1].as_ref().map(|t| {
            let logarithm = Expr::select(&a.equal(&zero), &a.like(1.0), a).log();
            t.mul(&node.mul(&logarithm))
        });
        match (base, exponent) {
            (Some(p), Some(q)) => Some(p.add(&q)),
            (p, q) => p.or(q),
        }
    }
    fn transpose(&self, _node: &Expr, _cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        vec![None; linear.len()]
    }
    // For positive bases the exponent of e is b·log(a), bilinear: the extremes are at the corners. Nothing is known about
    // other bases.
    fn interval(&self, a: &Interval, b: &Interval, rounding: Rounding) -> Interval {
        if a.is_point() && b.is_point() {
            return Interval::point(&a.lo.pow(&b.lo)).widen(ULPS, rounding);
        }
        let corners = [a.lo.pow(&b.lo), a.lo.pow(&b.hi), a.hi.pow(&b.lo), a.hi.pow(&b.hi)];
        let [p, q, r, s] = &corners;
        let image = Interval { lo: p.minimum(q).minimum(&r.minimum(s)), hi: p.maximum(q).maximum(&r.maximum(s)) };
        let image = image.widen(ULPS, rounding);
        let (positive, infinite) = (a.lo.step(), image.lo.like(f64::INFINITY));
        Interval {
            lo: Expr::select(&positive, &image.lo, &infinite.neg()),
            hi: Expr::select(&positive, &image.hi, &infinite),
        }
    }
    // For a fixed exponent b and positive bases: concave for 0 ≤ b ≤ 1, convex otherwise.
    fn relax(&self, node: &Expr, a: &Interval, b: &Interval, rounding: Rounding) -> Option<Relaxation> {
        if !b.is_point() {
            return None;
        }
        let f = |v: &Expr| v.pow(&b.lo);
        // Not by b − 1, whose rounding a power would enlarge.
        let slope = |v: &Expr| b.lo.mul(&f(v)).div(v);
        let between = b.lo.greater(&b.lo.like(0.0)).mul(&b.lo.less(&b.lo.like(1.0)));
        let point = a.center();
        let curved = concave(a, &point, &f, &slope, rounding).or(&between, &convex(a, &point, &f, &slope, rounding));
        let infinite = a.lo.like(f64::INFINITY);
        let unknown = Lines::constant(&Interval { lo: infinite.neg(), hi: infinite });
        Some(curved.or(&a.lo.step(), &unknown).of(&node.inputs()[0]))
    }
    fn integer_image(&self, a: &Interval, _b: &Interval) -> Interval {
        let infinite = a.lo.like(f64::INFINITY);
        Interval { lo: infinite.neg(), hi: infinite }
    }
}

// By how many units of roundoff a library's power may be off.
const ULPS: f64 = 8.0;

// Repeated squaring, modulo 2⁶⁴.
fn wrapping_power(mut base: i64, mut exponent: u64) -> i64 {
    let mut result = 1i64;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent >>= 1;
    }
    result
}
