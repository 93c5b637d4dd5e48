//! Errors of explaining.

use perturb_engine::EngineError;
use perturb_graph::{DType, GraphError, Shape};
use perturb_metrics::MetricError;

/// Why an explanation or its judgement cannot be computed: what, where, and what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ExplainError {
    /// The graph is not a classifier of one example.
    #[error("the model cannot be explained: {reason}")]
    Model {
        /// What is missing, and what to do.
        reason: String,
    },
    /// A tensor has the wrong shape or type.
    #[error("{what} must be {expected}, but {got_type}{got} was given")]
    Shape {
        /// Name of the tensor.
        what: &'static str,
        /// What it must be.
        expected: String,
        /// The shape given.
        got: Shape,
        /// The element type given.
        got_type: DType,
    },
    /// There must be one target for each example.
    #[error("{examples} example(s), but {targets} target(s); give one target class for each example")]
    TargetCount {
        /// Number of examples.
        examples: usize,
        /// Number of targets.
        targets: usize,
    },
    /// A target is not a class of the model.
    #[error("example {example}: target {target} is out of range; the model has classes 0 to {}", .classes.saturating_sub(1))]
    Target {
        /// Index of the example.
        example: usize,
        /// The target given.
        target: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A value is NaN or infinite.
    #[error("example {example}: {what} is NaN or infinite; check the data's range and the model's weights")]
    NotFinite {
        /// Which value.
        what: &'static str,
        /// Index of the example.
        example: usize,
    },
    /// A hyperparameter is outside its domain.
    #[error("{name}: {reason}")]
    Setting {
        /// The method and its hyperparameter.
        name: &'static str,
        /// What it must satisfy and what it was.
        reason: String,
    },
    /// A ground-truth mask against which nothing can be judged.
    #[error(
        "example {example}: the mask covers {covered} of {pixels} pixels; leave out examples without object or background"
    )]
    Mask {
        /// Index of the example.
        example: usize,
        /// Pixels inside the mask.
        covered: usize,
        /// All pixels.
        pixels: usize,
    },
    /// The model's graph cannot be transformed.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The model cannot be compiled or run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A measure has no value.
    #[error(transparent)]
    Metric(#[from] MetricError),
}

/// Result of explaining.
pub type Result<T, E = ExplainError> = std::result::Result<T, E>;

/// [`ExplainError::Setting`] unless `valid`.
pub(crate) fn require(valid: bool, name: &'static str, reason: impl FnOnce() -> String) -> Result<()> {
    if valid { Ok(()) } else { Err(ExplainError::Setting { name, reason: reason() }) }
}
