//! Elementwise comparisons: 1 where they hold, 0 elsewhere, in the operands' type.

use super::{finish, finish_as};
use crate::op::{Primitive, arity, batch_all, same_number, shape_error};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// An elementwise comparison of two operands of one shape and number type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compare {
    /// a = b.
    Equal,
    /// a > b.
    Greater,
    /// a ≥ b.
    GreaterEqual,
    /// a < b.
    Less,
    /// a ≤ b.
    LessEqual,
}

impl Compare {
    /// Whether the comparison holds.
    pub fn holds<T: PartialOrd>(self, a: T, b: T) -> bool {
        match self {
            Compare::Equal => a == b,
            Compare::Greater => a > b,
            Compare::GreaterEqual => a >= b,
            Compare::Less => a < b,
            Compare::LessEqual => a <= b,
        }
    }
}

impl Primitive for Compare {
    fn name(&self) -> &'static str {
        match self {
            Compare::Equal => "equal",
            Compare::Greater => "greater",
            Compare::GreaterEqual => "greater_equal",
            Compare::Less => "less",
            Compare::LessEqual => "less_equal",
        }
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        arity(self.name(), inputs, 2)?;
        let dtype = same_number(self.name(), inputs)?;
        if inputs[0].shape() != inputs[1].shape() {
            return shape_error(self.name(), "operands must have one shape (broadcast them first)", inputs);
        }
        Ok((inputs[0].shape().clone(), dtype))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        if node.dtype() == DType::I64 {
            let (a, b) = (inputs[0].as_slice::<i64>(), inputs[1].as_slice::<i64>());
            return finish_as(node, a.iter().zip(b).map(|(a, b)| i64::from(self.holds(a, b))).collect());
        }
        let (a, b) = (inputs[0].to_f64_vec(), inputs[1].to_f64_vec());
        finish(node, a.into_iter().zip(b).map(|(a, b)| f64::from(u8::from(self.holds(a, b)))).collect())
    }

    fn linear_in(&self, _varying: &[bool]) -> Option<Vec<bool>> {
        None
    }

    // Piecewise constant.
    fn jvp(&self, _node: &Expr, _tangents: &[Option<Expr>]) -> Option<Expr> {
        None
    }

    fn transpose(&self, _node: &Expr, _cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        vec![None; linear.len()]
    }

    fn batch(&self, _node: &Expr, inputs: &[Expr], batched: &[bool], size: usize) -> Expr {
        Expr::build(*self, &batch_all(inputs, batched, size))
    }

    fn interval(&self, _node: &Expr, inputs: &[Interval], _rounding: Rounding) -> Interval {
        let (a, b) = (&inputs[0], &inputs[1]);
        let compare = |x: &Expr, y: &Expr| Expr::build(*self, &[x.clone(), y.clone()]);
        if a.is_point() && b.is_point() {
            return Interval::point(&compare(&a.lo, &b.lo));
        }
        // Certainly true, and not certainly false: an unknown end (NaN) makes neither certain.
        let not = |x: Expr| x.like(1.0).sub(&x);
        match self {
            Compare::Greater => Interval { lo: a.lo.greater(&b.hi), hi: not(a.hi.less_equal(&b.lo)) },
            Compare::GreaterEqual => Interval { lo: a.lo.greater_equal(&b.hi), hi: not(a.hi.less(&b.lo)) },
            Compare::Less => Interval { lo: a.hi.less(&b.lo), hi: not(a.lo.greater_equal(&b.hi)) },
            Compare::LessEqual => Interval { lo: a.hi.less_equal(&b.lo), hi: not(a.lo.greater(&b.hi)) },
            Compare::Equal => {
                let apart = a.lo.greater(&b.hi).maximum(&b.lo.greater(&a.hi));
                let single = a.lo.equal(&a.hi).mul(&b.lo.equal(&b.hi)).mul(&a.lo.equal(&b.lo));
                Interval { lo: single, hi: not(apart) }
            }
        }
    }
}
