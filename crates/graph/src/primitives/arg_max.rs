//! Index of the largest element.

use super::finish_as;
use crate::op::{Primitive, arity, axis_size, same_number, shape_error};
use crate::tensor::{Element, by_type};
use crate::{DType, Expr, Interval, ReduceMax, Result, Rounding, Shape, Tensor};

/// Index of the largest element along `axis`, which vanishes: the first of equals, or the first NaN. No derivative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArgMax {
    /// The axis along which elements compete.
    pub axis: usize,
}

/// The lines of a tensor of `shape` along `axis`: for each, the offset of its first element; the elements of one line
/// are `stride` apart.
pub(super) fn lines(shape: &Shape, axis: usize) -> (Vec<usize>, usize) {
    let stride: usize = shape[axis + 1..].iter().product();
    let outer: usize = shape[..axis].iter().product();
    let starts = (0..outer).flat_map(|o| (0..stride).map(move |i| (o, i)));
    (starts.map(|(o, i)| o * shape[axis] * stride + i).collect(), stride)
}

// Every type's comparison is exact; NaN is what does not equal itself.
#[allow(clippy::eq_op)]
fn first_largest<T: Element>(values: &[T], start: usize, stride: usize, n: usize) -> i64 {
    let mut best = 0;
    for k in 1..n {
        let (x, b) = (values[start + k * stride], values[start + best * stride]);
        if x > b || (x != x && b == b) {
            best = k;
        }
    }
    best as i64
}

impl Primitive for ArgMax {
    fn name(&self) -> &'static str {
        "argmax"
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity("argmax", inputs, 1)?;
        same_number("argmax", inputs)?;
        if axis_size("argmax", self.axis, inputs)? == 0 {
            return shape_error("argmax", "there is no maximum of nothing", inputs);
        }
        let x = inputs[0].shape();
        Ok(((0..x.len()).filter(|&a| a != self.axis).map(|a| x[a]).collect(), DType::I64))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let x = inputs[0];
        let (starts, stride) = lines(x.shape(), self.axis);
        let n = x.shape()[self.axis];
        by_type!(x.dtype(), T => {
            let values = x.as_slice::<T>();
            finish_as(node, starts.iter().map(|&s| first_largest(values, s, stride, n)).collect())
        })
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
        Expr::build(ArgMax { axis: self.axis + 1 }, inputs)
    }

    // From the first to the last element whose upper bound reaches every lower bound.
    fn interval(&self, _node: &Expr, inputs: &[Interval], _rounding: Rounding) -> Interval {
        let first = |x: &Expr| Expr::build(*self, std::slice::from_ref(x));
        let x = &inputs[0];
        if x.is_point() {
            return Interval::point(&first(&x.lo));
        }
        let floor = Expr::build(ReduceMax { axes: vec![self.axis] }, std::slice::from_ref(&x.lo));
        let beaten = x.hi.less(&floor.expand_axes(x.hi.shape(), &[self.axis]));
        // An unknown end (NaN) beats nothing and is not beaten.
        let possible = beaten.equal(&beaten.like(0.0));
        let from_the_end = first(&possible.reverse(&[self.axis]));
        let last = from_the_end.like((x.lo.shape()[self.axis] - 1) as f64).sub(&from_the_end);
        Interval { lo: first(&possible), hi: last }
    }
}
