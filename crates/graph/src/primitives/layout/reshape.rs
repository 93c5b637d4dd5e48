//! The same elements under another shape.

use super::move_interval;
use crate::op::{Primitive, arity, jointly_linear, shape_error};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// The operand's elements, in row-major order, under another shape of the same count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reshape {
    /// Shape of the result.
    pub shape: Shape,
}

impl Primitive for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }
    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity("reshape", inputs, 1)?;
        if self.shape.checked_count() != Some(inputs[0].shape().count()) {
            return shape_error(
                "reshape",
                format!("the target {} holds another number of elements", self.shape),
                inputs,
            );
        }
        Ok((self.shape.clone(), inputs[0].dtype()))
    }
    fn eval(&self, _node: &Expr, inputs: &[&Tensor]) -> Tensor {
        inputs[0].reshape(&self.shape).expect("the counts were compared")
    }
    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        jointly_linear(varying)
    }
    fn transpose(&self, node: &Expr, cotangent: &Expr, _linear: &[bool]) -> Vec<Option<Expr>> {
        vec![Some(cotangent.reshape(node.inputs()[0].shape()))]
    }
    fn batch(&self, _node: &Expr, inputs: &[Expr], _batched: &[bool], size: usize) -> Expr {
        inputs[0].reshape(self.shape.prepend(size))
    }
    fn interval(&self, _node: &Expr, inputs: &[Interval], _rounding: Rounding) -> Interval {
        move_interval(self.clone().into(), &inputs[0])
    }
}
