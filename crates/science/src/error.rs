//! Why an equation cannot be solved.

/// Result of this crate.
pub type Result<T, E = ScienceError> = std::result::Result<T, E>;

/// Why an equation cannot be solved.
#[derive(Debug, thiserror::Error)]
pub enum ScienceError {
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
    /// A graph cannot be run.
    #[error(transparent)]
    Engine(#[from] perturb_engine::EngineError),
    /// Training fails.
    #[error(transparent)]
    Train(#[from] perturb_nn::TrainError),
}

impl ScienceError {
    /// Fails unless `sensible`.
    pub(crate) fn check(
        sensible: bool,
        name: &'static str,
        value: impl ToString,
        expected: &'static str,
    ) -> Result<()> {
        if sensible { Ok(()) } else { Err(ScienceError::Setting { name, value: value.to_string(), expected }) }
    }
}
