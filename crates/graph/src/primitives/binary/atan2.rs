//! Angle of a point.

use super::Rules;
use crate::{Expr, Interval, Rounding};
use std::f64::consts::PI;

pub(super) struct Atan2;

impl Rules for Atan2 {
    fn name(&self) -> &'static str {
        "atan2"
    }
    fn value(&self, a: f64, b: f64) -> f64 {
        a.atan2(b)
    }
    fn integer(&self, _a: i64, _b: i64) -> Option<i64> {
        None
    }
    fn linear_in(&self, _varying: &[bool]) -> Option<Vec<bool>> {
        None
    }
    // (x·dy − y·dx)/(x² + y²)
    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        let (y, x) = (&node.inputs()[0], &node.inputs()[1]);
        let square = x.square().add(&y.square());
        let along_y = tangents[0].as_ref().map(|t| t.mul(&x.div(&square)));
        let along_x = tangents[1].as_ref().map(|t| t.mul(&y.div(&square)));
        match (along_y, along_x) {
            (Some(p), Some(q)) => Some(p.sub(&q)),
            (p, q) => p.or_else(|| q.map(|q| q.neg())),
        }
    }
    fn transpose(&self, _node: &Expr, _cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        vec![None; linear.len()]
    }
    // Seen from the origin, a box reaches from one of its corners to another, unless it meets the negative half-axis,
    // where the angle jumps.
    fn interval(&self, y: &Interval, x: &Interval, rounding: Rounding) -> Interval {
        if y.is_point() && x.is_point() {
            return Interval::point(&y.lo.atan2(&x.lo)).widen(4.0, rounding);
        }
        let corners = [y.lo.atan2(&x.lo), y.lo.atan2(&x.hi), y.hi.atan2(&x.lo), y.hi.atan2(&x.hi)];
        let [p, q, r, s] = &corners;
        let zero = x.lo.like(0.0);
        let clear = x.lo.greater(&zero).maximum(&y.lo.greater(&zero)).maximum(&y.hi.less(&zero));
        let all = x.lo.like(PI);
        Interval {
            lo: Expr::select(&clear, &p.minimum(q).minimum(&r.minimum(s)), &all.neg()),
            hi: Expr::select(&clear, &p.maximum(q).maximum(&r.maximum(s)), &all),
        }
        .widen(4.0, rounding)
    }
}
