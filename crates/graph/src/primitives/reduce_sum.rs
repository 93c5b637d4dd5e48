//! Sum over axes.

use super::layout::for_each_index;
use super::{finish, finish_as, integer};
use crate::interval::gamma;
use crate::op::{Primitive, arity, jointly_linear, same_number, shape_error};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// Sum over `axes`, which vanish from the shape. The order of summation is not specified.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReduceSum {
    /// The axes that are summed over, ascending.
    pub axes: Vec<usize>,
}

/// The operand's shape without `axes`, which must ascend and exist.
pub(super) fn reduced_shape(op: &str, axes: &[usize], inputs: &[Expr]) -> Result<Shape> {
    arity(op, inputs, 1)?;
    let x = inputs[0].shape();
    if axes.windows(2).any(|w| w[0] >= w[1]) || axes.last().is_some_and(|&a| a >= x.len()) {
        return shape_error(op, format!("axes {axes:?} must ascend and exist"), inputs);
    }
    Ok((0..x.len()).filter(|a| !axes.contains(a)).map(|a| x[a]).collect())
}

/// Folds every element of `x` into the element of the result that it belongs to.
pub(super) fn fold<T: Copy>(
    node: &Expr,
    x: &Tensor,
    values: &[T],
    axes: &[usize],
    init: T,
    f: impl Fn(T, T) -> T,
) -> Vec<T> {
    let strides = node.shape().strides();
    let kept: Vec<usize> = (0..x.shape().len()).filter(|a| !axes.contains(a)).collect();
    let mut result = vec![init; node.shape().count()];
    let mut position = 0;
    for_each_index(x.shape(), |index| {
        let target: usize = kept.iter().zip(&strides).map(|(&a, s)| index[a] * s).sum();
        result[target] = f(result[target], values[position]);
        position += 1;
    });
    result
}

impl ReduceSum {
    fn terms(&self, x: &Expr) -> usize {
        self.axes.iter().map(|&a| x.shape()[a]).product()
    }
}

impl Primitive for ReduceSum {
    fn name(&self) -> &'static str {
        "reduce_sum"
    }
    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        let shape = reduced_shape("reduce_sum", &self.axes, inputs)?;
        Ok((shape, same_number("reduce_sum", inputs)?))
    }
    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let x = inputs[0];
        if let Some(values) = x.try_as_slice::<i64>() {
            return finish_as(node, fold(node, x, values, &self.axes, 0, i64::wrapping_add));
        }
        finish(node, fold(node, x, &x.to_f64_vec(), &self.axes, 0.0, |a, b| a + b))
    }
    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        jointly_linear(varying)
    }
    fn transpose(&self, node: &Expr, cotangent: &Expr, _linear: &[bool]) -> Vec<Option<Expr>> {
        vec![Some(cotangent.expand_axes(node.inputs()[0].shape(), &self.axes))]
    }
    fn batch(&self, _node: &Expr, inputs: &[Expr], _batched: &[bool], _size: usize) -> Expr {
        Expr::build(ReduceSum { axes: self.axes.iter().map(|a| a + 1).collect() }, inputs)
    }
    fn interval(&self, node: &Expr, inputs: &[Interval], rounding: Rounding) -> Interval {
        let sum = |x: &Expr| Expr::build(self.clone(), std::slice::from_ref(x));
        let x = &inputs[0];
        if !node.dtype().is_float() {
            return integer::interval(self.clone(), inputs, |x| Interval { lo: sum(&x[0].lo), hi: sum(&x[0].hi) });
        }
        let bounds = Interval { lo: sum(&x.lo), hi: sum(&x.hi) };
        if rounding == Rounding::Nearest {
            return bounds;
        }
        // Once for computing the bound and once for the network's own sum.
        let error = sum(&x.magnitude()).scale(3.0 * gamma(self.terms(&node.inputs()[0]), node.dtype()));
        bounds.widen_by(&error)
    }
    // The adjoint repeats values, which is exact.
    fn adjoint_error(&self, node: &Expr, inputs: &[Interval], _linear: &[bool]) -> Option<Expr> {
        let size = Expr::build(self.clone(), &[inputs[0].magnitude()]);
        Some(size.scale(2.0 * gamma(self.terms(&node.inputs()[0]), node.dtype())))
    }
}
