//! What an attack is, and what it returns.

use crate::{AttackError, Classifier, Criterion, Seed};
use perturb_graph::Tensor;
use perturb_threat::Ball;

/// A search for adversarial examples: hyperparameters, and one call.
pub trait Attack: Sync {
    /// Name in tables.
    fn name(&self) -> &'static str;

    /// Searches, for each of `inputs [N, …example]`, a point of `ball` around it that meets the `criterion`. Inputs that
    /// meet it as they are come back unchanged.
    ///
    /// # Errors
    /// If the inputs do not fit the model or leave the ball's bounds, classes are wrong, a hyperparameter or the norm is
    /// outside what the attack supports, or the engine fails.
    fn run(
        &self,
        model: &Classifier,
        inputs: &Tensor,
        criterion: &Criterion,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Adversarial, AttackError>;

    /// Whether the attack looks for the *nearest* adversarial example, and so needs no budget.
    fn minimizes_distance(&self) -> bool {
        false
    }
}

/// What an attack found, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Adversarial {
    /// The perturbed examples, of the inputs' shape; where the attack failed, the best point it saw.
    pub inputs: Tensor,
    /// Whether the criterion is met, by a forward pass on exactly these examples.
    pub success: Vec<bool>,
    /// Distance from the input in the norm of the ball.
    pub distances: Vec<f64>,
    /// How often the search ran the model on the example, forward or with gradients. The check of the unperturbed input
    /// and the verification of the result are not counted.
    pub queries: Vec<u64>,
}
