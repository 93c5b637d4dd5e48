//! The Cayley transform: orthogonal matrices from free ones.

use crate::Result;
use perturb_graph::Expr;

/// Matrices `Aᵀ [n, n]` and `Bᵀ [m, n]` with `A·Aᵀ + B·Bᵀ = I`, from free `x [n, n]` and `y [m, n]`: with
/// `Z = X − Xᵀ + YᵀY`, `Aᵀ = (I + Z)⁻¹(I − Z)` and `Bᵀ = −2Y(I + Z)⁻¹` (Wang & Manchester 2023; Trockman & Kolter
/// 2021 for rectangular matrices). The symmetric part of I + Z is at least I, so it is never singular.
///
/// Batched over leading axes.
///
/// # Errors
/// If the shapes or types do not fit.
pub fn cayley(x: &Expr, y: &Expr) -> Result<[Expr; 2]> {
    let transposed = |m: &Expr| {
        let mut axes: Vec<usize> = (0..m.rank()).collect();
        let last = axes.len().saturating_sub(1);
        axes.swap(last.saturating_sub(1), last);
        m.try_transpose(&axes)
    };
    let z = x.try_sub(&transposed(x)?)?.try_add(&transposed(y)?.try_matmul(y)?)?;
    let identity = identity_like(x)?;
    let inverse = identity.try_add(&z)?.try_inverse()?;
    // (I + Z)⁻¹(I − Z) = 2(I + Z)⁻¹ − I.
    Ok([inverse.scale(2.0).try_sub(&identity)?, y.try_matmul(&inverse)?.scale(-2.0)])
}

fn identity_like(x: &Expr) -> Result<Expr> {
    let n = x.shape().last().copied().unwrap_or(0);
    let values = (0..n * n).map(|i| if i % (n + 1) == 0 { 1.0 } else { 0.0 }).collect();
    Ok(Expr::constant(perturb_graph::Tensor::from_f64([n, n], x.dtype(), values)?))
}
