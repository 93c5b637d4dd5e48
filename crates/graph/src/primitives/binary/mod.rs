//! Elementwise functions of two operands of one shape: dispatch, and what they share.

mod add;
mod atan2;
mod div;
mod extremum;
mod mul;
mod pow;
mod rem;

use super::{finish, finish_as, integer};
use crate::op::{Primitive, Relaxation, arity, batch_all, same_number, shape_error, type_error};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// An elementwise function of two operands of one shape and type: floating-point numbers, or integers for those with
/// [`Binary::integer`].
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
    /// The first operand to the power of the second.
    Pow,
    /// Angle of the point (second operand, first operand), in [−π, π].
    Atan2,
    /// Remainder of the division, with the sign of the dividend.
    Rem,
}

/// What one elementwise function of two operands defines.
pub(crate) trait Rules: Sync {
    /// Name in messages.
    fn name(&self) -> &'static str;
    /// The function itself.
    fn value(&self, a: f64, b: f64) -> f64;
    /// The function of integers, if it is one.
    fn integer(&self, a: i64, b: i64) -> Option<i64>;
    /// See [`Primitive::linear_in`].
    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>>;
    /// See [`Primitive::jvp`].
    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr>;
    /// See [`Primitive::transpose`].
    fn transpose(&self, node: &Expr, cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>>;
    /// See [`Primitive::interval`].
    fn interval(&self, a: &Interval, b: &Interval, rounding: Rounding) -> Interval;
    /// Interval of the function of integers, whose ends are given as floating-point numbers.
    fn integer_image(&self, a: &Interval, b: &Interval) -> Interval {
        self.interval(a, b, Rounding::Nearest)
    }
    /// See [`Primitive::relax`].
    fn relax(&self, _node: &Expr, _a: &Interval, _b: &Interval, _rounding: Rounding) -> Option<Relaxation> {
        None
    }
    /// See [`Primitive::adjoint_error`].
    fn adjoint_error(&self, _node: &Expr, _inputs: &[Interval]) -> Option<Expr> {
        None
    }
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
            Binary::Pow => &pow::Pow,
            Binary::Atan2 => &atan2::Atan2,
            Binary::Rem => &rem::Rem,
        }
    }

    /// All elementwise functions of two operands, for tests and tables.
    pub const ALL: [Binary; 9] = [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Max,
        Binary::Min,
        Binary::Pow,
        Binary::Atan2,
        Binary::Rem,
    ];

    /// The function in `f64`: the definition that kernels are tested against.
    pub fn value(self, a: f64, b: f64) -> f64 {
        self.rules().value(a, b)
    }

    /// The function of integers, wrapping where the result does not fit; a quotient and a remainder by 0 are 0. `None`
    /// for functions of floating-point numbers only.
    pub fn integer(self, a: i64, b: i64) -> Option<i64> {
        self.rules().integer(a, b)
    }
}

impl Primitive for Binary {
    fn name(&self) -> &'static str {
        self.rules().name()
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity(self.name(), inputs, 2)?;
        let dtype = same_number(self.name(), inputs)?;
        if !dtype.is_float() && self.integer(1, 1).is_none() {
            return type_error(self.name(), "needs floating-point operands (cast them first)", inputs);
        }
        if inputs[0].shape() != inputs[1].shape() {
            return shape_error(self.name(), "operands must have one shape (broadcast them first)", inputs);
        }
        Ok((inputs[0].shape().clone(), dtype))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        if let (Some(a), Some(b)) = (inputs[0].try_as_slice::<i64>(), inputs[1].try_as_slice::<i64>()) {
            return finish_as(node, a.iter().zip(b).filter_map(|(&a, &b)| self.integer(a, b)).collect());
        }
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

    fn interval(&self, node: &Expr, inputs: &[Interval], rounding: Rounding) -> Interval {
        if !node.dtype().is_float() {
            return integer::interval(*self, inputs, |x| self.rules().integer_image(&x[0], &x[1]));
        }
        self.rules().interval(&inputs[0], &inputs[1], rounding)
    }

    fn relax(&self, node: &Expr, bounds: &[Interval], rounding: Rounding) -> Option<Relaxation> {
        self.rules().relax(node, &bounds[0], &bounds[1], rounding)
    }

    fn adjoint_error(&self, node: &Expr, inputs: &[Interval], _linear: &[bool]) -> Option<Expr> {
        self.rules().adjoint_error(node, inputs)
    }
}
