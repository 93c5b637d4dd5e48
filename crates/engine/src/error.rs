//! Errors of compiling and running.

use perturb_graph::{DType, GraphError, Shape};

/// Why a graph cannot be compiled or run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EngineError {
    /// An output depends on an input that is not among those declared.
    #[error("input '{name}' is used by the graph but not listed among the inputs to compile with")]
    UndeclaredInput {
        /// The input's name.
        name: String,
    },
    /// The number of feeds differs from the number of inputs.
    #[error("the executable takes {expected} input(s), {got} given")]
    FeedCount {
        /// Inputs of the executable.
        expected: usize,
        /// Feeds given.
        got: usize,
    },
    /// The number of tensors to write to differs from the number of outputs.
    #[error("the executable has {expected} output(s), {got} given to write to")]
    OutputCount {
        /// Outputs of the executable.
        expected: usize,
        /// Tensors given.
        got: usize,
    },
    /// An executable with variables was run without a session.
    #[error("the executable has {variables} variable(s): start a session with their values, and run that")]
    NeedsSession {
        /// Variables of the executable.
        variables: usize,
    },
    /// The number of initial values differs from the number of variables.
    #[error("the executable has {expected} variable(s), {got} initial value(s) given")]
    InitialCount {
        /// Variables of the executable.
        expected: usize,
        /// Values given.
        got: usize,
    },
    /// A variable cannot be one.
    #[error("variable '{name}' {reason}")]
    Variable {
        /// The variable's name.
        name: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A feed has the wrong shape or type.
    #[error("input '{name}' is {expected_type}{expected}, but {got_type}{got} was given")]
    Feed {
        /// The input's name.
        name: String,
        /// Declared shape.
        expected: Shape,
        /// Declared type.
        expected_type: DType,
        /// Shape given.
        got: Shape,
        /// Type given.
        got_type: DType,
    },
    /// The plan needs more memory than allowed.
    #[error("the plan needs {need} bytes of working memory, more than the limit of {limit}: use a smaller batch")]
    Memory {
        /// Bytes needed.
        need: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// An index points outside of the axis that it indexes.
    #[error("{op}: index {index} is outside of an axis of size {size}")]
    Index {
        /// The primitive.
        op: &'static str,
        /// The index.
        index: i64,
        /// Size of the axis: indices go from 0 to this, exclusive.
        size: usize,
    },
    /// A device cannot run the graph, or is not there.
    #[error("device {device}: {reason}")]
    Device {
        /// The device.
        device: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A transform of the graph failed.
    #[error(transparent)]
    Graph(#[from] GraphError),
}
