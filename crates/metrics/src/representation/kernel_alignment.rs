//! Centred kernel alignment.

use crate::distance::pairwise;
use crate::distribution::{Kernel, check_kernel};
use crate::error::{MetricError, Result, check_lengths};
use crate::matrix::{Matrix, check_rows};

/// How the Hilbert–Schmidt independence criterion is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimator {
    /// With centred kernel matrices (Gretton et al. 2005): in [0, 1], but near one for more columns than rows.
    Biased,
    /// The U-statistic of Song et al. 2012 (eq. 5), as in Nguyen et al. 2021: about zero for independent representations
    /// of any width.
    Unbiased,
}

/// Centred kernel alignment of two representations of the same rows (Kornblith et al. 2019), at most 1; with
/// [`Kernel::Linear`] invariant to rotation and scale of either.
///
/// `kernels` are those of x and y; an RBF kernel's usual bandwidth is a fraction of the
/// [`median_bandwidth`](crate::distribution::median_bandwidth) of each.
///
/// # Errors
/// [`MetricError::Length`]; [`MetricError::Domain`] with fewer than two rows (four if unbiased) or a bad bandwidth;
/// [`MetricError::Constant`] if a representation does not vary, or too little for the unbiased estimate of its own
/// dependence to be positive.
pub fn cka(x: &Matrix, y: &Matrix, kernels: [Kernel; 2], estimator: Estimator) -> Result<f64> {
    check_lengths("rows of x and y", x.rows(), y.rows())?;
    check_rows("x", x, if estimator == Estimator::Unbiased { 4 } else { 2 })?;
    kernels.into_iter().try_for_each(check_kernel)?;
    // Linear and cubic kernels are not invariant to shifts in finite precision; centring first keeps digits.
    let gram = |z: &Matrix, kernel: Kernel| match kernel {
        Kernel::Linear => pairwise(&z.centred(), &z.centred(), |a, b| kernel.of(a, b)),
        _ => pairwise(z, z, |a, b| kernel.of(a, b)),
    };
    let n = x.rows();
    let prepare =
        |gram| if estimator == Estimator::Biased { double_centred(gram, n) } else { without_diagonal(gram, n) };
    let (k, l) = (prepare(gram(x, kernels[0])), prepare(gram(y, kernels[1])));
    let hsic = |a: &[f64], b: &[f64]| match estimator {
        Estimator::Biased => a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>(),
        Estimator::Unbiased => unbiased_hsic(a, b, n),
    };
    let (own_x, own_y) = (hsic(&k, &k), hsic(&l, &l));
    for (what, own, table) in [("x", own_x, &k), ("y", own_y, &l)] {
        let scale: f64 = table.iter().map(|v| v * v).sum();
        if own <= 1e-14 * scale {
            return Err(MetricError::Constant { what });
        }
    }
    Ok((hsic(&k, &l) / (own_x.sqrt() * own_y.sqrt())).min(1.0))
}

fn double_centred(mut gram: Vec<f64>, n: usize) -> Vec<f64> {
    let means: Vec<f64> = gram.chunks_exact(n).map(|row| row.iter().sum::<f64>() / n as f64).collect();
    let mean = means.iter().sum::<f64>() / n as f64;
    for (row, row_mean) in gram.chunks_exact_mut(n).zip(&means) {
        row.iter_mut().zip(&means).for_each(|(v, column_mean)| *v += mean - row_mean - column_mean);
    }
    gram
}

fn without_diagonal(mut gram: Vec<f64>, n: usize) -> Vec<f64> {
    (0..n).for_each(|i| gram[i * (n + 1)] = 0.0);
    gram
}

/// Song et al. 2012, eq. 5, times n(n − 3), of symmetric matrices with zero diagonals.
fn unbiased_hsic(k: &[f64], l: &[f64], n: usize) -> f64 {
    let row_sums = |table: &[f64]| -> Vec<f64> { table.chunks_exact(n).map(|row| row.iter().sum()).collect() };
    let (rows_k, rows_l) = (row_sums(k), row_sums(l));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (sum_k, sum_l) = (rows_k.iter().sum::<f64>(), rows_l.iter().sum::<f64>());
    let n = n as f64;
    dot(k, l) + sum_k * sum_l / ((n - 1.0) * (n - 2.0)) - 2.0 / (n - 2.0) * dot(&rows_k, &rows_l)
}
