//! Maximum over axes.

use super::reduce_sum::{fold, reduced_shape};
use super::{finish, finish_as};
use crate::op::{Primitive, Relaxation, same_number, shape_error};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// Maximum over `axes`, which vanish from the shape. Where several elements are largest, the derivative is shared
/// equally among them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReduceMax {
    /// The axes that are reduced, ascending.
    pub axes: Vec<usize>,
}

impl ReduceMax {
    // 1 where the element is one of the largest, divided by how many there are.
    fn share(&self, x: &Expr, max: &Expr) -> Expr {
        let mask = x.equal(&max.expand_axes(x.shape(), &self.axes));
        // At least one element is the largest, which an interval of the count by itself does not tell.
        let count = mask.reduce_sum(&self.axes, false).maximum(&max.like(1.0));
        mask.div(&count.expand_axes(x.shape(), &self.axes))
    }
}

impl Primitive for ReduceMax {
    fn name(&self) -> &'static str {
        "reduce_max"
    }
    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        let shape = reduced_shape("reduce_max", &self.axes, inputs)?;
        if self.axes.iter().any(|&a| inputs[0].shape()[a] == 0) {
            return shape_error("reduce_max", "there is no maximum of nothing", inputs);
        }
        Ok((shape, same_number("reduce_max", inputs)?))
    }
    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let larger = |a: f64, b: f64| if a.is_nan() || a >= b { a } else { b };
        let x = inputs[0];
        if let Some(values) = x.try_as_slice::<i64>() {
            return finish_as(node, fold(node, x, values, &self.axes, i64::MIN, i64::max));
        }
        finish(node, fold(node, x, &x.to_f64_vec(), &self.axes, f64::NEG_INFINITY, larger))
    }
    fn linear_in(&self, _varying: &[bool]) -> Option<Vec<bool>> {
        None
    }
    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        let tangent = tangents[0].as_ref()?;
        Some(tangent.mul(&self.share(&node.inputs()[0], node)).reduce_sum(&self.axes, false))
    }
    fn transpose(&self, _node: &Expr, _cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        vec![None; linear.len()]
    }
    fn batch(&self, _node: &Expr, inputs: &[Expr], _batched: &[bool], _size: usize) -> Expr {
        Expr::build(ReduceMax { axes: self.axes.iter().map(|a| a + 1).collect() }, inputs)
    }
    fn interval(&self, _node: &Expr, inputs: &[Interval], _rounding: Rounding) -> Interval {
        let max = |x: &Expr| Expr::build(self.clone(), std::slice::from_ref(x));
        if inputs[0].is_point() {
            return Interval::point(&max(&inputs[0].lo));
        }
        Interval { lo: max(&inputs[0].lo), hi: max(&inputs[0].hi) }
    }
    // Below: the element with the largest lower bound (the mean of several such elements is below the maximum too).
    // Above: that element if its lower bound reaches every other's upper bound, else the constant upper bound.
    fn relax(&self, node: &Expr, bounds: &[Interval], _rounding: Rounding) -> Option<Relaxation> {
        let (x, b) = (&node.inputs()[0], &bounds[0]);
        let max_lo = Expr::build(self.clone(), std::slice::from_ref(&b.lo));
        let max_hi = Expr::build(self.clone(), std::slice::from_ref(&b.hi));
        let dominant = first_of(&b.lo.equal(&max_lo.expand_axes(x.shape(), &self.axes)), &self.axes);
        let chosen = x.mul(&dominant).reduce_sum(&self.axes, false);
        // Upper bounds of the other elements: the dominant one is lowered out of the way.
        let others = Expr::select(&dominant, &b.hi.like(f64::NEG_INFINITY), &b.hi);
        let decided = max_lo.greater_equal(&Expr::build(self.clone(), &[others]));
        let upper_slope = dominant.mul(&decided.expand_axes(x.shape(), &self.axes));
        let upper_constant = Expr::select(&decided, &max_hi.like(0.0), &max_hi);
        Some(Relaxation {
            lower: chosen,
            upper: x.mul(&upper_slope).reduce_sum(&self.axes, false).add(&upper_constant),
        })
    }
}

// Keeps one 1 of a 0/1 mask along `axes`: the one with the largest position weight.
fn first_of(mask: &Expr, axes: &[usize]) -> Expr {
    let n: usize = axes.iter().map(|&a| mask.shape()[a]).product();
    let weights: Vec<f64> = (0..n).map(|i| (n - i) as f64).collect();
    let sizes: Shape = axes.iter().map(|&a| mask.shape()[a]).collect();
    let order = Tensor::from_f64(sizes, mask.dtype(), weights).expect("one weight for each position");
    let order =
        Expr::build(super::Broadcast { shape: mask.shape().clone(), axes: axes.to_vec() }, &[Expr::constant(order)]);
    let ranked = mask.mul(&order);
    let best = Expr::build(ReduceMax { axes: axes.to_vec() }, std::slice::from_ref(&ranked));
    ranked.equal(&best.expand_axes(mask.shape(), axes))
}
