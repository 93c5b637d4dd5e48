//! Errors of certification.

use perturb_engine::EngineError;
use perturb_graph::{GraphError, Norm, Shape};
use perturb_metrics::MetricError;

/// Why something cannot be bounded or certified.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CertifyError {
    /// A radius is negative, infinite or NaN.
    #[error("epsilon must be a finite number of at least 0, but row {row} has {epsilon}")]
    Epsilon {
        /// Which centre.
        row: usize,
        /// The radius.
        epsilon: f64,
    },
    /// A list does not have one entry for each centre.
    #[error("{expected} {what} needed, one for each centre, but {got} given")]
    Count {
        /// What is counted.
        what: &'static str,
        /// Number of centres.
        expected: usize,
        /// Number of entries given.
        got: usize,
    },
    /// The limits of the input's elements are NaN or not in order.
    #[error("limits must be numbers with lower ≤ upper, but are {lower} and {upper}")]
    Limits {
        /// Lower limit.
        lower: f32,
        /// Upper limit.
        upper: f32,
    },
    /// No point of the ball lies within the limits.
    #[error(
        "element {element} of centre {row} is {value}, farther than epsilon from the limits: check the pixel range and \
         the normalisation"
    )]
    EmptySet {
        /// Which centre.
        row: usize,
        /// Which of its elements, row-major.
        element: usize,
        /// Its value.
        value: f32,
    },
    /// A centre is NaN or infinite.
    #[error("element {element} of input {row} is not a finite number: clean the data")]
    NotFinite {
        /// Which centre.
        row: usize,
        /// Which of its elements, row-major.
        element: usize,
    },
    /// The certifier was compiled for another norm.
    #[error("this certifier was compiled for {compiled:?} balls, but a {asked:?} ball was given: compile another one")]
    Norm {
        /// Norm that was compiled.
        compiled: Norm,
        /// Norm of the ball.
        asked: perturb_threat::Norm,
    },
    /// A label is not a class of the model.
    #[error("label {label} of row {row} is out of range: the model has {classes} classes, counted from 0")]
    Label {
        /// Which row.
        row: usize,
        /// The label.
        label: usize,
        /// Number of outputs of the model.
        classes: usize,
    },
    /// Inputs do not have the model's shape or are not `f32`.
    #[error("inputs must be f32 of shape {expected}, but are {got}")]
    Input {
        /// What the model takes.
        expected: String,
        /// Type and shape given.
        got: String,
    },
    /// The model is not of a kind that can be certified.
    #[error("the model cannot be certified: {reason}")]
    Model {
        /// What is wrong with it.
        reason: String,
    },
    /// Not even the smallest piece of work fits the memory limit.
    #[error(
        "bounding {what} needs {need} bytes of working memory even for a single row, more than the limit of {limit}: \
         raise the limit to at least {need}"
    )]
    Memory {
        /// The tensor being bounded, with its shape.
        what: String,
        /// Bytes needed.
        need: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A parameter of a method is out of its range.
    #[error("{name} must be {range}, but is {value}")]
    Parameter {
        /// Name of the parameter.
        name: &'static str,
        /// What is allowed.
        range: &'static str,
        /// What was given.
        value: f64,
    },
    /// Something given does not fit, or makes no sense.
    #[error("{what} cannot be used: {reason}")]
    Unfit {
        /// What was given.
        what: &'static str,
        /// What is wrong with it, and what would fit.
        reason: String,
    },
    /// A primitive of the graph has no rule, or a tensor would be too large.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// Compiling or running failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A proof cannot be checked, or does not hold.
    #[error(transparent)]
    Check(#[from] crate::CheckError),
    /// A statistical bound could not be computed.
    #[error(transparent)]
    Metric(#[from] MetricError),
}

/// Result of certification.
pub type Result<T, E = CertifyError> = std::result::Result<T, E>;

impl CertifyError {
    pub(crate) fn model<T>(reason: impl Into<String>) -> Result<T> {
        Err(CertifyError::Model { reason: reason.into() })
    }

    pub(crate) fn unfit<T>(what: &'static str, reason: impl Into<String>) -> Result<T> {
        Err(CertifyError::Unfit { what, reason: reason.into() })
    }

    pub(crate) fn input<T>(expected: &Shape, got: &perturb_graph::Tensor) -> Result<T> {
        let got = format!("{}{}", got.dtype(), got.shape());
        Err(CertifyError::Input { expected: format!("{expected} with any number of rows in front"), got })
    }
}
