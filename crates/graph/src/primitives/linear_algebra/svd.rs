//! Singular values and vectors.

use super::{
    as_diagonal, determined_reciprocal, each_matrix, one_matrix, pattern, product, rows, stacked, transposed, unknown,
};
use crate::linear_algebra;
use crate::op::Primitive;
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor};

/// A = U·diag(s)·Vᵀ for each matrix of `[…, m, n]`, k = min(m, n), as `[…, m + 1 + n, k]`: U `[m, k]`, the row of
/// singular values (descending), V `[n, k]`. The common sign of a pair of vectors is not specified. NaN if a matrix is
/// not finite.
///
/// Derivatives of vectors need distinct, non-zero singular values. What is not determined (a turn among the vectors of
/// values that are *equal* up to k units in the last place of the largest, and the vectors of zeros) is left out:
/// functions that do not depend on the choice of vectors there have their right derivatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Svd;

impl Primitive for Svd {
    fn name(&self) -> &'static str {
        "svd"
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        let (lead, m, n, dtype) = one_matrix("svd", inputs, false)?;
        Ok((stacked(&lead, m + 1 + n, m.min(n)), dtype))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let shape = inputs[0].shape();
        let (m, n) = (shape[shape.len() - 2], shape[shape.len() - 1]);
        each_matrix(
            node,
            inputs,
            |x, out| linear_algebra::svd(m, n, x[0], out),
            |x, out| linear_algebra::svd(m, n, x[0], out),
        )
    }

    fn linear_in(&self, _varying: &[bool]) -> Option<Vec<bool>> {
        None
    }

    // With P = Uᵀ·dA·V, S = diag(s) and F_ij = 1/(s_j² − s_i²) off the diagonal: ds = diag(P),
    // dU = U·(F∘(P·S + S·Pᵀ)) + (1 − U·Uᵀ)·dA·V·S⁻¹, dV = V·(F∘(S·P + Pᵀ·S)) + (1 − V·Vᵀ)·dAᵀ·U·S⁻¹
    // (Townsend 2016, eqs. 11–15).
    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        let da = tangents[0].as_ref()?;
        let rank = node.rank();
        let (m, n, k) = (da.shape()[rank - 2], da.shape()[rank - 1], node.shape()[rank - 1]);
        let (u, s, v) = (rows(node, 0, m), rows(node, m, m + 1), rows(node, m + 1, m + 1 + n));
        let (from_right, from_left) = (product(da, &v), product(&transposed(da), &u));
        let inner = product(&transposed(&u), &from_right);
        let diagonal = pattern(&inner, k, |i, j| f64::from(u8::from(i == j)));
        let ds = inner.mul(&diagonal).reduce_sum(&[rank - 2], true);
        // 1/(s_j² − s_i²) as 1/(s_j − s_i) · 1/(s_j + s_i) loses nothing to the squares.
        let st = transposed(&s);
        let f = determined_reciprocal(&s.sub(&st), &s).mul(&determined_reciprocal(&s.add(&st), &s));
        let inner_t = transposed(&inner);
        // P·S scales columns, S·P scales rows.
        let turn_u = f.mul(&inner.mul(&s).add(&inner_t.mul(&st)));
        let turn_v = f.mul(&inner.mul(&st).add(&inner_t.mul(&s)));
        let inverse = as_diagonal(&determined_reciprocal(&s, &s).reshape(drop_axis(s.shape(), rank - 2)));
        let outside = |basis: &Expr, moved: &Expr, coefficients: &Expr| {
            product(&moved.sub(&product(basis, coefficients)), &inverse)
        };
        let (mut du, mut dv) = (product(&u, &turn_u), product(&v, &turn_v));
        if m > k {
            du = du.add(&outside(&u, &from_right, &inner));
        }
        if n > k {
            dv = dv.add(&outside(&v, &from_left, &inner_t));
        }
        Some(Expr::concat(&[du, ds, dv], rank - 2))
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

fn drop_axis(shape: &Shape, axis: usize) -> Shape {
    (0..shape.len()).filter(|&a| a != axis).map(|a| shape[a]).collect()
}
