//! The extreme value of a linear functional over a set.

use super::domain::{Domain, Norm};
use super::total::{Side, Total, euclidean};
use crate::{Expr, Interval, Sort};

impl Domain {
    // Adds the smallest (or largest) value of ⟨covector, x⟩ over the set to `total`. `bounding` is a box around the set.
    pub(super) fn bound(&self, bounding: &Interval, covector: &Expr, total: &mut Total) {
        let side = total.side;
        let (size, n) = total.inner(&covector.abs(), &bounding.magnitude());
        total.add_rounding(&size, n);
        let middle = total.inner(covector, &bounding.center()).0;
        let reach = total.inner(&covector.abs(), &bounding.radius()).0;
        let over_box = side.below(&middle, &reach);
        let value = match self {
            Domain::Box { .. } | Domain::Ball { norm: Norm::Linf, .. } => over_box,
            Domain::Ball { center, radius, norm, within } => {
                let dual = match norm {
                    Norm::L2 => euclidean(covector),
                    _ => covector.abs().reduce_max(&(0..covector.rank()).collect::<Vec<_>>(), false),
                };
                let reach = dual.mul(&radius.reshape([]));
                let over_ball = side.below(&total.inner(covector, center).0, &reach);
                // The centre itself may lie outside the limits.
                let (size, n) = total.inner(&covector.abs(), &center.abs());
                total.add_rounding(&size, n);
                total.add_rounding(&reach, covector.shape().count());
                match within {
                    Some(_) => side.tighter(&over_ball, &over_box),
                    None => over_ball,
                }
            }
            Domain::Substitutions { rows, candidates, allowed, budget } => {
                let most = best_replacements(covector, rows, candidates, allowed, *budget, side);
                // A gain is a sum over a row of products with differences, of at most twice the magnitude each; then
                // gains are summed.
                total.add_rounding(&size.scale(4.0), covector.shape().count() + 8);
                side.tighter(&side.below(&total.inner(covector, rows).0, &most), &over_box)
            }
        };
        total.terms.push(value);
    }
}

// How far the `budget` best replacements move ⟨covector, x⟩ towards `side`, at least 0. Words are replaced independently,
// so the best replacements are the best candidate of each word, and of these the largest.
fn best_replacements(
    covector: &Expr,
    rows: &Expr,
    candidates: &Expr,
    allowed: &Expr,
    budget: usize,
    side: Side,
) -> Expr {
    let (place, width) = (candidates.rank() - 2, candidates.rank() - 1);
    let spread = |e: &Expr| e.expand_axes(candidates.shape(), &[place]);
    let change = candidates.sub(&spread(rows)).mul(&spread(covector)).reduce_sum(&[width], false);
    let gain = if side == Side::Lower { change.neg() } else { change };
    let gain = Expr::select(allowed, &gain, &gain.like(0.0)).relu().reduce_max(&[place], false);
    let words = gain.shape().count();
    let sort = Sort { axis: 0, descending: true };
    let largest = Expr::build(sort, &[gain.reshape([words])]);
    largest.slice_axis(0, 0, budget.min(words)).sum()
}
