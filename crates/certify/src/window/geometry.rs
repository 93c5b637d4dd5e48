//! Which window of every earlier tensor one position of a convolutional node depends on.

use crate::problem::Problem;
use perturb_graph::{Expr, Op, PoolRole, Slot};
use std::collections::HashMap;

/// A window that moves with the position `p` of the bounded node: along one spatial axis the elements
/// `offset + stride·p .. + size` of a tensor, which may lie outside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub offset: isize,
    pub stride: usize,
    pub size: usize,
}

impl Window {
    const POINT: Window = Window { offset: 0, stride: 1, size: 1 };

    /// What a sliding window (convolution, pooling) over an axis needs to fill this window of its result.
    pub fn under(self, kernel: usize, stride: usize, dilation: usize, padding: usize) -> Window {
        Window {
            offset: self.offset * stride as isize - padding as isize,
            stride: self.stride * stride,
            size: (self.size - 1) * stride + (kernel - 1) * dilation + 1,
        }
    }

    // The smallest window around two that move in step.
    fn around(self, other: Window) -> Option<Window> {
        let end = |w: Window| w.offset + w.size as isize;
        let offset = self.offset.min(other.offset);
        let size = (end(self).max(end(other)) - offset) as usize;
        (self.stride == other.stride).then_some(Window { offset, stride: self.stride, size })
    }

    /// Whether the window stays inside `0..extent` for `positions` positions.
    pub fn stays_inside(self, extent: usize, positions: usize) -> bool {
        let last = self.offset + (self.stride * (positions.max(1) - 1) + self.size) as isize;
        self.offset >= 0 && last <= extent as isize
    }
}

/// The windows of an operand that `node` needs to fill its own `windows`: for elementwise primitives the same ones.
pub(crate) fn needed(node: &Expr, windows: &[Window]) -> Option<Vec<Window>> {
    match node.op() {
        Op::Unary(_) | Op::Binary(_) => Some(windows.to_vec()),
        Op::Conv(c) if c.result == Slot::Response => {
            let kernel = &node.inputs()[1].shape()[2..];
            let axes = windows.iter().enumerate();
            Some(axes.map(|(a, w)| w.under(kernel[a], c.strides[a], c.dilation[a], c.padding[a].0)).collect())
        }
        Op::MaxPool(p) if p.role == PoolRole::Max && p.padding.iter().all(|&pad| pad == (0, 0)) => {
            let axes = windows.iter().enumerate();
            Some(axes.map(|(a, w)| w.under(p.window[a], p.strides[a], p.dilation[a], 0)).collect())
        }
        _ => None,
    }
}

/// By node id, the windows (one for each spatial axis) of every tensor that `node` depends on; `None` if they are not all
/// made by convolutions, pooling and elementwise functions, or windows are no smaller than the tensors themselves.
pub(crate) fn windows(problem: &Problem, node: &Expr) -> Option<HashMap<u64, Vec<Window>>> {
    let rank = node.rank();
    if rank < 3 || !matches!(node.op(), Op::Conv(_) | Op::Unary(_) | Op::Binary(_)) {
        return None;
    }
    let mut windows = HashMap::from([(node.id(), vec![Window::POINT; rank - 2])]);
    let (mut cropped, mut whole) = (0, 0);
    for n in problem.cone(node).iter().rev() {
        let own = windows.get(&n.id())?.clone();
        if n.rank() != rank || n.shape()[0] != 1 {
            return None;
        }
        cropped += n.shape()[1] * own.iter().map(|w| w.size).product::<usize>();
        whole += n.shape().count();
        if n.id() == problem.input.id() {
            continue;
        }
        let below = needed(n, &own)?;
        let weights_vary = matches!(n.op(), Op::Conv(_)) && problem.varies(&n.inputs()[1]);
        for operand in n.inputs().iter().filter(|i| problem.varies(i)) {
            let joined: Option<Vec<Window>> = match windows.get(&operand.id()) {
                Some(earlier) => earlier.iter().zip(&below).map(|(a, b)| a.around(*b)).collect(),
                None => Some(below.clone()),
            };
            windows.insert(operand.id(), joined.filter(|_| !weights_vary)?);
        }
    }
    (cropped < whole).then_some(windows)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Positions 0..5 of a 3-wide kernel with stride 2 and padding 1 over 10 elements read −1..2, 1..4, …, 7..10.
    #[test]
    fn windows_of_a_strided_convolution() {
        let w = Window::POINT.under(3, 2, 1, 1);
        assert_eq!(w, Window { offset: -1, stride: 2, size: 3 });
        assert!(!w.stays_inside(10, 5));
        // Two of them: 5-wide kernels with dilation 2 below read 4·2 + 1 more.
        assert_eq!(w.under(5, 1, 2, 4), Window { offset: -5, stride: 2, size: 11 });
    }

    #[test]
    fn windows_join_only_in_step() {
        let (a, b) = (Window { offset: -1, stride: 2, size: 3 }, Window { offset: 0, stride: 2, size: 4 });
        assert_eq!(a.around(b), Some(Window { offset: -1, stride: 2, size: 5 }));
        assert_eq!(a.around(Window { stride: 1, ..b }), None);
        assert!(b.stays_inside(12, 5) && !b.stays_inside(11, 5));
    }
}
