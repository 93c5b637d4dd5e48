//! A strided box of the operand.

use super::{Pad, gather, move_interval};
use crate::op::{Primitive, arity, jointly_linear, shape_error};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// Along axis `a` the elements `start[a], start[a] + stride[a], …` below `end[a]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slice {
    /// First index along each axis.
    pub start: Vec<usize>,
    /// End (exclusive) along each axis.
    pub end: Vec<usize>,
    /// Step along each axis, at least 1.
    pub stride: Vec<usize>,
}

impl Primitive for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }
    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity("slice", inputs, 1)?;
        let x = inputs[0].shape();
        let ranks = [self.start.len(), self.end.len(), self.stride.len()];
        let fits = ranks.iter().all(|&r| r == x.len())
            && (0..x.len()).all(|a| self.start[a] <= self.end[a] && self.end[a] <= x[a] && self.stride[a] > 0);
        if !fits {
            let reason = format!("{:?}..{:?} step {:?} does not lie within", self.start, self.end, self.stride);
            return shape_error("slice", reason, inputs);
        }
        let shape = (0..x.len()).map(|a| (self.end[a] - self.start[a]).div_ceil(self.stride[a])).collect();
        Ok((shape, inputs[0].dtype()))
    }
    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let strides = inputs[0].shape().strides();
        gather(node, inputs[0], |index| {
            Some((0..index.len()).map(|a| (self.start[a] + index[a] * self.stride[a]) * strides[a]).sum())
        })
    }
    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        jointly_linear(varying)
    }
    fn transpose(&self, node: &Expr, cotangent: &Expr, _linear: &[bool]) -> Vec<Option<Expr>> {
        let (x, y) = (node.inputs()[0].shape(), node.shape());
        let interior: Vec<usize> = self.stride.iter().map(|s| s - 1).collect();
        let high = (0..x.len()).map(|a| {
            let covered = if y[a] == 0 { 0 } else { (y[a] - 1) * self.stride[a] + 1 };
            x[a] - self.start[a] - covered
        });
        vec![Some(Expr::build(
            Pad { low: self.start.clone(), high: high.collect(), interior },
            std::slice::from_ref(cotangent),
        ))]
    }
    fn batch(&self, _node: &Expr, inputs: &[Expr], _batched: &[bool], size: usize) -> Expr {
        let with = |first: usize, rest: &[usize]| std::iter::once(first).chain(rest.iter().copied()).collect();
        Expr::build(
            Slice { start: with(0, &self.start), end: with(size, &self.end), stride: with(1, &self.stride) },
            inputs,
        )
    }
    fn interval(&self, _node: &Expr, inputs: &[Interval], _rounding: Rounding) -> Interval {
        move_interval(self.clone().into(), &inputs[0])
    }
}
