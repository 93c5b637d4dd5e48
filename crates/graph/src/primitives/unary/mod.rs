//! Elementwise functions of one operand: dispatch, and what they share. Each function's own rules are in its file.

mod abs;
mod erf;
mod exp;
mod expm1;
mod free_slopes;
mod hyperbolic;
mod inverse_trigonometric;
mod lines;
mod log;
mod log1p;
mod neg;
mod reciprocal;
mod relu;
mod rounding;
mod sigmoid;
mod sign;
mod sqrt;
mod square;
mod step;
mod tanh;
mod trigonometric;

use super::{finish, finish_as, integer};
use crate::op::{Primitive, Relaxation, arity, jointly_linear, same_number, type_error};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};
pub use free_slopes::FreeSlopes;
pub(crate) use lines::{Lines, concave, convex};

/// An elementwise function of one operand: of floating-point type, or an integer for those with [`Unary::integer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    /// −x.
    Neg,
    /// |x|.
    Abs,
    /// −1, 0 or 1.
    Sign,
    /// 1 where x > 0, else 0: the derivative that `Relu` uses.
    Step,
    /// max(x, 0).
    Relu,
    /// eˣ.
    Exp,
    /// Natural logarithm.
    Log,
    /// √x.
    Sqrt,
    /// x².
    Square,
    /// 1/x.
    Reciprocal,
    /// Hyperbolic tangent.
    Tanh,
    /// 1/(1 + e⁻ˣ).
    Sigmoid,
    /// Gauss error function.
    Erf,
    /// Sine.
    Sin,
    /// Cosine.
    Cos,
    /// Largest integer not above x.
    Floor,
    /// Smallest integer not below x.
    Ceil,
    /// Nearest integer, ties to even.
    Round,
    /// log(1 + x), accurate near 0.
    Log1p,
    /// eˣ − 1, accurate near 0.
    Expm1,
    /// Tangent.
    Tan,
    /// Inverse sine, in [−π/2, π/2].
    Asin,
    /// Inverse cosine, in [0, π].
    Acos,
    /// Inverse tangent, in (−π/2, π/2).
    Atan,
    /// Hyperbolic sine.
    Sinh,
    /// Hyperbolic cosine.
    Cosh,
    /// Inverse hyperbolic sine.
    Asinh,
    /// Inverse hyperbolic cosine, not negative.
    Acosh,
    /// Inverse hyperbolic tangent.
    Atanh,
}

/// What one elementwise function defines.
pub(crate) trait Rules: Sync {
    /// Name in messages.
    fn name(&self) -> &'static str;
    /// The function itself.
    fn value(&self, x: f64) -> f64;
    /// The function of integers, if it is one.
    fn integer(&self, _x: i64) -> Option<i64> {
        None
    }
    /// Its derivative at `x`, where `y` is the result; `None` is zero everywhere.
    fn derivative(&self, x: &Expr, y: &Expr) -> Option<Expr>;
    /// Its image of an interval as computed, without widening.
    fn image(&self, x: &Interval) -> Interval;
    /// Units of roundoff, relative to the result, by which an evaluation may be off: what kernels must keep to. 0 for
    /// exact functions, at most 8 for those with `lines`.
    fn ulps(&self) -> f64;
    /// Affine enclosures over an interval.
    fn lines(&self, x: &Interval, rounding: Rounding) -> Option<Lines>;
}

