//! Sparse feature rows in the form of LIBSVM: `column:value` between blanks, columns from 0 here.

use super::{MAX_INDEX, SparseMatrix};
use crate::error::Result;
use crate::lines::Lines;
use std::path::Path;

/// Reads one row per line; `rows` must be their number. The width is one more than the largest column.
pub(super) fn read(path: &Path, rows: usize) -> Result<SparseMatrix> {
    let mut lines = Lines::open(path)?;
    let (mut entries, mut columns) = (Vec::new(), 0);
    while let Some(line) = lines.next_line()? {
        let row = line.number - 1;
        if row >= rows {
            return Err(line.error(format!("there are only {rows} nodes, one a line")));
        }
        for cell in line.text.split_whitespace() {
            let (column, value) =
                cell.split_once(':').ok_or_else(|| line.error(format!("{cell:?} is not column:value")))?;
            let column = line.index(column, MAX_INDEX, "a column")?;
            columns = columns.max(column + 1);
            entries.push((row, column, line.real(value, "a feature")? as f32));
        }
    }
    if lines.number() != rows {
        return Err(lines.error(format!("the file ends here, but there are {rows} nodes, one a line")));
    }
    Ok(SparseMatrix::from_entries(rows, columns, entries))
}
