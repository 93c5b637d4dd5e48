//! Linear bound propagation against searched points, closed forms, an independent CROWN and exact arithmetic.

mod composition;
mod containment;
mod crown;
mod curves;
mod exact;
mod nets;
mod rounding;
mod sets;
mod slopes;
mod words;

use crate::numbers::run;
use perturb_graph::{Domain, Expr, Intermediate, LinearBoundsOptions, Rounding, linear_bounds};

const NEAREST: LinearBoundsOptions =
    LinearBoundsOptions { rounding: Rounding::Nearest, intermediate: Intermediate::Backward };
const OUTWARD: LinearBoundsOptions =
    LinearBoundsOptions { rounding: Rounding::Outward, intermediate: Intermediate::Backward };

/// Both of a way of rounding's options: inner bounds by intervals, and by backward walks.
fn both(rounding: Rounding) -> [LinearBoundsOptions; 2] {
    [Intermediate::Interval, Intermediate::Backward].map(|intermediate| LinearBoundsOptions { rounding, intermediate })
}

/// Lower and upper bounds as numbers.
fn bounds(output: &Expr, inputs: &[(Expr, Domain)], options: LinearBoundsOptions) -> (Vec<f64>, Vec<f64>) {
    let of = linear_bounds(std::slice::from_ref(output), inputs, options).unwrap().remove(0);
    let mut ends = run(&[of.lo, of.hi], &[]);
    let hi = ends.remove(1);
    (ends.remove(0), hi)
}
