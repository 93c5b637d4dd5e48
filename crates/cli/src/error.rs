//! What can go wrong on the command line.

/// An error that ends a command with exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Arguments that do not make sense.
    #[error("{0}")]
    Usage(String),
    /// A file that cannot be read or written.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The file of results cannot be used.
    #[error(transparent)]
    Store(#[from] perturb::papers::StoreError),
    /// A graph cannot be built.
    #[error(transparent)]
    Graph(#[from] perturb::graph::GraphError),
    /// A graph cannot be compiled or run.
    #[error(transparent)]
    Engine(#[from] perturb::engine::EngineError),
    /// Data cannot be used.
    #[error(transparent)]
    Data(#[from] perturb::data::DataError),
    /// Measures cannot be computed.
    #[error(transparent)]
    Metric(#[from] perturb::metrics::MetricError),
    /// An attack cannot be run.
    #[error(transparent)]
    Attack(#[from] perturb::attack::AttackError),
    /// A threat model that makes no sense.
    #[error(transparent)]
    Threat(#[from] perturb::threat::ThreatError),
    /// Bounds or certificates cannot be computed.
    #[error(transparent)]
    Certify(#[from] perturb::certify::CertifyError),
    /// An attribution cannot be computed.
    #[error(transparent)]
    Explain(#[from] perturb::explain::ExplainError),
    /// A graph cannot be written as an ONNX file.
    #[error(transparent)]
    Export(#[from] perturb::onnx::ExportError),
    /// The report cannot be written.
    #[error(transparent)]
    Report(#[from] perturb::report::ReportError),
    /// A picture cannot be made.
    #[error(transparent)]
    Picture(#[from] perturb::report::picture::PictureError),
    /// Training the built-in model failed.
    #[error(transparent)]
    Train(#[from] perturb::nn::TrainError),
}

/// The error that `action` on `path` failed.
pub fn file(action: &'static str, path: &std::path::Path, source: std::io::Error) -> CliError {
    CliError::File { action, path: path.display().to_string(), source }
}
