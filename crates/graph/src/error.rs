//! Errors of graph construction.

use crate::{DType, Shape};

/// Why an expression cannot be built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GraphError {
    /// Operand shapes do not fit the primitive's rule.
    #[error("{op}: {reason}; got {}", list(.shapes))]
    Shape {
        /// Name of the primitive.
        op: String,
        /// The rule that was broken.
        reason: String,
        /// Shapes of the operands.
        shapes: Vec<Shape>,
    },
    /// Operand element types do not fit the primitive's rule.
    #[error("{op}: {reason}; got {}", list(.dtypes))]
    DType {
        /// Name of the primitive.
        op: String,
        /// The rule that was broken.
        reason: String,
        /// Element types of the operands.
        dtypes: Vec<DType>,
    },
    /// The result would not fit in the address space, or is larger than any machine's memory.
    #[error("{op}: a result of shape {shape} would need {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Name of the primitive.
        op: String,
        /// Shape of the result.
        shape: Shape,
        /// Bytes that it would need, saturated.
        bytes: u128,
        /// Largest allowed number of bytes of one tensor.
        limit: u128,
    },
    /// A tensor's data do not have the length that its shape asks for.
    #[error("shape {shape} holds {} elements, but {len} were given", count(.shape))]
    Length {
        /// The declared shape.
        shape: Shape,
        /// The number of elements given.
        len: usize,
    },
    /// A primitive has no rule for what a transform asks of it.
    #[error("{op}: no {rule} rule {reason}")]
    NoRule {
        /// Name of the primitive.
        op: String,
        /// The transform.
        rule: &'static str,
        /// In which situation.
        reason: String,
    },
}

/// Result of building a graph.
pub type Result<T, E = GraphError> = std::result::Result<T, E>;

fn count(shape: &Shape) -> String {
    shape.checked_count().map_or_else(|| "more than 2⁶⁴".to_string(), |n| n.to_string())
}

fn list<T: std::fmt::Display>(items: &[T]) -> String {
    items.iter().map(|i| i.to_string()).collect::<Vec<_>>().join(" and ")
}
