//! Eigenvalues and singular values.

use super::{Real, store, widened};
use faer::{Mat, Side};

/// Eigenvalues (ascending) and eigenvectors of the symmetric matrix `a [n, n]`, of which the lower triangle is read:
/// `out [n + 1, n]` holds the values in row 0, then the matrix whose columns are the vectors, of unit length. NaN
/// everywhere if an element is not finite.
///
/// # Panics
/// If a slice does not have its size.
pub fn eigh<T: Real>(n: usize, a: &[T], out: &mut [T]) {
    let a = widened(a);
    let matrix = Mat::from_fn(n, n, |i, j| a[i.max(j) * n + i.min(j)]);
    let mut packed = vec![f64::NAN; (n + 1) * n];
    let unit = scale_of(&matrix);
    if let Some(unit) = unit
        && let Ok(eigen) = divided(&matrix, unit).self_adjoint_eigen(Side::Lower)
    {
        // faer's values are ascending.
        for j in 0..n {
            packed[j] = unit * eigen.S()[j];
            (0..n).for_each(|i| packed[(i + 1) * n + j] = eigen.U()[(i, j)]);
        }
    }
    store(&packed, out);
}

/// Thin singular value decomposition `a = u·diag(s)·vᵀ` of `a [m, n]`, `k = min(m, n)`: `out [m + 1 + n, k]` holds
/// `u [m, k]`, the row of singular values (descending) and `v [n, k]`. NaN everywhere if an element is not finite.
///
/// # Panics
/// If a slice does not have its size.
pub fn svd<T: Real>(m: usize, n: usize, a: &[T], out: &mut [T]) {
    let k = m.min(n);
    let a = widened(a);
    let matrix = Mat::from_fn(m, n, |i, j| a[i * n + j]);
    let mut packed = vec![f64::NAN; (m + 1 + n) * k];
    let unit = scale_of(&matrix);
    if let Some(unit) = unit
        && let Ok(svd) = divided(&matrix, unit).thin_svd()
    {
        for j in 0..k {
            (0..m).for_each(|i| packed[i * k + j] = svd.U()[(i, j)]);
            packed[m * k + j] = unit * svd.S()[j];
            (0..n).for_each(|i| packed[(m + 1 + i) * k + j] = svd.V()[(i, j)]);
        }
    }
    store(&packed, out);
}

// The largest magnitude, by which a matrix is divided so that no square overflows or vanishes; 1 for a matrix of zeros,
// none if an element is not finite.
fn scale_of(matrix: &Mat<f64>) -> Option<f64> {
    let all = matrix.col_iter().flat_map(|column| column.iter());
    let largest = all.fold(0.0f64, |u, x| if x.is_finite() { u.max(x.abs()) } else { f64::INFINITY });
    match largest {
        0.0 => Some(1.0),
        _ => largest.is_finite().then_some(largest),
    }
}

fn divided(matrix: &Mat<f64>, unit: f64) -> Mat<f64> {
    Mat::from_fn(matrix.nrows(), matrix.ncols(), |i, j| matrix[(i, j)] / unit)
}
