//! Methods that perturb the training of a denoiser.

use perturb_nn::{Hook, Step, TrainError};

/// Input perturbation (Ning et al. 2023): the network sees `α·x₀ + σ·(ε + γ·ξ)` with ξ standard normal, and still predicts
/// ε. In sampling it sees its own errors; this is how it learns to live with them.
///
/// Applies to a [`denoising`](super::denoising) step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InputPerturbation {
    /// γ.
    pub gamma: f64,
}

impl Default for InputPerturbation {
    /// The paper's γ = 0.1.
    fn default() -> Self {
        InputPerturbation { gamma: 0.1 }
    }
}

impl Hook for InputPerturbation {
    /// # Errors
    /// If γ is negative or not a number, or the step has no `noisy` input.
    fn apply(&self, step: &mut Step) -> Result<(), TrainError> {
        if !(self.gamma >= 0.0 && self.gamma.is_finite()) {
            return Err(TrainError::Setting(format!("{self:?}: gamma must be at least 0 and finite")));
        }
        let (noisy, sigma) = (step.named("noisy")?, step.named("sigma")?);
        let extra = step.key().normal(noisy.shape(), noisy.dtype());
        step.replace(&noisy, &noisy.add(&extra.mul(&sigma).scale(self.gamma)))
    }
}
