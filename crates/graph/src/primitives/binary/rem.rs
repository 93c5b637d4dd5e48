//! Remainder of a division.

use super::Rules;
use crate::{Expr, Interval, Rounding};

pub(super) struct Rem;

// a/b rounded towards 0, exact where the quotient is: what is left after the remainder is a multiple of b.
fn quotient(a: &Expr, b: &Expr) -> Expr {
    a.sub(&a.rem(b)).div(b).round()
}

impl Rules for Rem {
    fn name(&self) -> &'static str {
        "rem"
    }
    fn value(&self, a: f64, b: f64) -> f64 {
        a % b
    }
    fn integer(&self, a: i64, b: i64) -> Option<i64> {
        Some(if b == 0 { 0 } else { a.wrapping_rem(b) })
    }
    fn linear_in(&self, _varying: &[bool]) -> Option<Vec<bool>> {
        None
    }
    // a − trunc(a/b)·b, where the truncated quotient is piecewise constant.
    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        let (a, b) = (&node.inputs()[0], &node.inputs()[1]);
        let divisor = tangents[1].as_ref().map(|t| t.mul(&quotient(a, b)));
        match (&tangents[0], divisor) {
            (Some(p), Some(q)) => Some(p.sub(&q)),
            (Some(p), None) => Some(p.clone()),
            (None, q) => q.map(|q| q.neg()),
        }
    }
    fn transpose(&self, _node: &Expr, _cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        vec![None; linear.len()]
    }
    // Smaller than both operands, with the sign of the first; exact where the divisor is fixed and both ends of the
    // dividend have one quotient. The remainder of floating-point numbers is a floating-point number: nothing rounds.
    fn interval(&self, a: &Interval, b: &Interval, _rounding: Rounding) -> Interval {
        if a.is_point() && b.is_point() {
            return Interval::point(&a.lo.rem(&b.lo));
        }
        let limit = b.magnitude();
        let wide = Interval { lo: a.lo.neg().relu().minimum(&limit).neg(), hi: a.hi.relu().minimum(&limit) };
        if !b.is_point() {
            return wide;
        }
        let same = quotient(&a.lo, &b.lo).equal(&quotient(&a.hi, &b.lo));
        Interval {
            lo: Expr::select(&same, &a.lo.rem(&b.lo), &wide.lo),
            hi: Expr::select(&same, &a.hi.rem(&b.lo), &wide.hi),
        }
    }
}
