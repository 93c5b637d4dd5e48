//! New axes along which values repeat.

use super::{gather, move_interval};
use crate::interval::gamma;
use crate::op::{Primitive, arity, jointly_linear, shape_error};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// Axis `i` of the operand becomes axis `axes[i]` of the result (ascending, sizes equal); values repeat along the rest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Broadcast {
    /// Shape of the result.
    pub shape: Shape,
    /// Where the operand's axes go.
    pub axes: Vec<usize>,
}

impl Broadcast {
    /// The axes of the result that repeat.
    pub fn repeated_axes(&self) -> Vec<usize> {
        (0..self.shape.len()).filter(|a| !self.axes.contains(a)).collect()
    }
}

impl Primitive for Broadcast {
    fn name(&self) -> &'static str {
        "broadcast"
    }
    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity("broadcast", inputs, 1)?;
        let x = inputs[0].shape();
        let fits = self.axes.len() == x.len()
            && self.axes.windows(2).all(|w| w[0] < w[1])
            && self.axes.iter().zip(x.iter()).all(|(&a, &d)| self.shape.get(a) == Some(&d));
        if !fits {
            return shape_error("broadcast", format!("cannot become {} at axes {:?}", self.shape, self.axes), inputs);
        }
        Ok((self.shape.clone(), inputs[0].dtype()))
    }
    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let strides = inputs[0].shape().strides();
        gather(node, inputs[0], |index| Some(self.axes.iter().zip(&strides).map(|(&a, s)| index[a] * s).sum()))
    }
    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        jointly_linear(varying)
    }
    fn transpose(&self, _node: &Expr, cotangent: &Expr, _linear: &[bool]) -> Vec<Option<Expr>> {
        vec![Some(cotangent.reduce_sum(&self.repeated_axes(), false))]
    }
    fn batch(&self, _node: &Expr, inputs: &[Expr], _batched: &[bool], size: usize) -> Expr {
        let axes = std::iter::once(0).chain(self.axes.iter().map(|a| a + 1)).collect();
        Expr::build(Broadcast { shape: self.shape.prepend(size), axes }, inputs)
    }
    fn interval(&self, _node: &Expr, inputs: &[Interval], _rounding: Rounding) -> Interval {
        move_interval(self.clone().into(), &inputs[0])
    }
    // The adjoint sums over the repeated axes.
    fn adjoint_error(&self, node: &Expr, inputs: &[Interval], _linear: &[bool]) -> Option<Expr> {
        let terms: usize = self.repeated_axes().iter().map(|&a| self.shape[a]).product();
        let magnitude = Expr::build(self.clone(), &[inputs[0].magnitude()]);
        Some(magnitude.scale(2.0 * gamma(terms, node.dtype())))
    }
}
