//! Elementwise choice by a mask.

use super::finish_as;
use crate::op::{Primitive, Relaxation, arity, batch_all, same_number, shape_error};
use crate::tensor::{Element, by_type};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// `mask ≠ 0 ? on_true : on_false`; three operands of one shape and type. No derivative flows to the mask, and the
/// value that is not chosen has none either, even where it is infinite or NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Select;

fn choose<T: Element>(node: &Expr, inputs: &[&Tensor]) -> Tensor {
    let [mask, a, b]: [&[T]; 3] = [inputs[0].as_slice(), inputs[1].as_slice(), inputs[2].as_slice()];
    finish_as(node, (0..mask.len()).map(|i| if mask[i] != T::default() { a[i] } else { b[i] }).collect())
}

impl Primitive for Select {
    fn name(&self) -> &'static str {
        "select"
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity("select", inputs, 3)?;
        let dtype = same_number("select", inputs)?;
        if inputs.iter().any(|i| i.shape() != inputs[0].shape()) {
            return shape_error("select", "mask and both choices must have one shape (broadcast them first)", inputs);
        }
        Ok((inputs[0].shape().clone(), dtype))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        by_type!(node.dtype(), T => choose::<T>(node, inputs))
    }

    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        (!varying[0]).then(|| vec![false, true, true])
    }

    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        if tangents[1].is_none() && tangents[2].is_none() {
            return None;
        }
        let or_zero = |t: &Option<Expr>| t.clone().unwrap_or_else(|| node.like(0.0));
        Some(Expr::select(&node.inputs()[0], &or_zero(&tangents[1]), &or_zero(&tangents[2])))
    }

    fn transpose(&self, node: &Expr, cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        let (mask, zero) = (&node.inputs()[0], cotangent.like(0.0));
        vec![
            None,
            linear[1].then(|| Expr::select(mask, cotangent, &zero)),
            linear[2].then(|| Expr::select(mask, &zero, cotangent)),
        ]
    }

    fn batch(&self, _node: &Expr, inputs: &[Expr], batched: &[bool], size: usize) -> Expr {
        Expr::build(*self, &batch_all(inputs, batched, size))
    }

    fn interval(&self, _node: &Expr, inputs: &[Interval], _rounding: Rounding) -> Interval {
        let [mask, a, b] = [&inputs[0], &inputs[1], &inputs[2]];
        if mask.is_point() {
            return Interval { lo: Expr::select(&mask.lo, &a.lo, &b.lo), hi: Expr::select(&mask.lo, &a.hi, &b.hi) };
        }
        let (surely_zero, surely_not) = decided(mask);
        let either = Interval { lo: a.lo.minimum(&b.lo), hi: a.hi.maximum(&b.hi) };
        let pick =
            |a: &Expr, b: &Expr, either: &Expr| Expr::select(&surely_not, a, &Expr::select(&surely_zero, b, either));
        Interval { lo: pick(&a.lo, &b.lo, &either.lo), hi: pick(&a.hi, &b.hi, &either.hi) }
    }
    // Where the mask is decided, the chosen operand itself; elsewhere the interval.
    fn relax(&self, node: &Expr, bounds: &[Interval], rounding: Rounding) -> Option<Relaxation> {
        let (surely_zero, surely_not) = decided(&bounds[0]);
        let chosen = node.inputs()[1].mul(&surely_not).add(&node.inputs()[2].mul(&surely_zero));
        let own = self.interval(node, bounds, rounding);
        let open = |end: &Expr| Expr::select(&surely_not.maximum(&surely_zero), &end.like(0.0), end);
        Some(Relaxation { lower: chosen.add(&open(&own.lo)), upper: chosen.add(&open(&own.hi)) })
    }
}

// Where the mask is surely zero, and where it is surely not; elsewhere both choices are possible.
fn decided(mask: &Interval) -> (Expr, Expr) {
    let zero = mask.lo.like(0.0);
    let surely_zero = mask.lo.equal(&zero).mul(&mask.hi.equal(&zero));
    let surely_not = mask.lo.greater(&zero).maximum(&mask.hi.less(&zero));
    (surely_zero, surely_not)
}
