//! Certified training by intervals.

use super::{Hook, Step};
use crate::{Ramp, TrainError};
use perturb_graph::{Expr, Interval, Rounding, try_interval};

/// Interval bound propagation as a loss (Gowal et al. 2018, eq. 11–13): the cross-entropy of the worst logits that
/// intervals allow in the ℓ∞ ball around each input. Inputs of the ball are limited to [0, 1].
///
/// For a step with the names `input`, `logits` and `targets`, such as [`Step::classifier`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IntervalLoss {
    /// Radius at the end of the ramp, in units of the input.
    pub epsilon: f64,
    /// Share of this loss at the end of the ramp; the rest is the objective so far.
    pub weight: f64,
    /// Share of the steps over which radius and weight grow from 0.
    pub ramp: f64,
}

impl Hook for IntervalLoss {
    fn apply(&self, step: &mut Step) -> Result<(), TrainError> {
        let growing = |to: f64| Ramp { from: 0.0, to, start: 0.0, end: self.ramp };
        let epsilon = step.scalar("epsilon", growing(self.epsilon));
        let weight = step.scalar("share of the interval loss", growing(self.weight));
        let (input, logits, targets) = (step.named("input")?, step.named("logits")?, step.named("targets")?);
        let plain = step.objective()?;
        let worst = worst_logits(&input, &logits, &targets, &epsilon)?.cross_entropy(&targets);
        step.minimize(plain.try_add(&worst.try_sub(&plain)?.mul(&weight))?);
        Ok(())
    }
}

// Lower bounds of the targets' logits and upper bounds of the others within the ball.
fn worst_logits(x: &Expr, logits: &Expr, targets: &Expr, epsilon: &Expr) -> Result<Expr, TrainError> {
    let radius = epsilon.broadcast_to(x.shape());
    let (zero, one) = (x.like(0.0), x.like(1.0));
    let ball = Interval { lo: x.sub(&radius).maximum(&zero), hi: x.add(&radius).minimum(&one) };
    let bounds = try_interval(std::slice::from_ref(logits), &[(x.clone(), ball)], Rounding::Nearest)?.remove(0);
    Ok(Expr::try_select(targets, &bounds.lo, &bounds.hi)?)
}
