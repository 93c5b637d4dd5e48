//! Elements in order.

use super::arg_max::lines;
use super::arg_sort::{ArgSort, compare};
use super::finish_as;
use crate::op::{Primitive, arity, axis_size, same_number};
use crate::tensor::by_type;
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// Elements along `axis` in order, NaN last. The derivative follows the elements; of equals, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sort {
    /// The axis along which elements are ordered.
    pub axis: usize,
    /// Largest first.
    pub descending: bool,
}

impl Primitive for Sort {
    fn name(&self) -> &'static str {
        "sort"
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity("sort", inputs, 1)?;
        axis_size("sort", self.axis, inputs)?;
        Ok((inputs[0].shape().clone(), same_number("sort", inputs)?))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let (starts, stride) = lines(node.shape(), self.axis);
        by_type!(node.dtype(), T => {
            let mut values = inputs[0].as_slice::<T>().to_vec();
            for start in starts {
                let mut line: Vec<T> = (0..node.shape()[self.axis]).map(|k| values[start + k * stride]).collect();
                line.sort_by(|&a, &b| compare(a, b, self.descending));
                line.iter().enumerate().for_each(|(k, &v)| values[start + k * stride] = v);
            }
            finish_as(node, values)
        })
    }

    fn linear_in(&self, _varying: &[bool]) -> Option<Vec<bool>> {
        None
    }

    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        let tangent = tangents[0].as_ref()?;
        let order = ArgSort { axis: self.axis, descending: self.descending };
        let order = Expr::build(order, std::slice::from_ref(&node.inputs()[0]));
        Some(tangent.take_along_axis(self.axis, &order))
    }

    fn transpose(&self, _node: &Expr, _cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        vec![None; linear.len()]
    }

    fn batch(&self, _node: &Expr, inputs: &[Expr], _batched: &[bool], _size: usize) -> Expr {
        Expr::build(Sort { axis: self.axis + 1, ..*self }, inputs)
    }

    // Each order statistic is monotone in every element. Unknown ends (NaN) must not be sorted to the wrong side.
    fn interval(&self, _node: &Expr, inputs: &[Interval], _rounding: Rounding) -> Interval {
        let sort = |x: &Expr| Expr::build(*self, std::slice::from_ref(x));
        if inputs[0].is_point() {
            return Interval::point(&sort(&inputs[0].lo));
        }
        let x = inputs[0].or_infinite();
        Interval { lo: sort(&x.lo), hi: sort(&x.hi) }
    }
}
