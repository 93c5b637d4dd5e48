//! Decompositions of small dense matrices, by faer, in the terms of this crate.

use crate::error::{MetricError, Result};
use crate::matrix::Matrix;
use faer::linalg::solvers::Solve;
use faer::{Mat, MatRef, Side};

/// The view that faer computes with.
pub(crate) fn view<'a>(matrix: &'a Matrix) -> MatRef<'a, f64> {
    MatRef::from_row_major_slice(matrix.values(), matrix.rows(), matrix.columns())
}

/// `(X − mean)ᵀ(X − mean) / (n − 1)`, the unbiased covariance of the rows; needs two rows.
pub(crate) fn covariance(x: &Matrix) -> Mat<f64> {
    let centred = x.centred();
    let centred = view(&centred);
    symmetric(&(centred.transpose() * centred * faer::Scale(1.0 / (x.rows() - 1) as f64)))
}

/// Removes the asymmetry of rounding.
fn symmetric(a: &Mat<f64>) -> Mat<f64> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| 0.5 * (a[(i, j)] + a[(j, i)]))
}

/// Eigenvalues in ascending order and orthonormal eigenvectors, as columns, of a symmetric matrix.
pub(crate) fn symmetric_eigen(what: &'static str, a: MatRef<f64>) -> Result<(Vec<f64>, Mat<f64>)> {
    let eigen = a.self_adjoint_eigen(Side::Lower).map_err(|_| no_convergence(what))?;
    Ok((eigen.S().column_vector().iter().copied().collect(), eigen.U().to_owned()))
}

/// The singular values in descending order.
pub(crate) fn singular_values(what: &'static str, a: MatRef<f64>) -> Result<Vec<f64>> {
    a.singular_values().map_err(|_| no_convergence(what))
}

/// `(U, s, V)` with `a = U·diag(s)·Vᵀ` and as many columns as the smaller side.
pub(crate) fn thin_svd(what: &'static str, a: MatRef<f64>) -> Result<(Mat<f64>, Vec<f64>, Mat<f64>)> {
    let svd = a.thin_svd().map_err(|_| no_convergence(what))?;
    Ok((svd.U().to_owned(), svd.S().column_vector().iter().copied().collect(), svd.V().to_owned()))
}

/// The square root of a positive semidefinite matrix; eigenvalues that rounding made negative count as zero.
pub(crate) fn square_root(what: &'static str, a: MatRef<f64>) -> Result<Mat<f64>> {
    let (values, vectors) = symmetric_eigen(what, a)?;
    let scaled = Mat::from_fn(a.nrows(), a.ncols(), |i, j| vectors[(i, j)] * values[j].max(0.0).sqrt());
    Ok(symmetric(&(&scaled * vectors.transpose())))
}

/// Sum of the square roots of the eigenvalues of a positive semidefinite matrix, negative ones clipped to zero.
pub(crate) fn trace_of_square_root(what: &'static str, a: &Mat<f64>) -> Result<f64> {
    let values = symmetric(a).self_adjoint_eigenvalues(Side::Lower).map_err(|_| no_convergence(what))?;
    Ok(values.iter().map(|v| v.max(0.0).sqrt()).sum())
}

/// `x` with `a·x = b` for a symmetric positive definite `a`.
pub(crate) fn solve_positive_definite(what: &'static str, a: &Mat<f64>, b: &Mat<f64>) -> Result<Mat<f64>> {
    let singular = || MetricError::Domain {
        what,
        reason: "the matrix to invert is singular; remove dependent columns or add regularisation".into(),
    };
    // A pivot of rounding size means that the factorisation went through by luck.
    let factor = a.llt(Side::Lower).map_err(|_| singular())?;
    let lower = factor.L();
    let tolerance = (a.nrows() as f64 * f64::EPSILON).sqrt();
    if (0..a.nrows()).any(|i| lower[(i, i)] <= tolerance * a[(i, i)].sqrt()) {
        return Err(singular());
    }
    Ok(factor.solve(b))
}

pub(crate) fn trace(a: MatRef<f64>) -> f64 {
    (0..a.nrows()).map(|i| a[(i, i)]).sum()
}

fn no_convergence(what: &'static str) -> MetricError {
    MetricError::Domain { what, reason: "its decomposition did not converge; check the scale of the values".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_squares_back() {
        let x = Matrix::new(&[1.0, 2.0, -1.0, 0.5, 3.0, 1.0, 0.0, 0.0, 2.0, -2.0, 1.0, 1.0], 3).unwrap();
        let covariance = covariance(&x);
        let root = square_root("x", covariance.as_ref()).unwrap();
        assert!((&root * &root - &covariance).norm_max() < 1e-14);
        assert!((trace_of_square_root("x", &covariance).unwrap() - trace(root.as_ref())).abs() < 1e-14);
    }

    #[test]
    fn singular_systems_are_refused() {
        let a = Mat::from_fn(2, 2, |_, _| 1.0);
        let b = Mat::from_fn(2, 1, |_, _| 1.0);
        assert!(matches!(solve_positive_definite("a", &a, &b), Err(MetricError::Domain { .. })));
    }
}
