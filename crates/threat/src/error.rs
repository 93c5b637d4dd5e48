//! Errors of threat models.

/// Why a threat model cannot be built.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ThreatError {
    /// The budget is negative or not a number.
    #[error("epsilon is {epsilon}: a perturbation budget must be zero or more, in the units of the input")]
    Epsilon {
        /// The budget given.
        epsilon: f64,
    },
    /// The range of the input's values is empty, reversed or not a number.
    #[error("the bounds ({lo}, {hi}) must be numbers with lower < upper, as single-precision values too")]
    Bounds {
        /// Lower bound given.
        lo: f64,
        /// Upper bound given.
        hi: f64,
    },
}