impl Unary {
    fn rules(self) -> &'static dyn Rules {
        match self {
            Unary::Neg => &neg::Neg,
            Unary::Abs => &abs::Abs,
            Unary::Sign => &sign::Sign,
            Unary::Step => &step::Step,
            Unary::Relu => &relu::Relu,
            Unary::Exp => &exp::Exp,
            Unary::Log => &log::Log,
            Unary::Sqrt => &sqrt::Sqrt,
            Unary::Square => &square::Square,
            Unary::Reciprocal => &reciprocal::Reciprocal,
            Unary::Tanh => &tanh::Tanh,
            Unary::Sigmoid => &sigmoid::Sigmoid,
            Unary::Erf => &erf::Erf,
            Unary::Sin => &trigonometric::Sin,
            Unary::Cos => &trigonometric::Cos,
            Unary::Floor => &rounding::Floor,
            Unary::Ceil => &rounding::Ceil,
            Unary::Round => &rounding::Round,
            Unary::Log1p => &log1p::Log1p,
            Unary::Expm1 => &expm1::Expm1,
            Unary::Tan => &trigonometric::Tan,
            Unary::Asin => &inverse_trigonometric::Asin,
            Unary::Acos => &inverse_trigonometric::Acos,
            Unary::Atan => &inverse_trigonometric::Atan,
            Unary::Sinh => &hyperbolic::Sinh,
            Unary::Cosh => &hyperbolic::Cosh,
            Unary::Asinh => &hyperbolic::Asinh,
            Unary::Acosh => &hyperbolic::Acosh,
            Unary::Atanh => &hyperbolic::Atanh,
        }
    }

    /// All elementwise functions, for tests and tables.
    pub const ALL: [Unary; 29] = [
        Unary::Neg,
        Unary::Abs,
        Unary::Sign,
        Unary::Step,
        Unary::Relu,
        Unary::Exp,
        Unary::Log,
        Unary::Sqrt,
        Unary::Square,
        Unary::Reciprocal,
        Unary::Tanh,
        Unary::Sigmoid,
        Unary::Erf,
        Unary::Sin,
        Unary::Cos,
        Unary::Floor,
        Unary::Ceil,
        Unary::Round,
        Unary::Log1p,
        Unary::Expm1,
        Unary::Tan,
        Unary::Asin,
        Unary::Acos,
        Unary::Atan,
        Unary::Sinh,
        Unary::Cosh,
        Unary::Asinh,
        Unary::Acosh,
        Unary::Atanh,
    ];

    /// The function in `f64`: the definition that kernels are tested against.
    pub fn value(self, x: f64) -> f64 {
        self.rules().value(x)
    }

    /// The function of integers, wrapping where the result does not fit; `None` for functions of floating-point numbers
    /// only.
    pub fn integer(self, x: i64) -> Option<i64> {
        self.rules().integer(x)
    }
}

impl Primitive for Unary {
    fn name(&self) -> &'static str {
        self.rules().name()
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity(self.name(), inputs, 1)?;
        let dtype = same_number(self.name(), inputs)?;
        if !dtype.is_float() && self.integer(0).is_none() {
            return type_error(self.name(), "needs a floating-point operand (cast it first)", inputs);
        }
        Ok((inputs[0].shape().clone(), dtype))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        if let Some(values) = inputs[0].try_as_slice::<i64>() {
            return finish_as(node, values.iter().filter_map(|&x| self.integer(x)).collect());
        }
        finish(node, inputs[0].to_f64_vec().into_iter().map(|x| self.value(x)).collect())
    }

    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        if *self == Unary::Neg { jointly_linear(varying) } else { None }
    }

    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        let tangent = tangents[0].as_ref()?;
        if *self == Unary::Neg {
            return Some(tangent.neg());
        }
        Some(tangent.mul(&self.rules().derivative(&node.inputs()[0], node)?))
    }

    fn transpose(&self, _node: &Expr, cotangent: &Expr, _linear: &[bool]) -> Vec<Option<Expr>> {
        vec![Some(cotangent.neg())]
    }

    fn batch(&self, _node: &Expr, inputs: &[Expr], _batched: &[bool], _size: usize) -> Expr {
        Expr::build(*self, inputs)
    }

    fn interval(&self, node: &Expr, inputs: &[Interval], rounding: Rounding) -> Interval {
        if !node.dtype().is_float() {
            return integer::interval(*self, inputs, |x| self.rules().image(&x[0]));
        }
        let image = self.rules().image(&inputs[0]);
        if self.rules().ulps() == 0.0 { image } else { image.widen(self.rules().ulps(), rounding) }
    }

    fn relax(&self, node: &Expr, bounds: &[Interval], rounding: Rounding) -> Option<Relaxation> {
        Some(self.rules().lines(&bounds[0], rounding)?.of(&node.inputs()[0]))
    }
}

/// The image of an interval under a nondecreasing function.
pub(crate) fn increasing(f: Unary, x: &Interval) -> Interval {
    if x.is_point() {
        return Interval::point(&Expr::build(f, std::slice::from_ref(&x.lo)));
    }
    Interval { lo: Expr::build(f, std::slice::from_ref(&x.lo)), hi: Expr::build(f, std::slice::from_ref(&x.hi)) }
}
