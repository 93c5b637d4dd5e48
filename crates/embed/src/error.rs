//! Why something cannot be embedded.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T, E = EmbedError> = std::result::Result<T, E>;

/// Why something cannot be embedded, saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// A hyperparameter makes no sense.
    #[error("{name} = {value}: must be {expected}")]
    Hyperparameter {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// There are no relations to learn from.
    #[error("no pairs to embed; give at least one pair of two different items")]
    Empty,
    /// The descent left the space.
    #[error("training diverged: '{name}' is no point of the space after the last epoch; lower the learning rate")]
    Diverged {
        /// The first item that is no point.
        name: String,
    },
    /// A relation cannot be used.
    #[error("pair {row} ({child}, {parent}): {reason}; remove or repair it")]
    Pair {
        /// Its place among the pairs, from 0.
        row: usize,
        /// Index of its first item.
        child: usize,
        /// Index of its second item.
        parent: usize,
        /// What is wrong.
        reason: String,
    },
    /// A name is not in the table, or its row is not.
    #[error("'{name}' is not among the {rows} rows of this table")]
    Unknown {
        /// The name.
        name: String,
        /// Number of rows.
        rows: usize,
    },
    /// Rows and names do not make a table.
    #[error("row {row} of the table: {reason}")]
    Row {
        /// The first faulty row.
        row: usize,
        /// What is wrong.
        reason: String,
    },
    /// A table's file is malformed.
    #[error("{path}, line {line}: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A measure does not exist.
    #[error(transparent)]
    Metric(#[from] perturb_metrics::MetricError),
}
