//! What was audited: the model and the data.

use serde::{Deserialize, Serialize};

/// The model under audit.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct ModelInfo {
    /// A short name, usually the file's.
    pub name: String,
    /// The file, as the user named it.
    pub path: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Number of trained scalars.
    pub parameters: u64,
    /// Operators in the file, with how often each occurs.
    pub operators: Vec<OperatorCount>,
    /// Name of the input.
    pub input_name: String,
    /// Shape of the input for one example.
    pub input_shape: Vec<usize>,
    /// Name of the output.
    pub output_name: String,
    /// Number of classes (logits).
    pub classes: usize,
    /// Element type of the computation, such as `f32`.
    pub dtype: String,
}

/// How often one operator occurs.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct OperatorCount {
    /// The operator's ONNX name.
    pub op: String,
    /// Number of nodes.
    pub count: usize,
}

/// The data the model was audited on.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct DataInfo {
    /// File, folder or world.
    pub source: String,
    /// How it was read, such as `idx` or `npz`.
    pub format: String,
    /// Number of examples audited.
    pub examples: usize,
    /// Number of classes among the labels.
    pub classes: usize,
    /// Names of the classes, by class number; empty if there are none.
    pub label_names: Vec<String>,
    /// Lowest and highest possible value of an input element, before normalization; `None` if unbounded.
    pub pixel_range: Option<[f64; 2]>,
    /// What is applied between the data and the model.
    pub normalization: Normalization,
}

/// `(x - mean) / std`, per channel, applied between the data and the model.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Normalization {
    /// Per-channel mean, in pixel units; one number for all channels, or empty for none.
    pub mean: Vec<f64>,
    /// Per-channel scale, in pixel units; same length as `mean`.
    pub std: Vec<f64>,
    /// Why this one: given by the user, or detected, and how.
    pub how_chosen: String,
    /// The normalizations that were tried.
    pub candidates: Vec<Candidate>,
}

/// A normalization that was tried.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Candidate {
    /// What it is called.
    pub name: String,
    /// Clean accuracy with it, in \[0, 1\].
    pub accuracy: f64,
}
