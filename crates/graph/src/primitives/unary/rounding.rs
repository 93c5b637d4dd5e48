//! Rounding to integers: floor, ceil and round half to even. Piecewise constant, so all three share their rules.

use super::{Lines, Rules, increasing};
use crate::{Expr, Interval, Rounding, Unary};

macro_rules! integer {
    ($t:ident, $name:literal, $f:expr) => {
        pub(super) struct $t;

        impl Rules for $t {
            fn name(&self) -> &'static str {
                $name
            }
            fn value(&self, x: f64) -> f64 {
                $f(x)
            }
            fn derivative(&self, _x: &Expr, _y: &Expr) -> Option<Expr> {
                None
            }
            fn image(&self, x: &Interval) -> Interval {
                increasing(Unary::$t, x)
            }
            fn ulps(&self) -> f64 {
                0.0
            }
            // Piecewise constant: its interval is used.
            fn lines(&self, _x: &Interval, _rounding: Rounding) -> Option<Lines> {
                None
            }
        }
    };
}

integer!(Floor, "floor", f64::floor);
integer!(Ceil, "ceil", f64::ceil);
integer!(Round, "round", f64::round_ties_even);
