//! Errors of reading properties.

/// Why a file is no VNN-LIB property that can be decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VnnLibError {
    /// The text is malformed, or says something outside the format.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// Line, counted from 1.
        line: usize,
        /// Column in characters, counted from 1.
        column: usize,
        /// What is wrong, and what is expected.
        message: String,
    },
    /// The assertions are well formed, but are no property of a network.
    #[error("{0}")]
    Property(String),
    /// The file cannot be read.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}

/// Result of reading a property.
pub(crate) type Result<T> = std::result::Result<T, VnnLibError>;
