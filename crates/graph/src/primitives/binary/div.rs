//! Quotient: linear in the numerator; otherwise a product with a reciprocal.

use super::{Binary, Rules};
use crate::interval::unit_roundoff;
use crate::op::Primitive;
use crate::{Expr, Interval, Rounding, Unary};

pub(super) struct Div;

impl Rules for Div {
    fn name(&self) -> &'static str {
        "div"
    }
    fn value(&self, a: f64, b: f64) -> f64 {
        a / b
    }
    fn integer(&self, a: i64, b: i64) -> Option<i64> {
        Some(if b == 0 { 0 } else { a.wrapping_div(b) })
    }
    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        (!varying[1]).then(|| varying.to_vec())
    }
    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        let b = &node.inputs()[1];
        let numerator = tangents[0].as_ref().map(|t| t.div(b));
        // d(a/b) = da/b − (a/b)·db/b
        let denominator = tangents[1].as_ref().map(|t| node.mul(&t.div(b)));
        match (numerator, denominator) {
            (Some(n), Some(d)) => Some(n.sub(&d)),
            (n, d) => n.or_else(|| d.map(|d| d.neg())),
        }
    }
    fn transpose(&self, node: &Expr, cotangent: &Expr, _linear: &[bool]) -> Vec<Option<Expr>> {
        vec![Some(cotangent.div(&node.inputs()[1])), None]
    }
    fn interval(&self, a: &Interval, b: &Interval, rounding: Rounding) -> Interval {
        if a.is_point() && b.is_point() {
            return Interval::point(&a.lo.div(&b.lo)).widen(1.0, rounding);
        }
        if b.is_point() {
            let (p, q) = (a.lo.div(&b.lo), a.hi.div(&b.lo));
            return Interval { lo: p.minimum(&q), hi: p.maximum(&q) }.widen(1.0, rounding);
        }
        let inverse = Unary::Reciprocal.interval(&b.lo, std::slice::from_ref(b), rounding);
        Binary::Mul.interval(&a.lo, &[a.clone(), inverse], rounding).widen(1.0, rounding)
    }
    // No divisor but 0, where the quotient is 0, makes an integer larger.
    fn integer_image(&self, a: &Interval, _b: &Interval) -> Interval {
        Interval { lo: a.magnitude().neg(), hi: a.magnitude() }
    }
    // No `relax`: with a varying denominator the transform rewrites the node as a·(1/b), see `linear_bounds`.
    fn adjoint_error(&self, node: &Expr, inputs: &[Interval]) -> Option<Expr> {
        Some(inputs[0].magnitude().div(&inputs[1].lo.abs()).scale(4.0 * unit_roundoff(node.dtype())))
    }
}
