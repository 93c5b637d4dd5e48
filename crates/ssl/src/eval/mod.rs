//! What happens to an embedding while it is learned.

mod steps;

pub use steps::{LearnedStep, StepDetector, separated};

use crate::{Result, SslError};
use faer::MatRef;
use perturb_metrics::Matrix;

/// Eigenvalues of the covariance of the rows of `embeddings [points, width]`, divided by the number of rows, descending.
///
/// # Errors
/// If the singular values are not found.
pub fn spectrum(embeddings: &Matrix) -> Result<Vec<f64>> {
    let (n, means) = (embeddings.rows(), embeddings.column_means());
    let centred: Vec<f64> = embeddings.iter().flat_map(|row| row.iter().zip(&means).map(|(v, m)| v - m)).collect();
    match MatRef::from_row_major_slice(&centred, n, embeddings.columns()).singular_values() {
        Ok(values) => Ok(values.into_iter().map(|s| s * s / n as f64).collect()),
        Err(_) => SslError::matrix("embeddings", "their singular values were not found"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Variances 1 and ¼ in directions that are not the coordinates'.
    #[test]
    fn the_spectrum_is_that_of_the_covariance() {
        let corners = [(1.0, 0.5), (-1.0, 0.5), (1.0, -0.5), (-1.0, -0.5)];
        let rows = corners.iter().flat_map(|(a, b)| [0.6 * a - 0.8 * b + 3.0, 0.8 * a + 0.6 * b]).collect();
        let found = spectrum(&Matrix::from_vec(rows, 2).unwrap()).unwrap();
        assert!((found[0] - 1.0).abs() < 1e-12 && (found[1] - 0.25).abs() < 1e-12, "{found:?}");
    }
}
