//! Operations that move elements.

use super::index::for_each_index;
use super::{Lowering, Operand, Reason, Value};
use crate::check::network::ZERO;
use perturb_graph::{Broadcast, Concat, Expr, Gather, Op, Pad, Reverse, Shape, Slice, Transpose};

impl Lowering {
    /// The value of a node that only moves the elements of its operands.
    pub(super) fn moved(&mut self, node: &Expr) -> Result<Value, Reason> {
        if let Op::Concat(concat) = node.op() {
            return self.concatenated(node, concat);
        }
        let Operand::Varying(value) = self.operand(node, 0) else {
            return Err("its indices depend on the input".into());
        };
        let from = node.inputs()[0].shape();
        let mut elements = Vec::with_capacity(node.shape().count());
        let mut take = |place: Option<usize>| elements.push(place.map_or(ZERO, |p| value.elements[p]));
        match node.op() {
            Op::Gather(gather) => {
                let Operand::Known(indices) = self.operand(node, 1) else {
                    return Err("its indices depend on the input".into());
                };
                gathered(gather, from, indices, |place| take(Some(place)))?;
            }
            op => for_each_index(node.shape(), |index| take(origin(op, from, index))),
        }
        Ok(Value { elements, owned: None })
    }

    fn concatenated(&mut self, node: &Expr, concat: &Concat) -> Result<Value, Reason> {
        let parts: Vec<Vec<u32>> = node.inputs().iter().map(|part| self.scalars(part)).collect::<Result<_, _>>()?;
        let outer: usize = node.shape()[..concat.axis].iter().product();
        let mut elements = Vec::with_capacity(node.shape().count());
        for row in 0..outer {
            for part in &parts {
                let width = part.len() / outer;
                elements.extend_from_slice(&part[row * width..(row + 1) * width]);
            }
        }
        Ok(Value { elements, owned: None })
    }
}

fn gathered(
    gather: &Gather,
    from: &Shape,
    indices: &perturb_graph::Tensor,
    mut take: impl FnMut(usize),
) -> Result<(), Reason> {
    let sizes = gather.sizes(from, indices.shape());
    let indices = indices.try_as_slice::<i64>().ok_or("its indices are not integers")?;
    sizes.for_each(indices, |_, place| take(place));
    Ok(())
}

// Which element of the operand stands at an index of the result; `None` where there is a 0.
fn origin(op: &Op, from: &Shape, index: &[usize]) -> Option<usize> {
    let strides = from.strides();
    let at = |place: &dyn Fn(usize) -> Option<usize>| -> Option<usize> {
        (0..from.len()).map(|a| Some(place(a)? * strides[a])).sum()
    };
    match op {
        Op::Broadcast(Broadcast { axes, .. }) => at(&|a| Some(index[axes[a]])),
        Op::Slice(Slice { start, stride, .. }) => at(&|a| Some(start[a] + index[a] * stride[a])),
        Op::Transpose(Transpose { perm }) => at(&|a| perm.iter().position(|&p| p == a).map(|result| index[result])),
        Op::Reverse(Reverse { axes }) => {
            at(&|a| Some(if axes.contains(&a) { from[a] - 1 - index[a] } else { index[a] }))
        }
        Op::Pad(Pad { low, interior, .. }) => at(&|a| {
            let (inside, step) = (index[a].checked_sub(low[a])?, interior[a] + 1);
            (inside.is_multiple_of(step) && inside / step < from[a]).then_some(inside / step)
        }),
        _ => None,
    }
}
