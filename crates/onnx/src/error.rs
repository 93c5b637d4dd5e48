//! What can be wrong with an ONNX file.

use perturb_graph::GraphError;
use std::fmt;
use std::path::PathBuf;

/// Result of reading or importing a model.
pub type Result<T, E = OnnxError> = std::result::Result<T, E>;

/// Why a model cannot be read or imported.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The file cannot be opened or read.
    #[error("cannot read {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The file is larger than a protobuf message can be.
    #[error(
        "{what} holds more than {limit} bytes, the largest size of a protobuf message; store weights as external data"
    )]
    FileTooLarge {
        /// The file, or what is inside it.
        what: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The bytes are not an ONNX model.
    #[error("not an ONNX file: {reason}{hint}")]
    NotOnnx {
        /// What is wrong with the bytes.
        reason: String,
        /// What the bytes look like, if that is known.
        hint: &'static str,
    },
    /// The file is of a version that is not supported.
    #[error("the file has {what} {found}; supported are {min} to {max}{advice}")]
    Version {
        /// Which version.
        what: &'static str,
        /// What the file has.
        found: i64,
        /// The oldest supported.
        min: i64,
        /// The newest supported.
        max: i64,
        /// What to do about it.
        advice: &'static str,
    },
    /// A stored tensor is damaged, too large, or of an unsupported type.
    #[error("tensor {name:?}: {reason}")]
    Tensor {
        /// Name of the tensor.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The graph as a whole is malformed.
    #[error("malformed graph: {0}")]
    Graph(String),
    /// A model input cannot be represented.
    #[error("model input {name:?}: {reason}")]
    Input {
        /// Name of the input.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// An override names a dimension that the model does not have.
    #[error("the model has no symbolic dimension {name:?}; it has {}", listed(.available))]
    Dimension {
        /// The name.
        name: String,
        /// Names that exist.
        available: Vec<String>,
    },
    /// A node does not follow its operator's rule.
    #[error("node {node:?} ({op}, operands {}): {reason}", listed(.shapes))]
    Node {
        /// Name of the node, or its position and first output if it has none.
        node: String,
        /// Its operator.
        op: String,
        /// Shapes of its operands.
        shapes: Vec<String>,
        /// What is wrong.
        reason: String,
    },
    /// The model needs operators, or forms of operators, that are not supported.
    #[error(
        "unsupported:{}\nthe file needs: {}\nsupported operators: {}",
        .needs.iter().map(|n| format!("\n  {n}")).collect::<String>(), .required.join(", "), .supported.join(", ")
    )]
    Unsupported {
        /// What is missing.
        needs: Vec<Unsupported>,
        /// Every operator that the file uses with its number of nodes, as in `Conv ×4`.
        required: Vec<String>,
        /// Every operator that the importer knows.
        supported: Vec<&'static str>,
    },
}

/// An operator, or a form of one, that the importer does not support.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// Operator.
    pub op: String,
    /// Domain of the operator; empty for the standard's own.
    pub domain: String,
    /// Number of nodes for this reason.
    pub count: usize,
    /// The first such node.
    pub first_node: String,
    /// Why it is not supported.
    pub reason: String,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domain = if self.domain.is_empty() { String::new() } else { format!("{}.", self.domain) };
        write!(f, "{domain}{} ×{} (first: node {:?}): {}", self.op, self.count, self.first_node, self.reason)
    }
}

fn listed(items: &[String]) -> String {
    if items.is_empty() { "none".to_string() } else { items.join(", ") }
}

/// Why one node cannot be imported; the importer adds the node's name.
#[derive(Debug)]
pub(crate) enum NodeError {
    /// The node breaks its operator's rule.
    Invalid(String),
    /// The node is right, but this form of the operator is not supported.
    Unsupported(String),
}

impl From<GraphError> for NodeError {
    fn from(error: GraphError) -> Self {
        match error {
            GraphError::NoRule { .. } => NodeError::Unsupported(error.to_string()),
            other => NodeError::Invalid(other.to_string()),
        }
    }
}

/// Shorthand for [`NodeError::Invalid`].
pub(crate) fn invalid<T>(reason: impl Into<String>) -> Result<T, NodeError> {
    Err(NodeError::Invalid(reason.into()))
}

/// Shorthand for [`NodeError::Unsupported`].
pub(crate) fn unsupported<T>(reason: impl Into<String>) -> Result<T, NodeError> {
    Err(NodeError::Unsupported(reason.into()))
}
