//! The larger and the smaller of two values.

use super::Rules;
use crate::{Expr, Interval, Rounding};

pub(super) struct Max;
pub(super) struct Min;

// The tangent follows the operand that is chosen; where both are equal, the first.
fn chosen_tangent(first: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
    let part = |mask: Expr, t: &Option<Expr>| t.as_ref().map(|t| t.mul(&mask));
    let second = first.like(1.0).sub(first);
    match (part(first.clone(), &tangents[0]), part(second, &tangents[1])) {
        (Some(a), Some(b)) => Some(a.add(&b)),
        (a, b) => a.or(b),
    }
}

impl Rules for Max {
    fn name(&self) -> &'static str {
        "max"
    }
    fn value(&self, a: f64, b: f64) -> f64 {
        if a.is_nan() || a >= b { a } else { b }
    }
    fn integer(&self, a: i64, b: i64) -> Option<i64> {
        Some(a.max(b))
    }
    fn linear_in(&self, _varying: &[bool]) -> Option<Vec<bool>> {
        None
    }
    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        chosen_tangent(&node.inputs()[0].greater_equal(&node.inputs()[1]), tangents)
    }
    fn transpose(&self, _node: &Expr, _cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        vec![None; linear.len()]
    }
    fn interval(&self, a: &Interval, b: &Interval, _rounding: Rounding) -> Interval {
        if a.is_point() && b.is_point() {
            return Interval::point(&a.lo.maximum(&b.lo));
        }
        Interval { lo: a.lo.maximum(&b.lo), hi: a.hi.maximum(&b.hi) }
    }
    // No `relax`: through max(a, b) = b + relu(a − b), see `linear_bounds`.
}

impl Rules for Min {
    fn name(&self) -> &'static str {
        "min"
    }
    fn value(&self, a: f64, b: f64) -> f64 {
        if a.is_nan() || a <= b { a } else { b }
    }
    fn integer(&self, a: i64, b: i64) -> Option<i64> {
        Some(a.min(b))
    }
    fn linear_in(&self, _varying: &[bool]) -> Option<Vec<bool>> {
        None
    }
    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        chosen_tangent(&node.inputs()[0].less_equal(&node.inputs()[1]), tangents)
    }
    fn transpose(&self, _node: &Expr, _cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        vec![None; linear.len()]
    }
    fn interval(&self, a: &Interval, b: &Interval, _rounding: Rounding) -> Interval {
        if a.is_point() && b.is_point() {
            return Interval::point(&a.lo.minimum(&b.lo));
        }
        Interval { lo: a.lo.minimum(&b.lo), hi: a.hi.minimum(&b.hi) }
    }
    // No `relax`: through min(a, b) = a − relu(a − b), see `linear_bounds`.
}
