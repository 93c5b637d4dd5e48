//! What all attribution methods are.

use crate::{Model, Result};
use perturb_graph::Tensor;

/// A method that says how much each element of an input speaks for the target's logit.
pub trait Attribution: Send + Sync {
    /// The method's name, as reports show it.
    fn name(&self) -> &'static str;

    /// Attributions, of the shape of `inputs`: f32 `[N, …example]`, one target class for each example.
    ///
    /// # Errors
    /// If inputs or targets do not fit the model, hold NaN, or a hyperparameter is outside its domain; if the model's
    /// answer is not finite.
    fn attribute(&self, model: &Model, inputs: &Tensor, targets: &[usize]) -> Result<Tensor>;
}
