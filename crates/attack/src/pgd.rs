//! Projected gradient descent.

use crate::{Adversarial, Ascent, Attack, AttackError, Ball, Classifier, Criterion, Loss, Seed, Start};
use perturb_graph::Tensor;

/// Projected gradient descent (Madry et al. 2018): [`Ascent`] from a uniformly random point of the ball, in any norm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pgd {
    /// Steps of each restart.
    pub steps: usize,
    /// Step size divided by ε.
    pub relative_step: f64,
    /// Whether to start from a random point of the ball instead of from its centre.
    pub random_start: bool,
    /// How many searches, each from a new start, to make at most.
    pub restarts: usize,
    /// What the steps raise, or lower for a target.
    pub loss: Loss,
}

impl Default for Pgd {
    /// 40 steps of 2.5·ε/40: the paper's rule 2.5·ε/steps, with which every start can reach every point of the ball.
    fn default() -> Self {
        Pgd { steps: 40, relative_step: 2.5 / 40.0, random_start: true, restarts: 1, loss: Loss::CrossEntropy }
    }
}

impl Attack for Pgd {
    fn name(&self) -> &'static str {
        "PGD"
    }

    fn run(
        &self,
        model: &Classifier,
        inputs: &Tensor,
        criterion: &Criterion,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Adversarial, AttackError> {
        let Pgd { steps, relative_step, random_start, restarts, loss } = *self;
        let start = if random_start { Start::Uniform } else { Start::Center };
        let ascent = Ascent { name: self.name(), loss, steps, relative_step, start, restarts, ..Ascent::bim() };
        ascent.run(model, inputs, criterion, ball, seed)
    }
}
