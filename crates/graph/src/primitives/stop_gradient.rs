//! Identity without derivative.

use crate::op::{Primitive, arity, jointly_linear, same_number};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// The operand itself, treated as a constant by `jvp` and `vjp`. Bounds pass through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StopGradient;

impl Primitive for StopGradient {
    fn name(&self) -> &'static str {
        "stop_gradient"
    }
    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity("stop_gradient", inputs, 1)?;
        Ok((inputs[0].shape().clone(), same_number("stop_gradient", inputs)?))
    }
    fn eval(&self, _node: &Expr, inputs: &[&Tensor]) -> Tensor {
        inputs[0].clone()
    }
    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        jointly_linear(varying)
    }
    fn jvp(&self, _node: &Expr, _tangents: &[Option<Expr>]) -> Option<Expr> {
        None
    }
    fn transpose(&self, _node: &Expr, cotangent: &Expr, _linear: &[bool]) -> Vec<Option<Expr>> {
        vec![Some(cotangent.clone())]
    }
    fn batch(&self, _node: &Expr, inputs: &[Expr], _batched: &[bool], _size: usize) -> Expr {
        Expr::build(StopGradient, inputs)
    }
    fn interval(&self, _node: &Expr, inputs: &[Interval], _rounding: Rounding) -> Interval {
        inputs[0].clone()
    }
}
