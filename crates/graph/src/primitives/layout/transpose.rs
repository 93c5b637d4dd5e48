//! Axes in another order.

use super::{gather, move_interval};
use crate::op::{Primitive, arity, jointly_linear, shape_error};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// Axis `i` of the result is axis `perm[i]` of the operand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Transpose {
    /// A permutation of the axes.
    pub perm: Vec<usize>,
}

impl Primitive for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }
    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity("transpose", inputs, 1)?;
        let mut sorted = self.perm.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..inputs[0].rank()) {
            return shape_error("transpose", format!("{:?} is not a permutation of the axes", self.perm), inputs);
        }
        Ok((self.perm.iter().map(|&p| inputs[0].shape()[p]).collect(), inputs[0].dtype()))
    }
    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let strides = inputs[0].shape().strides();
        gather(node, inputs[0], |index| Some(index.iter().zip(&self.perm).map(|(i, &p)| i * strides[p]).sum()))
    }
    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        jointly_linear(varying)
    }
    fn transpose(&self, _node: &Expr, cotangent: &Expr, _linear: &[bool]) -> Vec<Option<Expr>> {
        let mut inverse = vec![0; self.perm.len()];
        for (i, &p) in self.perm.iter().enumerate() {
            inverse[p] = i;
        }
        vec![Some(cotangent.transpose(&inverse))]
    }
    fn batch(&self, _node: &Expr, inputs: &[Expr], _batched: &[bool], _size: usize) -> Expr {
        let perm: Vec<usize> = std::iter::once(0).chain(self.perm.iter().map(|p| p + 1)).collect();
        inputs[0].transpose(&perm)
    }
    fn interval(&self, _node: &Expr, inputs: &[Interval], _rounding: Rounding) -> Interval {
        move_interval(self.clone().into(), &inputs[0])
    }
}
