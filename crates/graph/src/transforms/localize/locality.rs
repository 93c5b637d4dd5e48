//! What each primitive does to a window.

use crate::{Convolution, Expr, MaxPool, Op, PoolRole, Slot};
use std::ops::Range;

/// How a node's window depends on those of its operands.
pub(super) enum Local<'a> {
    /// Place by place.
    Pointwise,
    /// Through windows of its first operand.
    Windows(Sight<'a>),
}

/// A window on an operand: strides, padding in front, and how far apart first and last element are, along both axes.
pub(super) struct Sight<'a> {
    pub strides: &'a [usize],
    pub padding: &'a [(usize, usize)],
    pub span: [usize; 2],
    pub outside: f64,
}

impl Sight<'_> {
    /// Places of a result of `size` that see any of `source`.
    pub fn reached(&self, axis: usize, source: &Range<usize>, size: usize) -> Range<usize> {
        let (stride, low) = (self.strides[axis], self.padding[axis].0);
        if source.is_empty() {
            return 0..0;
        }
        let first = (source.start + low).saturating_sub(self.span[axis]).div_ceil(stride);
        first..((source.end - 1 + low) / stride + 1).min(size)
    }
}

/// What a node that depends on the image does to windows; `None` if it is global.
pub(super) fn locality(node: &Expr) -> Option<Local<'_>> {
    let span = |window: &[usize], dilation: &[usize]| [0, 1].map(|a| (window[a] - 1) * dilation[a]);
    match node.op() {
        Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_) | Op::StopGradient(_) | Op::Cast(_) => {
            Some(Local::Pointwise)
        }
        Op::Conv(Convolution { result: Slot::Response, strides, padding, dilation, .. }) if strides.len() == 2 => {
            let span = span(&node.inputs()[1].shape()[2..], dilation);
            Some(Local::Windows(Sight { strides, padding, span, outside: 0.0 }))
        }
        Op::MaxPool(MaxPool { role: PoolRole::Max, window, strides, padding, dilation }) if strides.len() == 2 => {
            let span = span(window, dilation);
            Some(Local::Windows(Sight { strides, padding, span, outside: f64::NEG_INFINITY }))
        }
        _ => None,
    }
}
