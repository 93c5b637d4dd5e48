//! A bound over perturbed weights as a loss.

use super::crown_ibp::{of_one_example, over_batch};
use super::fused_cross_entropy;
use perturb_graph::{Domain, Expr, Graph};
use perturb_nn::{Hook, Ramp, Step, TrainError};

/// Training for flat minima (Xu et al. 2020): the cross-entropy of each example is bounded, by loss fusion
/// ([`fused_cross_entropy`]), over all weights whose elements differ from the current ones by at most a share of their
/// magnitude, and the bound is minimised in place of the loss.
///
/// For a step made by [`Step::classifier`] of the very same `network`. Every example has its own worst weights, so that the
/// mean of the bounds is never below the loss at the worst weights for all.
#[derive(Clone, Debug)]
pub struct WeightLoss {
    /// The classifier of one example, `[1, …] → [1, classes]`.
    pub network: Graph,
    /// Largest relative change of a weight.
    pub relative: Ramp,
}

impl Hook for WeightLoss {
    /// # Errors
    /// If a share is negative, or the network has no parameters or cannot be bounded.
    fn apply(&self, step: &mut Step) -> Result<(), TrainError> {
        if ![self.relative.from, self.relative.to].iter().all(|r| *r >= 0.0 && r.is_finite()) {
            return Err(TrainError::Setting(format!("{:?}: shares of weights must be at least 0", self.relative)));
        }
        let relative = step.scalar("relative change of weights", self.relative);
        let (x, targets) = (step.named("input")?, step.named("targets")?);
        let (input, logits) = of_one_example(&self.network)?;
        let parameters = self.network.params();
        if parameters.is_empty() {
            return Err(TrainError::Setting("the network has no weights that could be perturbed".into()));
        }
        let set = |weight: Expr| {
            let radius = weight.abs().mul(&relative.cast(weight.dtype()).broadcast_to(weight.shape()));
            let domain = Domain::Box { lo: weight.sub(&radius), hi: weight.add(&radius) };
            (weight, domain)
        };
        let domains: Vec<(Expr, Domain)> = parameters.into_iter().map(set).collect();
        let target = Expr::try_input("target", logits.shape(), logits.dtype())?;
        let bound = fused_cross_entropy(&logits, &target, &domains)?;
        step.minimize(over_batch(&bound, (&input, &x), (&target, &targets))?);
        Ok(())
    }
}
