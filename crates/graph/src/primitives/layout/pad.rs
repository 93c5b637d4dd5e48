//! Zeros around and between the elements.

use super::{Slice, gather, move_interval};
use crate::op::{Primitive, arity, jointly_linear, shape_error};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// `low` zeros before, `high` after and `interior` between the elements of each axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pad {
    /// Zeros before the first element of each axis.
    pub low: Vec<usize>,
    /// Zeros after the last element of each axis.
    pub high: Vec<usize>,
    /// Zeros between neighbours along each axis.
    pub interior: Vec<usize>,
}

fn spread(n: usize, interior: usize) -> Option<usize> {
    if n == 0 { Some(0) } else { (n - 1).checked_mul(interior.checked_add(1)?)?.checked_add(1) }
}

impl Primitive for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }
    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity("pad", inputs, 1)?;
        let x = inputs[0].shape();
        if [self.low.len(), self.high.len(), self.interior.len()].iter().any(|&r| r != x.len()) {
            return shape_error("pad", "needs one amount for every axis", inputs);
        }
        let sizes: Option<Shape> = (0..x.len())
            .map(|a| spread(x[a], self.interior[a])?.checked_add(self.low[a])?.checked_add(self.high[a]))
            .collect::<Option<Vec<_>>>()
            .map(Shape::from);
        match sizes {
            Some(shape) => Ok((shape, inputs[0].dtype())),
            None => shape_error("pad", "the padded size does not fit in an index", inputs),
        }
    }
    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let (shape, strides) = (inputs[0].shape(), inputs[0].shape().strides());
        gather(node, inputs[0], |index| {
            let mut offset = 0;
            for a in 0..index.len() {
                let inside = index[a].checked_sub(self.low[a])?;
                let step = self.interior[a] + 1;
                if inside % step != 0 || inside / step >= shape[a] {
                    return None;
                }
                offset += inside / step * strides[a];
            }
            Some(offset)
        })
    }
    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        jointly_linear(varying)
    }
    fn transpose(&self, node: &Expr, cotangent: &Expr, _linear: &[bool]) -> Vec<Option<Expr>> {
        let x = node.inputs()[0].shape();
        let stride: Vec<usize> = self.interior.iter().map(|i| i + 1).collect();
        let end = (0..x.len()).map(|a| self.low[a] + spread(x[a], self.interior[a]).unwrap_or(0)).collect();
        vec![Some(Expr::build(Slice { start: self.low.clone(), end, stride }, std::slice::from_ref(cotangent)))]
    }
    fn batch(&self, _node: &Expr, inputs: &[Expr], _batched: &[bool], _size: usize) -> Expr {
        let with = |rest: &[usize]| std::iter::once(0).chain(rest.iter().copied()).collect();
        Expr::build(Pad { low: with(&self.low), high: with(&self.high), interior: with(&self.interior) }, inputs)
    }
    fn interval(&self, _node: &Expr, inputs: &[Interval], _rounding: Rounding) -> Interval {
        move_interval(self.clone().into(), &inputs[0])
    }
}
