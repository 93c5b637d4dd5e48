//! Errors of measures, and the checks that raise them.

/// Why a measure has no meaningful value.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MetricError {
    /// There is nothing to measure.
    #[error("{what} is empty; give at least one value")]
    Empty {
        /// Name of the argument.
        what: &'static str,
    },
    /// Two arguments that belong together have different lengths.
    #[error("{what}: lengths differ, {left} and {right}; give one value of each per item")]
    Length {
        /// Names of the arguments.
        what: &'static str,
        /// Length of the first.
        left: usize,
        /// Length of the second.
        right: usize,
    },
    /// A value is not a number.
    #[error("{what} holds NaN at index {index}; remove or repair that value")]
    Nan {
        /// Name of the argument.
        what: &'static str,
        /// Index of the first NaN.
        index: usize,
    },
    /// A probability is outside the open interval (0, 1).
    #[error("{what} = {value} is not a probability strictly between 0 and 1")]
    Probability {
        /// Name of the argument.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// A correlation with something that does not vary is undefined.
    #[error("{what} is constant, so its correlation is undefined")]
    Constant {
        /// Name of the argument.
        what: &'static str,
    },
    /// An argument is outside the function's domain.
    #[error("{what}: {reason}")]
    Domain {
        /// Name of the argument.
        what: &'static str,
        /// What it must satisfy and what it was.
        reason: String,
    },
}

/// Result of a measure.
pub type Result<T, E = MetricError> = std::result::Result<T, E>;

/// Fails if `values` is empty or holds NaN. Infinities pass: "never broken" is a distance of infinity.
pub(crate) fn check_values(what: &'static str, values: &[f64]) -> Result<()> {
    if values.is_empty() {
        return Err(MetricError::Empty { what });
    }
    match values.iter().position(|v| v.is_nan()) {
        Some(index) => Err(MetricError::Nan { what, index }),
        None => Ok(()),
    }
}

/// Fails unless the two lengths are equal.
pub(crate) fn check_lengths(what: &'static str, left: usize, right: usize) -> Result<()> {
    if left == right { Ok(()) } else { Err(MetricError::Length { what, left, right }) }
}

/// Fails unless `value` lies strictly between 0 and 1.
pub(crate) fn check_probability(what: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value < 1.0 { Ok(()) } else { Err(MetricError::Probability { what, value }) }
}
