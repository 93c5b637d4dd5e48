//! What can go wrong in training.

use perturb_engine::EngineError;
use perturb_graph::GraphError;
use std::path::PathBuf;

/// Why training fails.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The graph cannot be built, differentiated or batched.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The step cannot be compiled or run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The data do not fit.
    #[error("{0}")]
    Data(String),
    /// A setting makes no sense, or not for this step.
    #[error("{0}")]
    Setting(String),
    /// A step asks for something that it does not have.
    #[error("the step has nothing named '{name}': name an expression so, or use what there is: {known}")]
    Unnamed {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The loss is no number any more.
    #[error("the loss is {loss} at step {step}: lower the learning rate, or clip gradients")]
    Diverged {
        /// Number of the step, from 1.
        step: u64,
        /// The loss.
        loss: f64,
    },
    /// Stored tensors belong to another architecture.
    #[error("{path}: {difference}")]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Which tensors differ.
        difference: TensorDifference,
    },
    /// A checkpoint cannot be continued by this run.
    #[error("{path}: {reason}")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
}

/// How a set of named tensors differs from what is expected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TensorDifference {
    /// Expected, but not there.
    pub missing: Vec<String>,
    /// There, but not expected.
    pub unexpected: Vec<String>,
    /// Of another shape or type: name, what is expected, what is there.
    pub differing: Vec<(String, String, String)>,
}

impl TensorDifference {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.differing.is_empty()
    }
}

impl std::fmt::Display for TensorDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A wrong architecture differs in hundreds of tensors; the first few tell which it is.
        const SHOWN: usize = 8;
        let list = |names: &[String]| {
            let rest = names.len().saturating_sub(SHOWN);
            let shown = names[..names.len() - rest].join(", ");
            if rest > 0 { format!("{shown} and {rest} more") } else { shown }
        };
        let mut parts = Vec::new();
        if !self.missing.is_empty() {
            parts.push(format!("missing: {}", list(&self.missing)));
        }
        if !self.unexpected.is_empty() {
            parts.push(format!("unexpected: {}", list(&self.unexpected)));
        }
        if !self.differing.is_empty() {
            let lines = self.differing.iter().map(|(name, want, got)| format!("{name} (expected {want}, is {got})"));
            parts.push(format!("different: {}", list(&lines.collect::<Vec<_>>())));
        }
        write!(f, "the tensors are those of another architecture; {}", parts.join("; "))
    }
}
