//! The fast gradient sign method.

use crate::loss::Objective;
use crate::problem::Problem;
use crate::{Adversarial, Attack, AttackError, Classifier, Criterion, Loss, Seed};
use perturb_graph::Tensor;
use perturb_threat::Ball;

/// Fast gradient (sign) method: the point of the ball that maximises the linearised cross-entropy, `x + ε·sign(∇ₓL)` for
/// ℓ∞ (Goodfellow et al. 2015, §4). In ℓ2 and ℓ1 it is the maximiser over the same ball, bounds included. A targeted
/// attack minimises the loss of the target instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fgsm;

impl Attack for Fgsm {
    fn name(&self) -> &'static str {
        "FGSM"
    }

    fn run(
        &self,
        model: &Classifier,
        inputs: &Tensor,
        criterion: &Criterion,
        ball: &Ball,
        seed: &Seed,
    ) -> Result<Adversarial, AttackError> {
        let mut problem = Problem::new(model, inputs, criterion, ball, seed)?;
        problem.needs_budget(self.name())?;
        let pending = problem.pending();
        let objective = Objective::Class(Loss::CrossEntropy);
        let class = |&row: &usize| (model.classes(), criterion.classes()[row]);
        let weights: Vec<f32> = pending.iter().map(class).flat_map(|(n, y)| objective.weights(n, y, y)).collect();
        let found = problem.gradients(&pending, &problem.gather(&pending), objective, &weights)?;
        for (&row, gradient) in pending.iter().zip(found.gradients.chunks_exact(model.width())) {
            let weights: Vec<f32> = gradient.iter().map(|g| -criterion.sign() * g).collect();
            let point = ball.linear_minimization(problem.center(row), &weights);
            problem.keep(row, &point);
        }
        problem.finish()
    }
}
