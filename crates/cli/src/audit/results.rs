//! What finished batches leave in the run's file.

use crate::CliError;
use perturb::metrics::interval::clopper_pearson;
use perturb::report::audit::Accuracy;
use serde::{Deserialize, Serialize};

/// Clean predictions of a batch.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Clean {
    /// Predicted classes.
    pub predictions: Vec<usize>,
    /// Softmax probability of each prediction.
    pub confidences: Vec<f64>,
    /// Score of the label minus the largest other score.
    pub margins: Vec<f64>,
}

/// One attack at one budget on the examples of a batch that were still standing.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Attacked {
    /// Examples of the whole set that fell.
    pub broken: Vec<Broken>,
    /// How many examples were attacked.
    pub attacked: usize,
    /// How many had a loss gradient of exactly zero, where the attack looked.
    pub zero_gradients: usize,
    /// At how many it looked.
    pub gradients_seen: usize,
}

/// An example that fell.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Broken {
    /// Position in the set.
    pub index: usize,
    /// The adversarial example, in pixel units; kept for the first few only.
    pub example: Option<Vec<f32>>,
    /// Its distances.
    pub linf: f64,
    /// Euclidean distance.
    pub l2: f64,
    /// Its class.
    pub prediction: usize,
    /// Softmax probability of that class.
    pub confidence: f64,
}

/// Distances to the nearest adversarial example, `None` where none was found, by position in the batch.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Minimal {
    /// One for each example of the batch; wrong ones have distance 0.
    pub distances: Vec<Option<f64>>,
}

/// Which examples of a batch are proved at one budget.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Certified {
    /// Positions in the set.
    pub proved: Vec<usize>,
}

/// Smoothing certificates of a batch.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct SmoothedBatch {
    /// Class (none: abstained) and radius of each example.
    pub certificates: Vec<(Option<usize>, f64)>,
}

/// One attribution method on one example.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Attributed {
    /// Attribution, of the example's shape.
    pub values: Vec<f32>,
    /// Judgements, by measure.
    pub infidelity: f64,
    /// Largest relative change in a small ball.
    pub max_sensitivity: f64,
    /// Area under the deletion curve.
    pub deletion: f64,
    /// Area under the insertion curve.
    pub insertion: f64,
    /// Whether the largest attribution lies on the object, where masks exist.
    pub pointing: Option<f64>,
    /// Overlap with the mask, where it exists.
    pub mask_iou: Option<f64>,
}

/// An accuracy with its 95 % Clopper–Pearson interval.
///
/// # Errors
/// If there are no examples.
pub fn rate(correct: usize, total: usize) -> Result<Accuracy, CliError> {
    let interval = clopper_pearson(correct as u64, total as u64, 0.05)?;
    Ok(Accuracy::new(correct, total, [interval.lower, interval.upper]))
}
