//! Primitives that only move elements: exact, linear, and applied to each end of an interval.

mod broadcast;
mod pad;
mod reshape;
mod reverse;
mod slice;
mod transpose;

pub use broadcast::Broadcast;
pub use pad::Pad;
pub use reshape::Reshape;
pub use reverse::Reverse;
pub use slice::Slice;
pub use transpose::Transpose;

use crate::tensor::{Element, by_type};
use crate::{Expr, Interval, Op, Shape, Tensor};

/// The image of an interval under a primitive that moves elements.
pub(super) fn move_interval(op: Op, x: &Interval) -> Interval {
    let lo = Expr::build(op.clone(), std::slice::from_ref(&x.lo));
    let hi = if x.is_point() { lo.clone() } else { Expr::build(op, std::slice::from_ref(&x.hi)) };
    Interval { lo, hi }
}

/// Fills a result by asking, for each of its multi-indices, which element of the operand (if any) stands there.
pub(super) fn gather(node: &Expr, x: &Tensor, source: impl Fn(&[usize]) -> Option<usize>) -> Tensor {
    by_type!(x.dtype(), T => gather_as::<T>(node, x, source))
}

fn gather_as<T: Element>(node: &Expr, x: &Tensor, source: impl Fn(&[usize]) -> Option<usize>) -> Tensor {
    let values = x.as_slice::<T>();
    let mut result = Vec::with_capacity(node.shape().count());
    for_each_index(node.shape(), |index| result.push(source(index).map_or(T::default(), |i| values[i])));
    super::finish_as(node, result)
}

/// Calls `f` with every multi-index of `shape` in row-major order.
pub(crate) fn for_each_index(shape: &Shape, mut f: impl FnMut(&[usize])) {
    if shape.contains(&0) {
        return;
    }
    let mut index = vec![0; shape.len()];
    loop {
        f(&index);
        let Some(axis) = (0..shape.len()).rev().find(|&a| index[a] + 1 < shape[a]) else { return };
        index[axis] += 1;
        index[axis + 1..].fill(0);
    }
}
