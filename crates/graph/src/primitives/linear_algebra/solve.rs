//! Solution of a linear system.

use super::{each_matrix, product, system, transposed, unknown};
use crate::linear_algebra;
use crate::op::{Primitive, batch_all};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// X = A⁻¹·B for each matrix A of `[…, n, n]` and right-hand sides B of `[…, n, k]`, by elimination with partial
/// pivoting. Linear in B. Infinite or NaN if a matrix is singular.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Solve;

impl Solve {
    fn apply(self, a: &Expr, b: &Expr) -> Expr {
        Expr::build(self, &[a.clone(), b.clone()])
    }
}

impl Primitive for Solve {
    fn name(&self) -> &'static str {
        "solve"
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        system("solve", inputs)
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let (n, k) = (node.shape()[node.rank() - 2], node.shape()[node.rank() - 1]);
        each_matrix(
            node,
            inputs,
            |x, out| linear_algebra::solve(n, k, x[0], x[1], out),
            |x, out| linear_algebra::solve(n, k, x[0], x[1], out),
        )
    }

    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        (!varying[0]).then(|| varying.to_vec())
    }

    // dX = A⁻¹·(dB − dA·X)
    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        let moved = tangents[0].as_ref().map(|da| product(da, node));
        let right = match (&tangents[1], moved) {
            (Some(db), Some(moved)) => db.sub(&moved),
            (None, Some(moved)) => moved.neg(),
            (Some(db), None) => db.clone(),
            (None, None) => return None,
        };
        Some(self.apply(&node.inputs()[0], &right))
    }

    fn transpose(&self, node: &Expr, cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        vec![None, linear[1].then(|| self.apply(&transposed(&node.inputs()[0]), cotangent))]
    }

    fn batch(&self, _node: &Expr, inputs: &[Expr], batched: &[bool], size: usize) -> Expr {
        Expr::build(*self, &batch_all(inputs, batched, size))
    }

    fn interval(&self, node: &Expr, inputs: &[Interval], rounding: Rounding) -> Interval {
        unknown(*self, node, inputs, rounding)
    }

    // No bound on the error is known without the condition of A.
    fn adjoint_error(&self, node: &Expr, _inputs: &[Interval], _linear: &[bool]) -> Option<Expr> {
        Some(node.like(f64::INFINITY))
    }
}
