//! Models from files, with errors that name the file.

use crate::CliError;
use perturb::graph::Graph;
use perturb::onnx::{ImportOptions, OnnxError, OnnxModel, import};
use std::path::Path;

/// Reads and imports a model.
///
/// # Errors
/// If the file cannot be read, is no ONNX model, or needs what is not supported.
pub fn load(path: &Path, options: &ImportOptions) -> Result<Graph, CliError> {
    let name = path.display().to_string();
    let named = |error: OnnxError| {
        let message = error.to_string();
        CliError::Usage(if message.contains(&name) { message } else { format!("{name}: {message}") })
    };
    import(&OnnxModel::read(path).map_err(named)?, options).map_err(named)
}
