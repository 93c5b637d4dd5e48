//! max(x, 0).

use super::lines::{Line, above_chord, chord_slope};
use super::{Lines, Rules, increasing};
use crate::{Expr, Interval, Rounding, Unary};

pub(super) struct Relu;

impl Rules for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }
    fn value(&self, x: f64) -> f64 {
        // Not f64::max, which would turn NaN into 0.
        if x < 0.0 { 0.0 } else { x }
    }
    fn derivative(&self, x: &Expr, _y: &Expr) -> Option<Expr> {
        Some(x.step())
    }
    fn image(&self, x: &Interval) -> Interval {
        increasing(Unary::Relu, x)
    }
    fn ulps(&self) -> f64 {
        0.0
    }
    // Zhang et al. 2018 (CROWN), table 1, with the adaptive lower slope: 1 where hi > −lo, else 0.
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines> {
        let (f_lo, f_hi) = (x.lo.relu(), x.hi.relu());
        let upper = above_chord(x, &chord_slope(x, &f_lo, &f_hi), &f_lo, &f_hi, rounding);
        let lower = Line { slope: x.lo.add(&x.hi).step(), intercept: x.lo.like(0.0) };
        Some(Lines::new(lower, upper))
    }
}

/// Lines around `relu`, of which the lower one goes through 0 with a given slope in [0, 1] where the sign of the operand is
/// open.
pub(super) fn lines_with_slope(bounds: &Interval, slope: &Expr, rounding: Rounding) -> Lines {
    let zero = bounds.lo.like(0.0);
    let decided = bounds.lo.greater_equal(&zero).maximum(&bounds.hi.less_equal(&zero));
    let lines = Relu.lines(bounds, rounding).expect("relu has lines on every interval");
    Lines { lower_slope: Expr::select(&decided, &lines.lower_slope, slope), ..lines }
}
