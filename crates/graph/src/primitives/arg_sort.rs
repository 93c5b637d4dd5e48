//! The order of elements.

use super::arg_max::lines;
use super::finish_as;
use crate::op::{Primitive, arity, axis_size, same_number};
use crate::tensor::{Element, by_type};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};
use std::cmp::Ordering;

/// The permutation that puts elements along `axis` in order. Equal elements keep theirs, also when descending, and NaN
/// comes last. No derivative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArgSort {
    /// The axis along which elements are ordered.
    pub axis: usize,
    /// Largest first.
    pub descending: bool,
}

/// The order of two elements: NaN is last either way.
#[allow(clippy::eq_op)]
pub(super) fn compare<T: Element>(a: T, b: T, descending: bool) -> Ordering {
    match a.partial_cmp(&b) {
        Some(order) if descending => order.reverse(),
        Some(order) => order,
        // What does not equal itself is NaN.
        None => (a != a).cmp(&(b != b)),
    }
}

impl Primitive for ArgSort {
    fn name(&self) -> &'static str {
        "argsort"
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity("argsort", inputs, 1)?;
        same_number("argsort", inputs)?;
        axis_size("argsort", self.axis, inputs)?;
        Ok((inputs[0].shape().clone(), DType::I64))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let x = inputs[0];
        let (starts, stride) = lines(x.shape(), self.axis);
        let mut result = vec![0i64; x.count()];
        by_type!(x.dtype(), T => {
            let values = x.as_slice::<T>();
            for start in starts {
                let mut order: Vec<usize> = (0..x.shape()[self.axis]).collect();
                let at = |k: usize| values[start + k * stride];
                order.sort_by(|&a, &b| compare(at(a), at(b), self.descending));
                order.iter().enumerate().for_each(|(k, &from)| result[start + k * stride] = from as i64);
            }
        });
        finish_as(node, result)
    }

    fn linear_in(&self, _varying: &[bool]) -> Option<Vec<bool>> {
        None
    }

    fn jvp(&self, _node: &Expr, _tangents: &[Option<Expr>]) -> Option<Expr> {
        None
    }

    fn transpose(&self, _node: &Expr, _cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        vec![None; linear.len()]
    }

    fn batch(&self, _node: &Expr, inputs: &[Expr], _batched: &[bool], _size: usize) -> Expr {
        Expr::build(ArgSort { axis: self.axis + 1, ..*self }, inputs)
    }

    // Any place of the axis.
    fn interval(&self, node: &Expr, inputs: &[Interval], _rounding: Rounding) -> Interval {
        if inputs[0].is_point() {
            return Interval::point(&Expr::build(*self, std::slice::from_ref(&inputs[0].lo)));
        }
        let last = node.shape()[self.axis].saturating_sub(1);
        Interval { lo: node.like(0.0), hi: node.like(last as f64) }
    }
}
