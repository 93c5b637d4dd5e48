//! Sum and difference: linear in both operands together.

use super::Rules;
use crate::interval::unit_roundoff;
use crate::op::jointly_linear;
use crate::{Expr, Interval, Rounding};

pub(super) struct Add;
pub(super) struct Sub;

impl Rules for Add {
    fn name(&self) -> &'static str {
        "add"
    }
    fn value(&self, a: f64, b: f64) -> f64 {
        a + b
    }
    fn integer(&self, a: i64, b: i64) -> Option<i64> {
        Some(a.wrapping_add(b))
    }
    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        jointly_linear(varying)
    }
    fn jvp(&self, _node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        match (&tangents[0], &tangents[1]) {
            (Some(a), Some(b)) => Some(a.add(b)),
            (a, b) => a.clone().or_else(|| b.clone()),
        }
    }
    fn transpose(&self, _node: &Expr, cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        linear.iter().map(|&l| l.then(|| cotangent.clone())).collect()
    }
    fn interval(&self, a: &Interval, b: &Interval, rounding: Rounding) -> Interval {
        if a.is_point() && b.is_point() {
            return Interval::point(&a.lo.add(&b.lo)).widen(1.0, rounding);
        }
        Interval { lo: a.lo.add(&b.lo), hi: a.hi.add(&b.hi) }.widen(1.0, rounding)
    }
    // The adjoint is exact, the sum is not.
    fn adjoint_error(&self, node: &Expr, inputs: &[Interval]) -> Option<Expr> {
        let size = inputs[0].magnitude().add(&inputs[1].magnitude());
        Some(size.scale(2.0 * unit_roundoff(node.dtype())))
    }
}

impl Rules for Sub {
    fn name(&self) -> &'static str {
        "sub"
    }
    fn value(&self, a: f64, b: f64) -> f64 {
        a - b
    }
    fn integer(&self, a: i64, b: i64) -> Option<i64> {
        Some(a.wrapping_sub(b))
    }
    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        jointly_linear(varying)
    }
    fn jvp(&self, _node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        match (&tangents[0], &tangents[1]) {
            (Some(a), Some(b)) => Some(a.sub(b)),
            (Some(a), None) => Some(a.clone()),
            (None, b) => b.as_ref().map(Expr::neg),
        }
    }
    fn transpose(&self, _node: &Expr, cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        vec![linear[0].then(|| cotangent.clone()), linear[1].then(|| cotangent.neg())]
    }
    fn interval(&self, a: &Interval, b: &Interval, rounding: Rounding) -> Interval {
        if a.is_point() && b.is_point() {
            return Interval::point(&a.lo.sub(&b.lo)).widen(1.0, rounding);
        }
        Interval { lo: a.lo.sub(&b.hi), hi: a.hi.sub(&b.lo) }.widen(1.0, rounding)
    }
    // The adjoint is exact, the sum is not.
    fn adjoint_error(&self, node: &Expr, inputs: &[Interval]) -> Option<Expr> {
        let size = inputs[0].magnitude().add(&inputs[1].magnitude());
        Some(size.scale(2.0 * unit_roundoff(node.dtype())))
    }
}
