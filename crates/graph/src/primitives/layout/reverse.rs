//! Axes read backwards.

use super::{gather, move_interval};
use crate::op::{Primitive, arity, jointly_linear, shape_error};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// The operand with the named axes read from their end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reverse {
    /// The axes to reverse.
    pub axes: Vec<usize>,
}

impl Primitive for Reverse {
    fn name(&self) -> &'static str {
        "reverse"
    }
    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity("reverse", inputs, 1)?;
        if self.axes.iter().any(|&a| a >= inputs[0].rank()) {
            return shape_error("reverse", format!("there is no axis among {:?}", self.axes), inputs);
        }
        Ok((inputs[0].shape().clone(), inputs[0].dtype()))
    }
    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let (shape, strides) = (inputs[0].shape(), inputs[0].shape().strides());
        gather(node, inputs[0], |index| {
            let at = |a: usize| if self.axes.contains(&a) { shape[a] - 1 - index[a] } else { index[a] };
            Some((0..index.len()).map(|a| at(a) * strides[a]).sum())
        })
    }
    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        jointly_linear(varying)
    }
    fn transpose(&self, _node: &Expr, cotangent: &Expr, _linear: &[bool]) -> Vec<Option<Expr>> {
        vec![Some(cotangent.reverse(&self.axes))]
    }
    fn batch(&self, _node: &Expr, inputs: &[Expr], _batched: &[bool], _size: usize) -> Expr {
        let axes: Vec<usize> = self.axes.iter().map(|a| a + 1).collect();
        inputs[0].reverse(&axes)
    }
    fn interval(&self, _node: &Expr, inputs: &[Interval], _rounding: Rounding) -> Interval {
        move_interval(self.clone().into(), &inputs[0])
    }
}
