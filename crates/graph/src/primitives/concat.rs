//! Operands one after another along an axis.

use super::finish_as;
use crate::interval::gamma;
use crate::op::{Primitive, batch_all, jointly_linear, shape_error};
use crate::tensor::{Element, by_type};
use crate::{DType, Expr, GraphError, Interval, Result, Rounding, Shape, Tensor};

/// Operands one after another along `axis`; all other sizes are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Concat {
    /// The axis along which operands follow each other.
    pub axis: usize,
}

impl Concat {
    fn eval_as<T: Element>(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let outer: usize = node.shape()[..self.axis].iter().product();
        let parts: Vec<&[T]> = inputs.iter().map(|x| x.as_slice()).collect();
        let mut values = Vec::with_capacity(node.shape().count());
        for row in 0..outer {
            for part in &parts {
                let width = part.len() / outer;
                values.extend_from_slice(&part[row * width..(row + 1) * width]);
            }
        }
        finish_as(node, values)
    }
}

impl Primitive for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        let Some(first) = inputs.first() else { return shape_error("concat", "needs at least one operand", inputs) };
        let same_elsewhere = |x: &Expr| {
            x.rank() == first.rank() && (0..x.rank()).all(|a| a == self.axis || x.shape()[a] == first.shape()[a])
        };
        if self.axis >= first.rank() || !inputs.iter().all(same_elsewhere) {
            return shape_error("concat", format!("operands must agree on all axes but axis {}", self.axis), inputs);
        }
        if inputs.iter().any(|x| x.dtype() != first.dtype()) {
            let dtypes = inputs.iter().map(Expr::dtype).collect();
            return Err(GraphError::DType {
                op: "concat".into(),
                reason: "operands must be of one type".into(),
                dtypes,
            });
        }
        let total = inputs.iter().map(|x| x.shape()[self.axis]).sum();
        let shape = (0..first.rank()).map(|a| if a == self.axis { total } else { first.shape()[a] }).collect();
        Ok((shape, first.dtype()))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        by_type!(node.dtype(), T => self.eval_as::<T>(node, inputs))
    }

    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        jointly_linear(varying)
    }

    fn transpose(&self, node: &Expr, cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        let mut offset = 0;
        let mut parts = Vec::with_capacity(linear.len());
        for (x, &wanted) in node.inputs().iter().zip(linear) {
            let end = offset + x.shape()[self.axis];
            parts.push(wanted.then(|| cotangent.slice_axis(self.axis, offset, end)));
            offset = end;
        }
        parts
    }

    fn batch(&self, _node: &Expr, inputs: &[Expr], batched: &[bool], size: usize) -> Expr {
        Expr::build(Concat { axis: self.axis + 1 }, &batch_all(inputs, batched, size))
    }

    fn interval(&self, _node: &Expr, inputs: &[Interval], _rounding: Rounding) -> Interval {
        let (lo, hi): (Vec<Expr>, Vec<Expr>) = inputs.iter().map(|i| (i.lo.clone(), i.hi.clone())).unzip();
        Interval { lo: Expr::build(self.clone(), &lo), hi: Expr::build(self.clone(), &hi) }
    }

    // Covectors of an operand that stands in several places are added up.
    fn adjoint_error(&self, node: &Expr, inputs: &[Interval], _linear: &[bool]) -> Option<Expr> {
        let mut ids: Vec<u64> = node.inputs().iter().map(Expr::id).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() == node.inputs().len() {
            return None;
        }
        let sizes: Vec<Expr> = inputs.iter().map(Interval::magnitude).collect();
        Some(Expr::build(self.clone(), &sizes).scale(2.0 * gamma(sizes.len(), node.dtype())))
    }
}
