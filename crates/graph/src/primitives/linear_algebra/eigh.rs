//! Eigenvalues and eigenvectors of a symmetric matrix.

use super::{determined_reciprocal, each_matrix, one_matrix, pattern, product, rows, stacked, transposed, unknown};
use crate::linear_algebra;
use crate::op::Primitive;
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// Eigenvalues w (ascending) and eigenvectors V (columns) of each symmetric matrix of `[…, n, n]`, of which the lower
/// triangle is read, as `[…, n + 1, n]`: w in row 0, then V. The sign of a vector is not specified. NaN if a matrix is
/// not finite.
///
/// Derivatives of vectors need distinct eigenvalues. The part of a derivative that mixes the vectors of eigenvalues that
/// are *equal*, up to n units in the last place of the largest, is not determined and left out: functions that do not
/// depend on the choice of vectors there have their right derivatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Eigh;

impl Primitive for Eigh {
    fn name(&self) -> &'static str {
        "eigh"
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        let (lead, n, _, dtype) = one_matrix("eigh", inputs, true)?;
        Ok((stacked(&lead, n + 1, n), dtype))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let n = node.shape()[node.rank() - 1];
        each_matrix(
            node,
            inputs,
            |x, out| linear_algebra::eigh(n, x[0], out),
            |x, out| linear_algebra::eigh(n, x[0], out),
        )
    }

    fn linear_in(&self, _varying: &[bool]) -> Option<Vec<bool>> {
        None
    }

    // With P = Vᵀ·dA·V: dw = diag(P), dV = V·(F∘P), F_ij = 1/(w_j − w_i) off the diagonal (Giles 2008, §3.1).
    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        let tangent = tangents[0].as_ref()?;
        let (rank, n) = (node.rank(), node.shape()[node.rank() - 1]);
        let half = pattern(tangent, n, |i, j| {
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
        let (w, v) = (rows(node, 0, 1), rows(node, 1, n + 1));
        let inner = product(&transposed(&v), &product(&symmetric, &v));
        let gaps = w.sub(&transposed(&w));
        let dv = product(&v, &inner.mul(&determined_reciprocal(&gaps, &w)));
        let diagonal = pattern(&inner, n, |i, j| f64::from(u8::from(i == j)));
        let dw = inner.mul(&diagonal).reduce_sum(&[rank - 2], true);
        Some(Expr::concat(&[dw, dv], rank - 2))
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
