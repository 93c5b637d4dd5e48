//! Product: linear in each operand, with McCormick's planes where both vary.

use super::Rules;
use crate::interval::{underflow, unit_roundoff};
use crate::op::{Relaxation, linear_jvp, separately_linear};
use crate::{Expr, Interval, Rounding};

pub(super) struct Mul;

impl Rules for Mul {
    fn name(&self) -> &'static str {
        "mul"
    }
    fn value(&self, a: f64, b: f64) -> f64 {
        a * b
    }
    fn integer(&self, a: i64, b: i64) -> Option<i64> {
        Some(a.wrapping_mul(b))
    }
    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        separately_linear(varying)
    }
    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        linear_jvp(node, tangents)
    }
    fn transpose(&self, node: &Expr, cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        let (a, b) = (&node.inputs()[0], &node.inputs()[1]);
        vec![linear[0].then(|| cotangent.mul(b)), linear[1].then(|| cotangent.mul(a))]
    }
    fn interval(&self, a: &Interval, b: &Interval, rounding: Rounding) -> Interval {
        if a.is_point() && b.is_point() {
            return Interval::point(&a.lo.mul(&b.lo)).widen(1.0, rounding);
        }
        let (point, other) = if a.is_point() { (a, b) } else { (b, a) };
        if point.is_point() {
            let (p, q) = (point.lo.mul(&other.lo), point.lo.mul(&other.hi));
            return Interval { lo: p.minimum(&q), hi: p.maximum(&q) }.widen(1.0, rounding);
        }
        let corners = [a.lo.mul(&b.lo), a.lo.mul(&b.hi), a.hi.mul(&b.lo), a.hi.mul(&b.hi)];
        let [p, q, r, s] = &corners;
        Interval { lo: p.minimum(q).minimum(&r.minimum(s)), hi: p.maximum(q).maximum(&r.maximum(s)) }
            .widen(1.0, rounding)
    }
    // McCormick 1976: of the two planes on each side, the one through the corner that is nearer the box's centre
    // value is not known beforehand; the pair (lo, lo) below and (hi, lo) above is valid everywhere.
    fn relax(&self, node: &Expr, a: &Interval, b: &Interval, rounding: Rounding) -> Option<Relaxation> {
        let (x, y) = (&node.inputs()[0], &node.inputs()[1]);
        let plane = |p: &Expr, q: &Expr| y.mul(p).add(&x.mul(q)); // x·q + y·p
        let slack = |v: &Expr| {
            let size = a.magnitude().mul(&b.magnitude());
            let slack = size.scale(16.0 * unit_roundoff(v.dtype())).add(&v.like(16.0 * underflow(v.dtype())));
            if rounding == Rounding::Nearest { None } else { Some(slack) }
        };
        let low = a.lo.mul(&b.lo);
        let high = a.hi.mul(&b.lo);
        let low_constant = slack(&low).map_or_else(|| low.clone(), |s| low.add(&s));
        let high_constant = slack(&high).map_or_else(|| high.clone(), |s| high.sub(&s));
        Some(Relaxation {
            lower: plane(&a.lo, &b.lo).sub(&low_constant),
            upper: plane(&a.hi, &b.lo).sub(&high_constant),
        })
    }
    fn adjoint_error(&self, node: &Expr, inputs: &[Interval]) -> Option<Expr> {
        let size = inputs[0].magnitude().mul(&inputs[1].magnitude());
        Some(size.scale(4.0 * unit_roundoff(node.dtype())))
    }
}
