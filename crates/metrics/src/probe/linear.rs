//! Affine maps.

use crate::error::{MetricError, Result, check_lengths};
use crate::matrix::Matrix;
use crate::{accuracy, distance::dot};

/// The affine map `x ↦ W·x + b`.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearMap {
    /// `W`, row-major `[outputs, inputs]`.
    pub weights: Vec<f64>,
    /// `b`, one per output.
    pub bias: Vec<f64>,
}

impl LinearMap {
    /// The outputs for rows `[n, inputs]`, as rows `[n, outputs]`.
    ///
    /// # Errors
    /// [`MetricError::Length`] if rows have another number of columns than the map has inputs.
    pub fn apply(&self, x: &Matrix) -> Result<Matrix<'static>> {
        let inputs = self.weights.len() / self.bias.len();
        check_lengths("columns and the map's inputs", x.columns(), inputs)?;
        let rows = x
            .iter()
            .flat_map(|row| self.weights.chunks_exact(inputs).zip(&self.bias).map(move |(w, b)| dot(w, row) + b));
        Matrix::from_vec(rows.collect(), self.bias.len())
    }

    /// The index of the largest output of each row, the lowest if several are.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn predict(&self, x: &Matrix) -> Result<Vec<usize>> {
        let largest = |row: &[f64]| (1..row.len()).fold(0, |best, c| if row[c] > row[best] { c } else { best });
        Ok(self.apply(x)?.iter().map(largest).collect())
    }

    /// The fraction of rows whose largest output is their label.
    ///
    /// # Errors
    /// As [`apply`](Self::apply); [`MetricError::Length`] if there is not one label per row.
    pub fn accuracy(&self, x: &Matrix, labels: &[usize]) -> Result<f64> {
        accuracy::accuracy(&self.predict(x)?, labels)
    }
}

/// Fails unless a penalty is finite and not negative.
pub(super) fn check_penalty(what: &'static str, penalty: f64) -> Result<()> {
    if penalty >= 0.0 && penalty.is_finite() {
        return Ok(());
    }
    Err(MetricError::Domain { what, reason: format!("must be finite and not negative, got {penalty}") })
}
