//! Solution of a triangular system.

use super::{each_matrix, pattern, product, system, transposed, unknown};
use crate::linear_algebra;
use crate::op::{Primitive, batch_all};
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// X = op(A)⁻¹·B for each matrix A of `[…, n, n]`, of which one triangle is read, and right-hand sides B of
/// `[…, n, k]`; `op` is the transpose or nothing. Linear in B. Infinite or NaN if a diagonal element is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TriangularSolve {
    /// Whether the lower triangle of A is read, else the upper one.
    pub lower: bool,
    /// Whether the system is Aᵀ·X = B.
    pub transpose: bool,
}

impl TriangularSolve {
    fn apply(self, a: &Expr, b: &Expr) -> Expr {
        Expr::build(self, &[a.clone(), b.clone()])
    }
}

impl Primitive for TriangularSolve {
    fn name(&self) -> &'static str {
        "triangular_solve"
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        system("triangular_solve", inputs)
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let (n, k) = (node.shape()[node.rank() - 2], node.shape()[node.rank() - 1]);
        let TriangularSolve { lower, transpose } = *self;
        each_matrix(
            node,
            inputs,
            |x, out| linear_algebra::triangular_solve(n, k, lower, transpose, x[0], x[1], out),
            |x, out| linear_algebra::triangular_solve(n, k, lower, transpose, x[0], x[1], out),
        )
    }

    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        (!varying[0]).then(|| varying.to_vec())
    }

    // dX = op(A)⁻¹·(dB − op(dA)·X), dA being the triangle that is read.
    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        let moved = tangents[0].as_ref().map(|da| {
            let n = da.shape()[da.rank() - 1];
            let read = |i: usize, j: usize| if self.lower { i >= j } else { i <= j };
            let da = da.mul(&pattern(da, n, |i, j| f64::from(u8::from(read(i, j)))));
            product(&if self.transpose { transposed(&da) } else { da }, node)
        });
        let right = match (&tangents[1], moved) {
            (Some(db), Some(moved)) => db.sub(&moved),
            (None, Some(moved)) => moved.neg(),
            (Some(db), None) => db.clone(),
            (None, None) => return None,
        };
        Some(self.apply(&node.inputs()[0], &right))
    }

    fn transpose(&self, node: &Expr, cotangent: &Expr, linear: &[bool]) -> Vec<Option<Expr>> {
        let adjoint = TriangularSolve { lower: self.lower, transpose: !self.transpose };
        vec![None, linear[1].then(|| adjoint.apply(&node.inputs()[0], cotangent))]
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
