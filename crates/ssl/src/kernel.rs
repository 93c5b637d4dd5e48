//! Joint embedding in the feature space of a kernel, where infinitely wide networks learn.

use crate::{Result, SslError};
use faer::{Mat, MatRef, Scale, Side};
use perturb_metrics::Matrix;

/// The modes that a Barlow-Twins loss learns one after another in the feature space of a kernel (Simon et al. 2023):
/// those of `Γ = ½·E[φ(x)φ(x′)ᵀ + φ(x′)φ(x)ᵀ]` over n pairs, found from the kernel matrix K of all 2n views.
#[derive(Clone, Debug)]
pub struct ContrastiveModes {
    /// Eigenvalues of Γ that are not zero, descending.
    gamma: Vec<f64>,
    /// `K^{−½}·b` of each mode as a column: the mode's value at a point is its product with the kernels of the point to
    /// all views.
    coefficients: Mat<f64>,
}

/// The modes from the kernels `[n, n]` among first views, of first (rows) to second views, and among second views.
/// Directions in which K is below `1e-10` of its greatest eigenvalue are left out.
///
/// With P the matrix that exchanges the views of each pair, the modes are the eigenvectors b of `K^½·P·K^½/(2n)`.
///
/// # Errors
/// If the sizes differ, or the kernel matrix of all views is not symmetric and positive semidefinite.
pub fn contrastive_modes(first: &Matrix, cross: &Matrix, second: &Matrix) -> Result<ContrastiveModes> {
    let n = first.rows();
    if [first, cross, second].iter().any(|k| (k.rows(), k.columns()) != (n, n)) {
        return SslError::matrix("kernels", "must be square and of one size");
    }
    let at = |i: usize, j: usize| match (i < n, j < n) {
        (true, true) => first.row(i)[j],
        (true, false) => cross.row(i)[j - n],
        (false, true) => cross.row(j)[i - n],
        (false, false) => second.row(i - n)[j - n],
    };
    let k = Mat::from_fn(2 * n, 2 * n, at);
    let scale = k.norm_max();
    if (&k - k.transpose()).norm_max() > 1e-10 * scale {
        return SslError::matrix("kernels", "among views of one kind must be symmetric");
    }
    let (values, vectors) = eigen("kernels", k.as_ref())?;
    let greatest = values.last().copied().unwrap_or(0.0);
    if values.first().is_some_and(|v| *v < -1e-8 * greatest) || greatest <= 0.0 {
        return SslError::matrix("kernels", "must be positive semidefinite and not zero");
    }
    let kept: Vec<usize> = (0..2 * n).filter(|&i| values[i] > 1e-10 * greatest).collect();
    // In the basis of K's own eigenvectors U, K^½·P·K^½ is D^½·UᵀPU·D^½.
    let u = Mat::from_fn(2 * n, kept.len(), |i, j| vectors[(i, kept[j])]);
    let exchanged = Mat::from_fn(2 * n, kept.len(), |i, j| u[((i + n) % (2 * n), j)]);
    let product = u.transpose() * exchanged;
    let root = |j: usize| values[kept[j]].sqrt();
    let small = Mat::from_fn(kept.len(), kept.len(), |i, j| {
        let symmetric = 0.5 * (product[(i, j)] + product[(j, i)]);
        root(i) * symmetric * root(j) / (2 * n) as f64
    });
    let (gamma, b) = eigen("modes", small.as_ref())?;
    let mut order: Vec<usize> = (0..kept.len()).collect();
    order.sort_by(|&i, &j| gamma[j].total_cmp(&gamma[i]));
    let scaled = Mat::from_fn(kept.len(), kept.len(), |i, j| b[(i, order[j])] / root(i));
    Ok(ContrastiveModes { gamma: order.iter().map(|&j| gamma[j]).collect(), coefficients: u * scaled })
}

impl ContrastiveModes {
    /// Eigenvalues of Γ, descending; negative ones are never learned.
    pub fn gamma(&self) -> &[f64] {
        &self.gamma
    }

    /// The embedding that training ends at from a small start, up to a rotation: values of the `width` strongest modes over
    /// `√γ`, `[points, width]`, from the kernels `[points, 2n]` of the points to all first and then all second views.
    ///
    /// # Errors
    /// If fewer modes are positive, or there is not one kernel for each view.
    pub fn embed(&self, kernels: &Matrix, width: usize) -> Result<Matrix<'static>> {
        let positive = self.gamma.iter().filter(|g| **g > 0.0).count();
        SslError::check((1..=positive).contains(&width), "width", width, "between 1 and the number of positive modes")?;
        if kernels.columns() != self.coefficients.nrows() {
            let reason = format!("{} columns for {} views", kernels.columns(), self.coefficients.nrows());
            return SslError::matrix("kernels", reason);
        }
        let kernels = MatRef::from_row_major_slice(kernels.values(), kernels.rows(), kernels.columns());
        let values = kernels * self.coefficients.subcols(0, width);
        let entry = |i: usize| values[(i / width, i % width)] / self.gamma[i % width].sqrt();
        Ok(Matrix::from_vec((0..values.nrows() * width).map(entry).collect(), width)?)
    }
}

fn eigen(what: &'static str, a: MatRef<f64>) -> Result<(Vec<f64>, Mat<f64>)> {
    let symmetric = (a + a.transpose()) * Scale(0.5);
    match symmetric.self_adjoint_eigen(Side::Lower) {
        Ok(found) => Ok((found.S().column_vector().iter().copied().collect(), found.U().to_owned())),
        Err(_) => SslError::matrix(what, "eigenvalues were not found"),
    }
}
