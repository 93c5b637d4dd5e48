//! Adversarial training.

use perturb_graph::{Expr, grad};
use perturb_nn::{Hook, Step, TrainError};

/// Adversarial training (Madry et al. 2018, eq. 2.1): every batch is replaced by the result of projected gradient ascent on
/// its loss in the ℓ∞ ball, all in the compiled step.
///
/// Applies to the step's input `input`, as [`Step::classifier`] names it. No derivative passes through the attack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdversarialTraining {
    /// Radius of the ball, in units of the input.
    pub epsilon: f64,
    /// Size of a step.
    pub step: f64,
    /// Number of steps.
    pub steps: usize,
    /// Whether the ascent starts from a uniformly random point of the ball instead of from its centre.
    pub random_start: bool,
    /// Limits of every element.
    pub limits: (f64, f64),
}

impl Default for AdversarialTraining {
    /// The paper's setting for CIFAR-10: ε = 8/255, 7 steps of 2/255, random start, pixels in [0, 1].
    fn default() -> Self {
        let unit = 1.0 / 255.0;
        AdversarialTraining { epsilon: 8.0 * unit, step: 2.0 * unit, steps: 7, random_start: true, limits: (0.0, 1.0) }
    }
}

impl Hook for AdversarialTraining {
    /// # Errors
    /// If a radius or size is negative or not a number, the limits are empty, or the step has no input `input`.
    fn apply(&self, step: &mut Step) -> Result<(), TrainError> {
        let (low, high) = self.limits;
        let sensible = self.epsilon >= 0.0 && self.step >= 0.0 && self.epsilon.is_finite() && self.step.is_finite();
        if !sensible || low.is_nan() || high.is_nan() || low > high {
            return Err(TrainError::Setting(format!(
                "{self:?}: radius and step must be at least 0, and limits ascend"
            )));
        }
        let x = step.named("input")?;
        let clip = |moved: &Expr| moved.sub(&x).clip(-self.epsilon, self.epsilon).add(&x).clip(low, high);
        let mut at = x.clone();
        if self.random_start {
            let noise = step.key().uniform(x.shape(), x.dtype()).scale(2.0 * self.epsilon).offset(-self.epsilon);
            at = clip(&x.add(&noise));
        }
        for _ in 0..self.steps {
            // The point is named, so that the gradient is taken there and not through how it was found.
            let here = Expr::input("adversarial", x.shape(), x.dtype());
            let loss = step.loss_with(&[(x.clone(), here.clone())])?.sum();
            let ascent = grad(&loss, std::slice::from_ref(&here))?.remove(0);
            let ascent = perturb_graph::substitute(&[ascent], &[(here, at.clone())])?.remove(0);
            at = clip(&at.add(&ascent.sign().scale(self.step)));
        }
        step.replace(&x, &at)
    }
}
