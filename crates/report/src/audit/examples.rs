//! Single examples worth looking at.

use serde::{Deserialize, Serialize};

/// One example, with what broke it and how the model explains itself.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct GalleryItem {
    /// Number of the example in the data, from 0.
    pub index: usize,
    /// Its true class.
    pub label: usize,
    /// The model's class for the clean input.
    pub clean_prediction: usize,
    /// The softmax probability of that class; absent if it is not a number.
    pub clean_confidence: Option<f64>,
    /// The model's class for the adversarial input.
    pub adversarial_prediction: usize,
    /// The softmax probability of that class; absent if it is not a number.
    pub adversarial_confidence: Option<f64>,
    /// The attack that made the adversarial input.
    pub attack: String,
    /// The attack's budget, in pixel units, in the norm of the settings.
    pub epsilon: f64,
    /// Largest change of any element, in pixel units.
    pub linf: f64,
    /// Euclidean length of the change, in pixel units.
    pub l2: f64,
    /// Pictures, left to right; empty if the inputs are not images.
    pub images: Vec<NamedImage>,
}

/// A picture with its caption.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct NamedImage {
    /// A short name such as `clean`.
    pub name: String,
    /// The PNG file, base64.
    pub png_base64: String,
    /// What is to be seen, with scale factors; may be empty.
    pub caption: String,
}

/// An input that breaks early.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct WeakInput {
    /// Number of the example in the data, from 0.
    pub index: usize,
    /// Its true class.
    pub label: usize,
    /// The model's class for the clean input.
    pub prediction: usize,
    /// Logit of the true class minus the largest other logit (negative: wrong); absent if it is not a number.
    pub margin: Option<f64>,
    /// The smallest budget that broke it, in pixel units; 0 if it is wrong when clean, absent if nothing broke it.
    pub smallest_epsilon: Option<f64>,
    /// The attack that did so.
    pub broken_by: Option<String>,
    /// The clean input as a base64 PNG, if it is an image.
    pub png_base64: Option<String>,
}
