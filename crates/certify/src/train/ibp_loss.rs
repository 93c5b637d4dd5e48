//! Interval bound propagation as a loss.

use super::interval_margins;
use perturb_graph::{Expr, Interval};
use perturb_nn::{Hook, Ramp, Step, TrainError};

/// Training by interval bound propagation (Gowal et al. 2018, eq. 11–13): `κ·CE(z, y) + (1 − κ)·CE(ẑ, y)`, where ẑ are the
/// worst margins over the ℓ∞ ball around the input, with the last affine layers merged into the margins (their §3,
/// "elision"; see [`interval_margins`]).
///
/// For a step with the names `input`, `logits` and `targets`, such as [`Step::classifier`]; targets must be one-hot. The
/// share of examples that the bound certifies is reported as `verified`. The ball is around the batch as it stands:
/// apply this before hooks that attack it. Batch norm in training mode would let the bound depend on the batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IbpLoss {
    /// Radius of the ball, in units of the input.
    pub epsilon: Ramp,
    /// Share κ of the loss at the input itself.
    pub kappa: Ramp,
    /// Limits of every element of the input.
    pub limits: (f64, f64),
}

impl IbpLoss {
    /// The paper's schedule for inputs in [0, 1]: until the share `start` of the steps the plain loss; from there to the
    /// share `end` the radius grows from 0 to `epsilon`, and κ falls from 1 to ½.
    pub fn ramped(epsilon: f64, start: f64, end: f64) -> IbpLoss {
        IbpLoss {
            epsilon: Ramp { from: 0.0, to: epsilon, start, end },
            kappa: Ramp { from: 1.0, to: 0.5, start, end },
            limits: (0.0, 1.0),
        }
    }
}

impl Hook for IbpLoss {
    /// # Errors
    /// If a radius is negative, κ leaves [0, 1], limits do not ascend, or the step lacks what this needs.
    fn apply(&self, step: &mut Step) -> Result<(), TrainError> {
        check(self.epsilon, &[self.kappa], self.limits)?;
        let (epsilon, kappa) = (step.scalar("epsilon", self.epsilon), step.scalar("kappa", self.kappa));
        let (x, logits, targets) = (step.named("input")?, step.named("logits")?, step.named("targets")?);
        let ball = ball(&x, &epsilon, self.limits);
        let worst = interval_margins(&logits, &targets, &x, &ball)?;
        step.report("verified", &verified(&worst, &targets));
        let (plain, robust) = (step.objective()?, worst.cross_entropy(&targets));
        step.minimize(robust.try_add(&plain.try_sub(&robust)?.try_mul(&kappa)?)?);
        Ok(())
    }
}

/// The part of the ℓ∞ ball around `x` that lies within the limits.
pub(super) fn ball(x: &Expr, epsilon: &Expr, (low, high): (f64, f64)) -> Interval {
    let radius = epsilon.broadcast_to(x.shape());
    Interval { lo: x.sub(&radius).maximum(&x.like(low)), hi: x.add(&radius).minimum(&x.like(high)) }
}

/// Whether radii, shares of losses and limits make sense.
pub(super) fn check(epsilon: Ramp, shares: &[Ramp], (low, high): (f64, f64)) -> Result<(), TrainError> {
    let radii = [epsilon.from, epsilon.to].iter().all(|e| *e >= 0.0 && e.is_finite());
    let within = shares.iter().flat_map(|r| [r.from, r.to]).all(|share| (0.0..=1.0).contains(&share));
    if radii && within && low <= high {
        return Ok(());
    }
    let message = format!(
        "{epsilon:?}, {shares:?}, limits {low} to {high}: radii must be at least 0, shares lie in [0, 1], and limits ascend"
    );
    Err(TrainError::Setting(message))
}

/// 1 for each example whose margins over all other classes are negative in the worst case.
pub(super) fn verified(worst: &Expr, targets: &Expr) -> Expr {
    let others = Expr::select(&targets.greater(&targets.like(0.5)), &worst.like(f64::NEG_INFINITY), worst);
    let largest = others.reduce_max(&[1], false);
    largest.neg().step()
}
