//! Why something cannot be learned.

/// Result of this crate.
pub type Result<T, E = SslError> = std::result::Result<T, E>;

/// Why something cannot be learned or analysed.
#[derive(Debug, thiserror::Error)]
pub enum SslError {
    /// Embeddings of two views do not make pairs.
    #[error("embeddings of two views are {first} and {second}: both must be [batch, width] with a batch of at least 2")]
    Views {
        /// Shape of those of the first view.
        first: String,
        /// Shape of those of the second view.
        second: String,
    },
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
    /// Matrices that belong together do not fit, or are not what they must be.
    #[error("{what}: {reason}")]
    Matrix {
        /// Which matrix.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A measure does not exist.
    #[error(transparent)]
    Metric(#[from] perturb_metrics::MetricError),
    /// A graph cannot be built.
    #[error(transparent)]
    Graph(#[from] perturb_graph::GraphError),
}

impl SslError {
    /// Fails unless `sensible`.
    pub(crate) fn check(
        sensible: bool,
        name: &'static str,
        value: impl ToString,
        expected: &'static str,
    ) -> Result<()> {
        if sensible { Ok(()) } else { Err(SslError::Setting { name, value: value.to_string(), expected }) }
    }

    pub(crate) fn matrix<T>(what: &'static str, reason: impl Into<String>) -> Result<T> {
        Err(SslError::Matrix { what, reason: reason.into() })
    }
}
