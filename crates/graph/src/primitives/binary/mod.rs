//! Elementwise functions of two operands of one shape: dispatch, and what they share.

mod add;
mod div;
mod extremum;
mod mul;

use super::finish;
use crate::op::{Primitive, Relaxation, arity, batch_all, same_float, shape_error};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// An elementwise function of two floating-point operands of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product.
    Mul,
    /// Quotient.
    Div,
    /// The larger operand.
    Max,
    /// The smaller operand.
    Min,
}

/// What one elementwise function of two operands defines.
pub(crate) trait Rules: Sync {
    /// Name in messages.
    fn name(&self) -> &'static str;
    /// The function itself.
    fn value(&self, a: f64, b: f64) -> f64;
    /// See [`Primitive::linear_in`].
    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>>;
    /// See [`Primitive::jvp`].
    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr>;
    /// See [`Primitive::transpose`].
    fn transpose(&self, node: &Expr, cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>>;
    /// See [`Primitive::interval`].
    fn interval(&self, a: &Interval, b: &Interval, rounding: Rounding) -> Interval;
    /// See [`Primitive::relax`].
    fn relax(&self, node: &Expr, a: &Interval, b: &Interval, rounding: Rounding) -> Option<Relaxation>;
    /// See [`Primitive::adjoint_error`].
    fn adjoint_error(&self, node: &Expr, inputs: &[Interval]) -> Option<Expr>;
}

impl Binary {
    fn rules(self) -> &'static dyn Rules {
        match self {
            Binary::Add => &add::Add,
            Binary::Sub => &add::Sub,
            Binary::Mul => &mul::Mul,
            Binary::Div => &div::Div,
            Binary::Max => &extremum::Max,
            Binary::Min => &extremum::Min,
        }
    }

    /// The function in `f64`: the definition that kernels are tested against.
    pub fn value(self, a: f64, b: f64) -> f64 {
        self.rules().value(a, b)
    }
}

impl Primitive for Binary {
    fn name(&self) -> &'static str {
        self.rules().name()
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity(self.name(), inputs, 2)?;
        let dtype = same_float(self.name(), inputs)?;
        if inputs[0].shape() != inputs[1].shape() {
            return shape_error(self.name(), "operands must have one shape (broadcast them first)", inputs);
        }
        Ok((inputs[0].shape().clone(), dtype))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let (a, b) = (inputs[0].to_f64_vec(), inputs[1].to_f64_vec());
        finish(node, a.into_iter().zip(b).map(|(a, b)| self.value(a, b)).collect())
    }

    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        self.rules().linear_in(varying)
    }

    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        self.rules().jvp(node, tangents)
    }

    fn transpose(&self, node: &Expr, cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        self.rules().transpose(node, cotangent, linear)
    }

    fn batch(&self, _node: &Expr, inputs: &[Expr], batched: &[bool], size: usize) -> Expr {
        Expr::build(*self, &batch_all(inputs, batched, size))
    }

    fn interval(&self, _node: &Expr, inputs: &[Interval], rounding: Rounding) -> Interval {
        self.rules().interval(&inputs[0], &inputs[1], rounding)
    }

    fn relax(&self, node: &Expr, bounds: &[Interval], rounding: Rounding) -> Option<Relaxation> {
        self.rules().relax(node, &bounds[0], &bounds[1], rounding)
    }

    fn adjoint_error(&self, node: &Expr, inputs: &[Interval], _linear: &[bool]) -> Option<Expr> {
        self.rules().adjoint_error(node, inputs)
    }
}
