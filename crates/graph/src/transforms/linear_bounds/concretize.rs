//! The extreme value of a linear functional over a set.

use super::domain::{Domain, Norm};
use super::total::{Total, euclidean};
use crate::{Expr, Interval};

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
        };
        total.terms.push(value);
    }
}
