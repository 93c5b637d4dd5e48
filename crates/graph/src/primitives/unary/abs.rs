//! |x|.

use super::lines::{Line, above_chord, chord_slope};
use super::{Lines, Rules};
use crate::{Expr, Interval, Rounding};

pub(super) struct Abs;

impl Rules for Abs {
    fn name(&self) -> &'static str {
        "abs"
    }
    fn value(&self, x: f64) -> f64 {
        x.abs()
    }
    fn integer(&self, x: i64) -> Option<i64> {
        Some(x.wrapping_abs())
    }
    fn derivative(&self, x: &Expr, _y: &Expr) -> Option<Expr> {
        Some(x.sign())
    }
    fn image(&self, x: &Interval) -> Interval {
        if x.is_point() {
            return Interval::point(&x.lo.abs());
        }
        // The smallest magnitude is 0 where the interval straddles 0.
        Interval { lo: x.lo.maximum(&x.hi.neg()).relu(), hi: x.magnitude() }
    }
    fn ulps(&self) -> f64 {
        0.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        let (f_lo, f_hi) = (x.lo.abs(), x.hi.abs());
        let upper = above_chord(x, &chord_slope(x, &f_lo, &f_hi), &f_lo, &f_hi, rounding);
        // s·x ≤ |x| for every |s| ≤ 1: the side that reaches farther from 0 makes the smaller gap.
        let lower = Line { slope: x.lo.add(&x.hi).sign(), intercept: x.lo.like(0.0) };
        Some(Lines::new(lower, upper))
    }
}
