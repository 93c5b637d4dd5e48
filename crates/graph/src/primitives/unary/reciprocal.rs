//! 1/x.

use super::lines::{Line, above_chord, below_chord, chord_slope, tangent_above, tangent_below};
use super::{Lines, Rules};
use crate::{Expr, Interval, Rounding};

pub(super) struct Reciprocal;

impl Rules for Reciprocal {
    fn name(&self) -> &'static str {
        "reciprocal"
    }
    fn value(&self, x: f64) -> f64 {
        1.0 / x
    }
    fn derivative(&self, _x: &Expr, y: &Expr) -> Option<Expr> {
        Some(y.square().neg())
    }
    // An interval that contains 0 has no bounded image: the whole line is returned.
    fn image(&self, x: &Interval) -> Interval {
        if x.is_point() {
            return Interval::point(&x.lo.reciprocal());
        }
        let one_sided = x.lo.mul(&x.hi).sign().step();
        let infinite = x.lo.like(f64::INFINITY);
        Interval {
            lo: Expr::select(&one_sided, &x.hi.reciprocal(), &infinite.neg()),
            hi: Expr::select(&one_sided, &x.lo.reciprocal(), &infinite),
        }
    }
    fn ulps(&self) -> f64 {
        1.0
    }
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        // Convex right of 0, concave left of it; over an interval with 0 only infinite constants hold.
        let (f_lo, f_hi) = (x.lo.reciprocal(), x.hi.reciprocal());
        let chord = chord_slope(x, &f_lo, &f_hi);
        let middle = x.center();
        let (f, slope) = (middle.reciprocal(), middle.reciprocal().square().neg());
        let positive = x.lo.step();
        let one_sided = x.lo.mul(&x.hi).sign().step();
        let pick = |on_positive: Line, on_negative: Line, otherwise: f64| {
            let slope = Expr::select(&positive, &on_positive.slope, &on_negative.slope);
            let intercept = Expr::select(&positive, &on_positive.intercept, &on_negative.intercept);
            Line {
                slope: Expr::select(&one_sided, &slope, &x.lo.like(0.0)),
                intercept: Expr::select(&one_sided, &intercept, &x.lo.like(otherwise)),
            }
        };
        let lower = pick(
            tangent_below(x, &middle, &f, &slope, rounding),
            below_chord(x, &chord, &f_lo, &f_hi, rounding),
            f64::NEG_INFINITY,
        );
        let upper = pick(
            above_chord(x, &chord, &f_lo, &f_hi, rounding),
            tangent_above(x, &middle, &f, &slope, rounding),
            f64::INFINITY,
        );
        Some(Lines::new(lower, upper))
    }
}
