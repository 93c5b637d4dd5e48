//! Triangular factor of a symmetric positive definite matrix.

use super::{each_matrix, one_matrix, pattern, product, stacked, transposed, unknown};
use crate::linear_algebra;
use crate::op::Primitive;
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor, TriangularSolve};

/// The lower triangular L with A = L·Lᵀ for each symmetric positive definite matrix of `[…, n, n]`, of which the lower
/// triangle is read. NaN if a matrix is not positive definite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cholesky;

impl Primitive for Cholesky {
    fn name(&self) -> &'static str {
        "cholesky"
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        let (lead, n, _, dtype) = one_matrix("cholesky", inputs, true)?;
        Ok((stacked(&lead, n, n), dtype))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let n = node.shape()[node.rank() - 1];
        each_matrix(
            node,
            inputs,
            |x, l| linear_algebra::cholesky(n, x[0], l),
            |x, l| linear_algebra::cholesky(n, x[0], l),
        )
    }

    fn linear_in(&self, _varying: &[bool]) -> Option<Vec<bool>> {
        None
    }

    // dL = L·Φ(L⁻¹·dA·L⁻ᵀ), Φ the lower triangle with half the diagonal (Murray 2016, eq. 8), where dA is the symmetric
    // matrix that the lower triangle stands for.
    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        let tangent = tangents[0].as_ref()?;
        let n = node.shape()[node.rank() - 1];
        let half = pattern(node, n, |i, j| {
            if i > j {
                1.0
            } else if i == j {
                0.5
            } else {
                0.0
            }
        });
        let lower = tangent.mul(&half);
        let symmetric = lower.add(&transposed(&lower));
        let by_factor =
            |x: &Expr| Expr::build(TriangularSolve { lower: true, transpose: false }, &[node.clone(), x.clone()]);
        let inner = by_factor(&transposed(&by_factor(&symmetric)));
        Some(product(node, &inner.mul(&half)))
    }

    fn transpose(&self, _node: &Expr, _cotangent: &Expr, _linear: &[bool]) -> Vec<Option<Expr>> {
        vec![None]
    }

    fn batch(&self, _node: &Expr, inputs: &[Expr], _batched: &[bool], _size: usize) -> Expr {
        Expr::build(*self, inputs)
    }

    fn interval(&self, node: &Expr, inputs: &[Interval], rounding: Rounding) -> Interval {
        unknown(*self, node, inputs, rounding)
    }
}
