//! CROWN-IBP as a loss.

use super::ibp_loss::{ball, check, verified};
use super::linear_loss::Fused;
use super::{interval_margins, linear_margins};
use perturb_graph::{Domain, Expr, Graph, Norm, Result, vmap};
use perturb_nn::{Hook, Ramp, Step, TrainError};

/// What linear bounds are computed of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounded {
    /// The margin over each class: a walk for each.
    Margins,
    /// The cross-entropy itself: one walk for any number of classes (loss fusion, Xu et al. 2020). Cheaper for many
    /// classes, and looser: intervals do not merge the last layers with the margins.
    Loss,
}

/// Training by linear bounds over interval bounds ("CROWN-IBP", Zhang et al. 2020; Xu et al. 2020):
/// `κ·CE(z, y) + (1 − κ)·[(1 − β)·L_IBP + β·L_CROWN]`, where both losses bound the cross-entropy over the ℓ∞ ball around the
/// input: those of [`interval_margins`] and [`linear_margins`], or, fused, of intervals and
/// [`fused_cross_entropy`](super::fused_cross_entropy). Zhang et al. mix the margins instead of the losses, which is the same
/// at β = 0 and β = 1.
///
/// For a step made by [`Step::classifier`] of the very same `network`; otherwise as [`IbpLoss`](super::IbpLoss). The share of
/// examples that intervals certify is reported as `verified`.
#[derive(Clone, Debug)]
pub struct CrownIbpLoss {
    /// The classifier of one example, `[1, …] → [1, classes]`.
    pub network: Graph,
    /// Radius of the ball, in units of the input.
    pub epsilon: Ramp,
    /// Share κ of the loss at the input itself.
    pub kappa: Ramp,
    /// Share β of linear bounds in the bound.
    pub beta: Ramp,
    /// Limits of every element of the input.
    pub limits: (f64, f64),
    /// What linear bounds are computed of.
    pub bounded: Bounded,
}

impl CrownIbpLoss {
    /// The schedule of [`IbpLoss::ramped`](super::IbpLoss::ramped), and β falling from 1 to 0 while the radius grows.
    pub fn ramped(network: &Graph, epsilon: f64, start: f64, end: f64, bounded: Bounded) -> CrownIbpLoss {
        let ramp = |from, to| Ramp { from, to, start, end };
        CrownIbpLoss {
            network: network.clone(),
            epsilon: ramp(0.0, epsilon),
            kappa: ramp(1.0, 0.5),
            beta: ramp(1.0, 0.0),
            limits: (0.0, 1.0),
            bounded,
        }
    }
}

impl Hook for CrownIbpLoss {
    /// # Errors
    /// If a radius is negative, κ or β leaves [0, 1], limits do not ascend, the step lacks what this needs, or the network
    /// cannot be bounded.
    fn apply(&self, step: &mut Step) -> Result<(), TrainError> {
        check(self.epsilon, &[self.kappa, self.beta], self.limits)?;
        let epsilon = step.scalar("epsilon", self.epsilon);
        let (kappa, beta) = (step.scalar("kappa", self.kappa), step.scalar("beta", self.beta));
        let (x, logits, targets) = (step.named("input")?, step.named("logits")?, step.named("targets")?);
        let bounds = self.bounds(&x, &logits, &targets, &epsilon)?;
        step.report("verified", &verified(&bounds.margins, &targets));
        let Bounds { by_intervals, walked, .. } = bounds;
        let robust = by_intervals.try_add(&walked.try_sub(&by_intervals)?.try_mul(&beta)?)?;
        let plain = step.objective()?;
        step.minimize(robust.try_add(&plain.try_sub(&robust)?.try_mul(&kappa)?)?);
        Ok(())
    }
}

/// Bounds of the examples of a batch.
struct Bounds {
    /// Of the loss, `[N]`.
    by_intervals: Expr,
    /// Of the loss, `[N]`.
    walked: Expr,
    /// Of the margins by intervals, `[N, classes]`.
    margins: Expr,
}

impl CrownIbpLoss {
    fn bounds(&self, x: &Expr, logits: &Expr, targets: &Expr, epsilon: &Expr) -> Result<Bounds, TrainError> {
        let (input, own_logits) = of_one_example(&self.network)?;
        let center = Expr::try_input("center", input.shape(), input.dtype())?;
        let target = Expr::try_input("target", own_logits.shape(), own_logits.dtype())?;
        let (low, high) = self.limits;
        let within = Some((center.like(low), center.like(high)));
        let domain = Domain::Ball { center: center.clone(), radius: epsilon.clone(), norm: Norm::Linf, within };
        let domains = [(input, domain)];
        let batched = |of_one: &Expr| over_batch(of_one, (&center, x), (&target, targets));
        match self.bounded {
            Bounded::Margins => {
                let margins = interval_margins(logits, targets, x, &ball(x, epsilon, self.limits))?;
                let walked = batched(&linear_margins(&own_logits, &target, &domains)?)?.cross_entropy(targets);
                Ok(Bounds { by_intervals: margins.cross_entropy(targets), walked, margins })
            }
            Bounded::Loss => {
                let fused = Fused::new(&own_logits, &target, &domains)?;
                let margins = batched(&fused.margins)?.try_reshape(targets.shape())?;
                Ok(Bounds { by_intervals: batched(&fused.by_intervals)?, walked: batched(&fused.walked)?, margins })
            }
        }
    }
}

/// The input and the logits `[1, classes]` of a classifier of one example.
pub(super) fn of_one_example(network: &Graph) -> Result<(Expr, Expr), TrainError> {
    match (&network.inputs[..], network.outputs.first()) {
        ([input], Some((_, logits))) => Ok((input.clone(), logits.try_reshape([1, logits.shape().count()])?)),
        _ => Err(TrainError::Setting("bounds for training need a network with one input and logits".into())),
    }
}

/// A function of an input and a target `[1, classes]`, for a batch `x [N, …]` of inputs and `targets [N, classes]`.
pub(super) fn over_batch(of_one: &Expr, (input, x): (&Expr, &Expr), (target, targets): (&Expr, &Expr)) -> Result<Expr> {
    let n = targets.shape()[0];
    let inputs = x.try_reshape(input.shape().prepend(n))?;
    let pairs = [(input.clone(), inputs), (target.clone(), targets.try_reshape(target.shape().prepend(n))?)];
    Ok(vmap(std::slice::from_ref(of_one), &pairs, n)?.remove(0))
}
