//! Why something cannot be generated.

/// Result of this crate.
pub type Result<T, E = GenerateError> = std::result::Result<T, E>;

/// Why something cannot be trained, sampled or measured.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// A setting makes no sense.
    #[error("{name} = {value}: must be {expected}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A graph cannot be built.
    #[error(transparent)]
    Graph(#[from] perturb_graph::GraphError),
    /// A training step cannot be built.
    #[error(transparent)]
    Train(#[from] perturb_nn::TrainError),
}

impl GenerateError {
    /// Fails unless `sensible`.
    pub(crate) fn check(
        sensible: bool,
        name: &'static str,
        value: impl ToString,
        expected: &'static str,
    ) -> Result<()> {
        if sensible { Ok(()) } else { Err(GenerateError::Setting { name, value: value.to_string(), expected }) }
    }
}
