//! Errors of attacks.

use perturb_graph::{DType, GraphError, Shape};
use perturb_threat::Norm;

/// Why an attack cannot run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AttackError {
    /// The graph is not a classifier of one input.
    #[error("the model is no classifier that can be attacked: {reason}")]
    Model {
        /// What is missing.
        reason: String,
    },
    /// No examples at a time.
    #[error("the batch size is 0: use 1 or more")]
    EmptyBatch,
    /// The examples do not fit the model.
    #[error(
        "inputs are {dtype}{shape}, but the model takes f32 examples of shape {expected}, stacked along a first axis"
    )]
    Inputs {
        /// Type given.
        dtype: DType,
        /// Shape given.
        shape: Shape,
        /// Shape of one example.
        expected: Shape,
    },
    /// An example has a value outside the bounds, or one that is no number.
    #[error("example {row} has the value {value} at position {position}, outside the bounds [{lo}, {hi}]")]
    OutOfBounds {
        /// Index of the example.
        row: usize,
        /// Row-major position of the value in the example.
        position: usize,
        /// The value.
        value: f32,
        /// Lower bound.
        lo: f32,
        /// Upper bound.
        hi: f32,
    },
    /// The number of classes given differs from the number of examples.
    #[error("{classes} classes were given for {examples} examples")]
    ClassCount {
        /// Classes given.
        classes: usize,
        /// Examples given.
        examples: usize,
    },
    /// A label or target does not exist.
    #[error("example {row} has class {class}, but the model has classes 0 to {}", .classes - 1)]
    ClassRange {
        /// Index of the example.
        row: usize,
        /// The class given.
        class: usize,
        /// Number of classes.
        classes: usize,
    },
    /// The classes of an example that are to be at the top cannot be.
    #[error("the wanted ranking of example {row} is none: {reason}")]
    Ranking {
        /// Index of the example.
        row: usize,
        /// What is wrong.
        reason: String,
    },
    /// No features of the last layer put classes in the wanted order.
    #[error(
        "no features rank the classes as wanted: the differences of the last layer's rows for the pairs (above, below) \
         {pairs:?} sum to zero with positive weights; leave out one of these classes"
    )]
    InfeasibleRanking {
        /// The pairs of classes that contradict each other.
        pairs: Vec<(usize, usize)>,
    },
    /// The model's output for an unperturbed example is infinite or NaN.
    #[error("the model's logits for the unperturbed example {row} are not finite: check its weights and normalization")]
    NotFinite {
        /// Index of the example.
        row: usize,
    },
    /// A hyperparameter is out of its range.
    #[error("{attack}: {name} is {value}, but must be {range}")]
    Hyperparameter {
        /// Name of the attack.
        attack: &'static str,
        /// Name of the hyperparameter.
        name: &'static str,
        /// Value given.
        value: f64,
        /// What is allowed.
        range: &'static str,
    },
    /// The attack does not work in this norm.
    #[error("{attack} has no variant for the norm {norm:?}")]
    Norm {
        /// Name of the attack.
        attack: &'static str,
        /// Norm of the ball.
        norm: Norm,
    },
    /// The model does not begin with an affine map.
    #[error("the model has no affine layer to begin with: {reason}")]
    NoAffineLayer {
        /// What stands in the way.
        reason: String,
    },
    /// The attack needs a budget.
    #[error("{attack} needs a finite epsilon; only attacks that minimise the distance do without")]
    NoBudget {
        /// Name of the attack.
        attack: &'static str,
    },
    /// The attack needs to know the range of the inputs.
    #[error("{attack} needs finite bounds of the inputs' values, such as (0, 1)")]
    NoBounds {
        /// Name of the attack.
        attack: &'static str,
    },
    /// An example has no context.
    #[error("there is no context for the example of index {index}: the model was given {rows}")]
    NoContext {
        /// Index of the example in the data set.
        index: i64,
        /// Contexts given.
        rows: usize,
    },
    /// An ensemble without members.
    #[error("there are no attacks to run")]
    NoAttacks,
    /// The training that an attack consists of, or needs, fails.
    #[error("the attack's training fails: {reason}")]
    Training {
        /// What went wrong.
        reason: String,
    },
    /// The parts of a diffusion model do not fit together.
    #[error("the diffusion model cannot be used: {reason}")]
    Diffusion {
        /// What is wrong, and what it should be.
        reason: String,
    },
    /// Embeddings are not of the width that the inversion was trained on.
    #[error("embeddings of shape {shape} cannot be inverted: this was trained on rows of {width} values in f32")]
    Embeddings {
        /// Shape given.
        shape: Shape,
        /// Width expected.
        width: usize,
    },
    /// The threat model is none.
    #[error(transparent)]
    Threat(#[from] perturb_threat::ThreatError),
    /// The model's graph cannot be transformed.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The model cannot be compiled or run.
    #[error(transparent)]
    Engine(#[from] perturb_engine::EngineError),
}

impl From<perturb_nn::TrainError> for AttackError {
    fn from(error: perturb_nn::TrainError) -> Self {
        match error {
            perturb_nn::TrainError::Graph(error) => error.into(),
            perturb_nn::TrainError::Engine(error) => error.into(),
            other => AttackError::Training { reason: other.to_string() },
        }
    }
}
