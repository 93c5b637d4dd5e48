//! Running sum.

use super::arg_max::lines;
use super::{finish, finish_as, integer};
use crate::interval::sum_error;
use crate::op::{Primitive, arity, axis_size, jointly_linear, same_number};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// Element `i` along `axis` is the sum of the operand's elements `0..=i`; without element `i` itself if `exclusive`,
/// and from the end if `reverse`. The order of summation is not specified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CumSum {
    /// The axis along which elements are added up.
    pub axis: usize,
    /// Leave out the element itself.
    pub exclusive: bool,
    /// Start at the end.
    pub reverse: bool,
}

impl CumSum {
    fn run<T: Copy>(&self, shape: &Shape, values: &[T], zero: T, add: impl Fn(T, T) -> T) -> Vec<T> {
        let (starts, stride) = lines(shape, self.axis);
        let n = shape[self.axis];
        let mut result = values.to_vec();
        for start in starts {
            let mut sum = zero;
            for k in 0..n {
                let at = start + stride * if self.reverse { n - 1 - k } else { k };
                let next = add(sum, values[at]);
                result[at] = if self.exclusive { sum } else { next };
                sum = next;
            }
        }
        result
    }

    fn apply(&self, x: &Expr) -> Expr {
        Expr::build(*self, std::slice::from_ref(x))
    }
}

impl Primitive for CumSum {
    fn name(&self) -> &'static str {
        "cumsum"
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity("cumsum", inputs, 1)?;
        axis_size("cumsum", self.axis, inputs)?;
        Ok((inputs[0].shape().clone(), same_number("cumsum", inputs)?))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        if let Some(values) = inputs[0].try_as_slice::<i64>() {
            return finish_as(node, self.run(node.shape(), values, 0, i64::wrapping_add));
        }
        finish(node, self.run(node.shape(), &inputs[0].to_f64_vec(), 0.0, |a, b| a + b))
    }

    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        jointly_linear(varying)
    }

    fn transpose(&self, _node: &Expr, cotangent: &Expr, _linear: &[bool]) -> Vec<Option<Expr>> {
        vec![Some(CumSum { reverse: !self.reverse, ..*self }.apply(cotangent))]
    }

    fn batch(&self, _node: &Expr, inputs: &[Expr], _batched: &[bool], _size: usize) -> Expr {
        Expr::build(CumSum { axis: self.axis + 1, ..*self }, inputs)
    }

    fn interval(&self, node: &Expr, inputs: &[Interval], rounding: Rounding) -> Interval {
        let ends = |x: &Interval| Interval { lo: self.apply(&x.lo), hi: self.apply(&x.hi) };
        if !node.dtype().is_float() {
            return integer::interval(*self, inputs, |x| ends(&x[0]));
        }
        let bounds = ends(&inputs[0]);
        if rounding == Rounding::Nearest {
            return bounds;
        }
        // Once for computing the bound and once for the network's own sum.
        let error = sum_error(3.0, node.shape()[self.axis] + 1, node.dtype());
        bounds.widen_by(&self.apply(&inputs[0].magnitude()).scale(error))
    }

    // Both the sum and its adjoint add up to n terms.
    fn adjoint_error(&self, node: &Expr, inputs: &[Interval], _linear: &[bool]) -> Option<Expr> {
        let error = sum_error(2.0, node.shape()[self.axis] + 1, node.dtype());
        Some(self.apply(&inputs[0].magnitude()).scale(error))
    }
}
