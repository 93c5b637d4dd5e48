//! Orthogonal and triangular factor.

use super::{each_matrix, one_matrix, pattern, product, rows, stacked, transposed, unknown};
use crate::linear_algebra;
use crate::op::Primitive;
use crate::{DType, Expr, Interval, Result, Rounding, Shape, Tensor, TriangularSolve};

/// A = Q·R for each matrix of `[…, m, n]`, k = min(m, n), as `[…, m + n, k]`: Q `[m, k]` with orthonormal columns, then
/// Rᵀ `[n, k]`. The diagonal of R is not negative, so that the factors are unique where the first k columns have full
/// rank; there they have derivatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Qr;

impl Primitive for Qr {
    fn name(&self) -> &'static str {
        "qr"
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        let (lead, m, n, dtype) = one_matrix("qr", inputs, false)?;
        Ok((stacked(&lead, m + n, m.min(n)), dtype))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let shape = inputs[0].shape();
        let (m, n) = (shape[shape.len() - 2], shape[shape.len() - 1]);
        each_matrix(
            node,
            inputs,
            |x, out| linear_algebra::qr(m, n, x[0], out),
            |x, out| linear_algebra::qr(m, n, x[0], out),
        )
    }

    fn linear_in(&self, _varying: &[bool]) -> Option<Vec<bool>> {
        None
    }

    // With C = dA₁·R₁⁻¹ of the first k columns, M = Qᵀ·C and the antisymmetric Ω that has M's part below the diagonal:
    // dQ = C + Q·(Ω − M), dR = Qᵀ·dA − Ω·R (Walter and Lehmann 2018, for R₁ invertible).
    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        let tangent = tangents[0].as_ref()?;
        let rank = tangent.rank();
        let (m, n, k) = (tangent.shape()[rank - 2], tangent.shape()[rank - 1], node.shape()[rank - 1]);
        let (q, rt) = (rows(node, 0, m), rows(node, m, m + n));
        // C·R₁ = dA₁ read as R₁ᵀ·Cᵀ = dA₁ᵀ.
        let columns = transposed(&tangent.slice_axis(rank - 1, 0, k));
        let solve = TriangularSolve { lower: true, transpose: false };
        let c = transposed(&Expr::build(solve, &[rows(&rt, 0, k), columns]));
        let qt = transposed(&q);
        let inner = product(&qt, &c);
        let below = inner.mul(&pattern(&inner, k, |i, j| f64::from(u8::from(i > j))));
        let turn = below.sub(&transposed(&below));
        let dq = c.add(&product(&q, &turn.sub(&inner)));
        // (Ω·R)ᵀ = Rᵀ·Ωᵀ = −Rᵀ·Ω; what is zero in exact arithmetic is made so.
        let drt = product(&transposed(tangent), &q).add(&product(&rt, &turn));
        let upper: Vec<f64> = (0..n * k).map(|at| f64::from(u8::from(at / k >= at % k))).collect();
        let upper = Expr::constant(Tensor::from_f64([n, k], node.dtype(), upper).expect("n·k values"));
        Some(Expr::concat(&[dq, drt.mul(&upper)], rank - 2))
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
