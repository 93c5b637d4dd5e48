//! What can go wrong while a graph is written as an ONNX file.

use std::path::PathBuf;

/// Why a graph cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The standard has no operators that compute this primitive.
    #[error("{op} cannot be exported: {reason}")]
    Unsupported {
        /// The primitive.
        op: String,
        /// What is missing.
        reason: String,
    },
    /// A name is missing or stands for two things; inputs and outputs are what the file's users address by name.
    #[error("{what} {name:?} {reason}; rename it before exporting")]
    Name {
        /// Input or output.
        what: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file would be larger than a protobuf message can be.
    #[error(
        "the model takes {bytes} bytes, more than the {limit} of a protobuf message: write it with `save`, which puts \
         weights into a file of their own"
    )]
    TooLarge {
        /// Size of the message.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
}

/// Shorthand for [`ExportError::Unsupported`].
pub(super) fn unsupported<T>(op: &str, reason: impl Into<String>) -> Result<T, ExportError> {
    Err(ExportError::Unsupported { op: op.to_string(), reason: reason.into() })
}
