//! Another element type.

use crate::interval::unit_roundoff;
use crate::op::{Primitive, arity, jointly_linear};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// The same values in another element type, as [`Tensor::to_dtype`] converts them. Linear between floating-point types;
/// without derivative otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cast {
    /// Element type of the result.
    pub to: DType,
}

// Whether every value of one type is one of the other.
fn exact(from: DType, to: DType) -> bool {
    from == DType::Bool || (from == DType::F32 && to == DType::F64)
}

impl Primitive for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }
    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity("cast", inputs, 1)?;
        Ok((inputs[0].shape().clone(), self.to))
    }
    fn eval(&self, _node: &Expr, inputs: &[&Tensor]) -> Tensor {
        inputs[0].to_dtype(self.to)
    }
    // Asked only about floating-point operands, see `op::linear_group`.
    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        if self.to.is_float() { jointly_linear(varying) } else { None }
    }
    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        let floats = node.dtype().is_float() && node.inputs()[0].dtype().is_float();
        tangents[0].as_ref().filter(|_| floats).map(|t| t.cast(self.to))
    }
    fn transpose(&self, node: &Expr, cotangent: &Expr, _linear: &[bool]) -> Vec<Option<Expr>> {
        vec![Some(cotangent.cast(node.inputs()[0].dtype()))]
    }
    fn batch(&self, _node: &Expr, inputs: &[Expr], _batched: &[bool], _size: usize) -> Expr {
        inputs[0].cast(self.to)
    }

    // Every conversion but that to a truth value is monotone.
    fn interval(&self, node: &Expr, inputs: &[Interval], rounding: Rounding) -> Interval {
        let x = &inputs[0];
        if x.is_point() {
            return Interval::point(&x.lo.cast(self.to));
        }
        let from = node.inputs()[0].dtype();
        match self.to {
            // Unknown ends (NaN) stay unknown between floating-point types only: as integers they are the extreme ones.
            DType::F32 | DType::F64 if !exact(from, self.to) => {
                Interval { lo: x.lo.cast(self.to), hi: x.hi.cast(self.to) }.widen(1.0, rounding)
            }
            DType::F32 | DType::F64 => Interval { lo: x.lo.cast(self.to), hi: x.hi.cast(self.to) },
            DType::I64 => {
                let x = x.or_infinite();
                Interval { lo: x.lo.cast(self.to), hi: x.hi.cast(self.to) }
            }
            DType::Bool => {
                let x = if from == DType::Bool { &x.cast_ends(DType::I64) } else { x };
                let zero = x.lo.like(0.0);
                let surely = x.lo.greater(&zero).maximum(&x.hi.less(&zero));
                let surely_not = x.lo.equal(&zero).mul(&x.hi.equal(&zero));
                let maybe = surely_not.equal(&zero);
                Interval { lo: surely.cast(self.to), hi: maybe.cast(self.to) }
            }
        }
    }

    // Either the primitive or its adjoint rounds once, whichever has the narrower result.
    fn adjoint_error(&self, node: &Expr, inputs: &[Interval], _linear: &[bool]) -> Option<Expr> {
        Some(inputs[0].magnitude().cast(node.dtype()).scale(4.0 * unit_roundoff(DType::F32)))
    }
}

impl Interval {
    /// Both ends in another element type, of which the conversion is monotone.
    pub(crate) fn cast_ends(&self, to: DType) -> Interval {
        if self.is_point() {
            Interval::point(&self.lo.cast(to))
        } else {
            Interval { lo: self.lo.cast(to), hi: self.hi.cast(to) }
        }
    }
}
