//! Rows of numbers: features, embeddings, samples.

use crate::error::{MetricError, Result, check_lengths};
use std::borrow::Cow;

/// A row-major matrix of finite numbers, one item per row; not empty.
///
/// What is checked here once (whole rows, no NaN, no infinity) holds for every measure that takes a `Matrix`.
///
/// ```
/// use perturb_metrics::Matrix;
/// let points = Matrix::new(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 2)?;
/// assert_eq!((points.rows(), points.columns()), (3, 2));
/// assert_eq!(points.row(2), [4.0, 5.0]);
/// assert!(Matrix::new(&[0.0, f64::NAN], 2).is_err());
/// # Ok::<(), perturb_metrics::MetricError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix<'a> {
    values: Cow<'a, [f64]>,
    columns: usize,
}

impl<'a> Matrix<'a> {
    /// A view of `values` as rows of `columns` each.
    ///
    /// # Errors
    /// [`MetricError::Empty`], [`MetricError::Nan`]; [`MetricError::Domain`] for infinities or values that are not whole
    /// rows.
    pub fn new(values: &'a [f64], columns: usize) -> Result<Matrix<'a>> {
        Matrix::checked(Cow::Borrowed(values), columns)
    }

    /// The matrix with these values, which it owns.
    ///
    /// # Errors
    /// As [`Matrix::new`].
    pub fn from_vec(values: Vec<f64>, columns: usize) -> Result<Matrix<'static>> {
        Matrix::checked(Cow::Owned(values), columns)
    }

    /// A copy of single-precision values, such as the features of a network.
    ///
    /// # Errors
    /// As [`Matrix::new`].
    pub fn from_f32(values: &[f32], columns: usize) -> Result<Matrix<'static>> {
        Matrix::from_vec(values.iter().map(|&v| f64::from(v)).collect(), columns)
    }

    fn checked(values: Cow<'a, [f64]>, columns: usize) -> Result<Matrix<'a>> {
        if values.is_empty() {
            return Err(MetricError::Empty { what: "matrix" });
        }
        if columns == 0 || !values.len().is_multiple_of(columns) {
            let reason = format!("{} values are not whole rows of {columns}", values.len());
            return Err(MetricError::Domain { what: "matrix", reason });
        }
        match values.iter().position(|v| !v.is_finite()) {
            Some(index) if values[index].is_nan() => Err(MetricError::Nan { what: "matrix", index }),
            Some(index) => {
                let reason = format!("row {}, column {} is infinite", index / columns, index % columns);
                Err(MetricError::Domain { what: "matrix", reason })
            }
            None => Ok(Matrix { values, columns }),
        }
    }

    /// Number of rows, at least one.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Number of columns, at least one.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All values, row after row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Row `index`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, index: usize) -> &[f64] {
        &self.values[index * self.columns..(index + 1) * self.columns]
    }

    /// The rows in order.
    pub fn iter(&self) -> std::slice::ChunksExact<'_, f64> {
        self.values.chunks_exact(self.columns)
    }

    /// A copy of column `index`.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn column(&self, index: usize) -> Vec<f64> {
        assert!(index < self.columns, "column {index} of {}", self.columns);
        self.values.iter().skip(index).step_by(self.columns).copied().collect()
    }

    /// The mean of each column.
    pub fn column_means(&self) -> Vec<f64> {
        let mut means = vec![0.0; self.columns];
        self.iter().for_each(|row| means.iter_mut().zip(row).for_each(|(m, v)| *m += v));
        means.iter_mut().for_each(|m| *m /= self.rows() as f64);
        means
    }

    /// A copy whose columns have mean zero.
    pub(crate) fn centred(&self) -> Matrix<'static> {
        let means = self.column_means();
        let values = self.iter().flat_map(|row| row.iter().zip(&means).map(|(v, m)| v - m)).collect();
        Matrix { values: Cow::Owned(values), columns: self.columns }
    }
}

/// Fails unless both matrices have the same number of columns.
pub(crate) fn check_columns(what: &'static str, left: &Matrix, right: &Matrix) -> Result<()> {
    check_lengths(what, left.columns(), right.columns())
}

/// Fails unless there are at least `needed` rows.
pub(crate) fn check_rows(what: &'static str, matrix: &Matrix, needed: usize) -> Result<()> {
    if matrix.rows() >= needed {
        return Ok(());
    }
    Err(MetricError::Domain { what, reason: format!("needs at least {needed} rows, got {}", matrix.rows()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_columns_and_means() {
        let m = Matrix::from_f32(&[1.0, 2.0, 3.0, 5.0, 8.0, 13.0], 3).unwrap();
        assert_eq!(m.column(1), [2.0, 8.0]);
        assert_eq!(m.column_means(), [3.0, 5.0, 8.0]);
        assert_eq!(m.centred().values(), [-2.0, -3.0, -5.0, 2.0, 3.0, 5.0]);
    }

    #[test]
    fn refuses_what_is_no_matrix() {
        assert_eq!(Matrix::new(&[], 3), Err(MetricError::Empty { what: "matrix" }));
        assert!(matches!(Matrix::new(&[1.0, 2.0], 0), Err(MetricError::Domain { .. })));
        assert!(matches!(Matrix::new(&[1.0, 2.0, 3.0], 2), Err(MetricError::Domain { .. })));
        assert_eq!(Matrix::new(&[1.0, f64::NAN], 2), Err(MetricError::Nan { what: "matrix", index: 1 }));
        let error = Matrix::new(&[1.0, 2.0, f64::INFINITY, 0.0], 2).unwrap_err();
        assert_eq!(error.to_string(), "matrix: row 1, column 0 is infinite");
    }
}
