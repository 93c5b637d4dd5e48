//! Sparse matrices, compressed by row.

use perturb_graph::Tensor;

/// A sparse matrix `[rows, columns]` in compressed sparse row form (CSR). In each row the column indices ascend and
/// none occurs twice.
#[derive(Clone, Debug, PartialEq)]
pub struct SparseMatrix {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// Where each row begins in `indices` and `values`, and, last, where they end; `rows + 1` numbers.
    pub offsets: Vec<usize>,
    /// Column of each stored entry.
    pub indices: Vec<usize>,
    /// Value of each stored entry.
    pub values: Vec<f32>,
}

impl SparseMatrix {
    /// The matrix with these entries `(row, column, value)`; values at the same place are added up.
    ///
    /// # Panics
    /// If a row or column is out of bounds.
    #[track_caller]
    pub fn from_entries(
        rows: usize,
        columns: usize,
        entries: impl IntoIterator<Item = (usize, usize, f32)>,
    ) -> SparseMatrix {
        let mut entries: Vec<(usize, usize, f32)> = entries.into_iter().collect();
        // Stable, so that sums of rounded values do not depend on the sorting algorithm.
        entries.sort_by_key(|&(row, column, _)| (row, column));
        let mut matrix = SparseMatrix {
            rows,
            columns,
            offsets: vec![0; rows + 1],
            indices: Vec::with_capacity(entries.len()),
            values: Vec::with_capacity(entries.len()),
        };
        let mut last = None;
        for (row, column, value) in entries {
            assert!(row < rows && column < columns, "entry ({row}, {column}) of a {rows}×{columns} matrix");
            if last == Some((row, column)) {
                *matrix.values.last_mut().expect("an entry was pushed before") += value;
            } else {
                matrix.offsets[row + 1] += 1;
                matrix.indices.push(column);
                matrix.values.push(value);
                last = Some((row, column));
            }
        }
        for row in 0..rows {
            matrix.offsets[row + 1] += matrix.offsets[row];
        }
        matrix
    }

    /// Number of stored entries.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether no entry is stored.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Columns and values of a row.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn row(&self, row: usize) -> (&[usize], &[f32]) {
        let range = self.offsets[row]..self.offsets[row + 1];
        (&self.indices[range.clone()], &self.values[range])
    }

    /// All entries `(row, column, value)`, row by row.
    pub fn entries(&self) -> impl Iterator<Item = (usize, usize, f32)> + '_ {
        (0..self.rows).flat_map(|row| {
            let (columns, values) = self.row(row);
            columns.iter().zip(values).map(move |(&column, &value)| (row, column, value))
        })
    }

    /// Row and column of each entry, i64 `[2, E]`, for gather and scatter-add.
    pub fn coordinates(&self) -> Tensor {
        let rows = self.entries().map(|(row, _, _)| row as i64);
        let columns = self.indices.iter().map(|&column| column as i64);
        Tensor::new([2, self.len()], rows.chain(columns).collect::<Vec<i64>>()).expect("two numbers per entry")
    }

    /// f32 `[rows, columns]`.
    pub fn to_dense(&self) -> Tensor {
        let mut dense = vec![0.0; self.rows * self.columns];
        self.entries().for_each(|(row, column, value)| dense[row * self.columns + column] = value);
        Tensor::new([self.rows, self.columns], dense).expect("made for this shape")
    }

    /// A square matrix plus the identity, A + I.
    ///
    /// # Panics
    /// If the matrix is not square.
    #[track_caller]
    pub fn with_self_loops(&self) -> SparseMatrix {
        assert_eq!(self.rows, self.columns, "self-loops belong to square matrices");
        let identity = (0..self.rows).map(|i| (i, i, 1.0));
        SparseMatrix::from_entries(self.rows, self.columns, self.entries().chain(identity))
    }

    /// D^(−1/2) A D^(−1/2) with the row sums D (Kipf & Welling 2017, eq. 2, on A + I). Rows and columns whose sum is 0
    /// stay 0.
    ///
    /// # Panics
    /// If the matrix is not square.
    #[track_caller]
    pub fn symmetrically_normalized(&self) -> SparseMatrix {
        assert_eq!(self.rows, self.columns, "this normalisation belongs to square matrices");
        let scale: Vec<f32> =
            self.row_sums().map(|sum| if sum > 0.0 { sum.sqrt().recip() as f32 } else { 0.0 }).collect();
        self.scaled(|row, column| scale[row] * scale[column])
    }

    /// D^(−1) A with the row sums D: every row that has entries sums to 1 (for bags of words, and for random walks).
    pub fn row_normalized(&self) -> SparseMatrix {
        let scale: Vec<f32> = self.row_sums().map(|sum| if sum > 0.0 { sum.recip() as f32 } else { 0.0 }).collect();
        self.scaled(|row, _| scale[row])
    }

    fn row_sums(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.rows).map(|row| self.row(row).1.iter().map(|&v| f64::from(v)).sum())
    }

    fn scaled(&self, scale: impl Fn(usize, usize) -> f32) -> SparseMatrix {
        let values = self.entries().map(|(row, column, value)| value * scale(row, column)).collect();
        SparseMatrix { values, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_sorted_and_added() {
        let matrix = SparseMatrix::from_entries(3, 2, [(2, 0, 1.0), (0, 1, 2.0), (2, 0, 0.5), (2, 1, 4.0)]);
        assert_eq!(
            (&matrix.offsets[..], &matrix.indices[..], &matrix.values[..]),
            (&[0, 1, 1, 3][..], &[1, 0, 1][..], &[2.0, 1.5, 4.0][..])
        );
        assert_eq!(matrix.coordinates().as_slice::<i64>(), [0, 2, 2, 1, 0, 1]);
        assert_eq!(matrix.to_dense().as_slice::<f32>(), [0.0, 2.0, 0.0, 0.0, 1.5, 4.0]);
    }

    /// The path 0 – 1 – 2 with self-loops has degrees 2, 3, 2.
    #[test]
    fn normalisations() {
        let path = [(0, 1, 1.0), (1, 0, 1.0), (1, 2, 1.0), (2, 1, 1.0)];
        let matrix = SparseMatrix::from_entries(3, 3, path).with_self_loops();
        let (a, b, c) = (1.0 / 2.0, 1.0 / 6f32.sqrt(), 1.0 / 3.0);
        let expected = [a, b, 0.0, b, c, b, 0.0, b, a];
        let found = matrix.symmetrically_normalized().to_dense();
        assert!(found.as_slice::<f32>().iter().zip(expected).all(|(x, y)| (x - y).abs() < 1e-7));
        assert_eq!(matrix.row_normalized().row(1).1, [c, c, c]);
    }
}
