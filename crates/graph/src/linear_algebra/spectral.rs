//! Eigenvalues and singular values.

use super::{Real, store, widened};
use nalgebra::{DMatrix, SymmetricEigen};

// Iterations per row after which a factorisation is given up, far more than any that converges needs.
const SWEEPS: usize = 1000;

/// Eigenvalues (ascending) and eigenvectors of the symmetric matrix `a [n, n]`, of which the lower triangle is read:
/// `out [n + 1, n]` holds the values in row 0, then the matrix whose columns are the vectors, of unit length. NaN
/// everywhere if an element is not finite.
///
/// # Panics
/// If a slice does not have its size.
pub fn eigh<T: Real>(n: usize, a: &[T], out: &mut [T]) {
    let a = widened(a);
    let matrix = DMatrix::from_fn(n, n, |i, j| a[i.max(j) * n + i.min(j)]);
    let mut packed = vec![f64::NAN; (n + 1) * n];
    let unit = scale_of(&matrix);
    if let Some(unit) = unit
        && let Some(eigen) = SymmetricEigen::try_new(matrix / unit, f64::EPSILON, SWEEPS * n)
    {
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&p, &q| eigen.eigenvalues[p].total_cmp(&eigen.eigenvalues[q]));
        for (j, &source) in order.iter().enumerate() {
            packed[j] = unit * eigen.eigenvalues[source];
            (0..n).for_each(|i| packed[(i + 1) * n + j] = eigen.eigenvectors[(i, source)]);
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
    let matrix = DMatrix::from_row_slice(m, n, &widened(a));
    let mut packed = vec![f64::NAN; (m + 1 + n) * k];
    let unit = scale_of(&matrix);
    if let Some(unit) = unit
        && let Some(svd) = (matrix / unit).try_svd(true, true, f64::EPSILON, SWEEPS * k)
        && let (Some(u), Some(vt)) = (svd.u, svd.v_t)
    {
        for j in 0..k {
            (0..m).for_each(|i| packed[i * k + j] = u[(i, j)]);
            packed[m * k + j] = unit * svd.singular_values[j];
            (0..n).for_each(|i| packed[(m + 1 + i) * k + j] = vt[(j, i)]);
        }
    }
    store(&packed, out);
}

// The largest magnitude, by which a matrix is divided so that no square overflows or vanishes; 1 for a matrix of zeros,
// none if an element is not finite.
fn scale_of(matrix: &DMatrix<f64>) -> Option<f64> {
    let largest = matrix.iter().fold(0.0f64, |u, x| if x.is_finite() { u.max(x.abs()) } else { f64::INFINITY });
    match largest {
        0.0 => Some(1.0),
        _ => largest.is_finite().then_some(largest),
    }
}
