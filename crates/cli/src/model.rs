//! Models and weights from files, with errors that name the file.

use crate::CliError;
use perturb::graph::Graph;
use perturb::nn::{Parameters, TrainError};
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

/// The weights in a file, all those that `graph` has and no others: a safetensors file with the names of the model's
/// weights, or another ONNX model with such weights.
///
/// # Errors
/// If the file cannot be read, or its weights are not those of the graph.
pub fn weights(path: &Path, graph: &Graph) -> Result<Parameters, CliError> {
    let onnx = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx"));
    let found = if onnx { Parameters::of(&load(path, &ImportOptions::default())?) } else { Parameters::load(path)? };
    let difference = found.difference(&Parameters::of(graph));
    if difference.is_empty() {
        return Ok(found);
    }
    Err(TrainError::Mismatch { path: path.into(), difference }.into())
}
