//! Errors of worlds.

use std::fmt::Display;

/// A world was asked for something that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// A parameter lies outside of what the world is defined for.
    #[error("{world}: {parameter} is {value}; {expected}")]
    Parameter {
        /// The world, or the part of it.
        world: &'static str,
        /// The parameter's name.
        parameter: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        expected: String,
    },
    /// A question to which the world has no exact answer.
    #[error("{world}: {reason}")]
    NoExactAnswer {
        /// The world, or the part of it.
        world: &'static str,
        /// Why there is none, and what to do.
        reason: String,
    },
}

impl WorldError {
    /// A [`WorldError::Parameter`].
    pub(crate) fn parameter(
        world: &'static str,
        parameter: &'static str,
        value: impl Display,
        expected: impl Display,
    ) -> WorldError {
        WorldError::Parameter { world, parameter, value: value.to_string(), expected: expected.to_string() }
    }
}
