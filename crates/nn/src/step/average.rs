//! Averages of weights over the steps.

use super::{Hook, Step, Updated};
use crate::TrainError;
use perturb_graph::Expr;

/// Exponential moving average of the weights (Polyak and Juditsky 1992): `ema.NAME ← decay·ema.NAME + (1 − decay)·NAME`
/// after each step, from the initial weights on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ema {
    /// Share of the average that is kept.
    pub decay: f64,
    /// Whether the first averages are over few steps: in step t, `min(decay, (1 + t)/(10 + t))` is kept, as in
    /// TensorFlow and timm.
    pub warm_up: bool,
}

impl Ema {
    /// Average of the weights with a constant decay.
    pub fn new(decay: f64) -> Ema {
        Ema { decay, warm_up: false }
    }

    /// Starts averages of some trained parameters, named `PREFIX` and the parameter's name, and returns the pairs of a
    /// parameter and its average. To build a target network from an online one, substitute those pairs in its outputs.
    ///
    /// # Errors
    /// If the decay is not in [0, 1].
    pub fn track(&self, step: &mut Step, parameters: &[Expr], prefix: &str) -> Result<Vec<(Expr, Expr)>, TrainError> {
        if !(0.0..=1.0).contains(&self.decay) {
            return Err(TrainError::Setting(format!("an average keeps a share in [0, 1], not {}", self.decay)));
        }
        let average = |p: &Expr| {
            let name = format!("{prefix}{}", p.name().unwrap_or_default());
            Some((p.clone(), step.variable(&name, p.value()?.clone())))
        };
        let pairs: Vec<(Expr, Expr)> = parameters.iter().filter_map(average).collect();
        let (ema, tracked) = (*self, pairs.clone());
        step.after_update(move |step, updated| {
            let t = step.number();
            let kept = ema.kept(&t);
            follow(step, &tracked, updated, |average, next| {
                let kept = kept.cast(average.dtype());
                average.mul(&kept).add(&next.mul(&kept.neg().offset(1.0)))
            });
            Ok(())
        });
        Ok(pairs)
    }

    fn kept(&self, t: &Expr) -> Expr {
        let constant = t.like(self.decay);
        if self.warm_up { constant.minimum(&t.offset(1.0).div(&t.offset(10.0))) } else { constant }
    }
}

impl Hook for Ema {
    fn apply(&self, step: &mut Step) -> Result<(), TrainError> {
        let parameters = step.parameters()?;
        self.track(step, &parameters, "ema.").map(|_| ())
    }
}

/// Stochastic weight averaging (Izmailov et al. 2018): `swa.NAME` is the mean of the weights after every `every`-th step
/// from step `start` on, and the initial weights before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swa {
    /// The first step (from 1) whose weights count.
    pub start: u64,
    /// Steps from one set of weights to the next.
    pub every: u64,
}

impl Hook for Swa {
    fn apply(&self, step: &mut Step) -> Result<(), TrainError> {
        if self.every == 0 {
            return Err(TrainError::Setting("weights are averaged every so many steps, at least 1".into()));
        }
        let Swa { start, every } = *self;
        // 1/n for the n-th set of weights, 0 between them.
        let weight = step.scalar("swa weight", move |k: u64, _: u64| match (k + 1).checked_sub(start) {
            Some(since) if since % every == 0 => 1.0 / (since / every + 1) as f64,
            _ => 0.0,
        });
        let parameters = step.parameters()?;
        let average = |p: Expr| {
            let name = format!("swa.{}", p.name().unwrap_or_default());
            let value = p.value()?.clone();
            Some((p, step.variable(&name, value)))
        };
        let pairs: Vec<(Expr, Expr)> = parameters.into_iter().filter_map(average).collect();
        step.after_update(move |step, updated| {
            follow(step, &pairs, updated, |average, next| {
                average.add(&next.sub(average).mul(&weight.cast(average.dtype())))
            });
            Ok(())
        });
        Ok(())
    }
}

// Sets each average by its parameter's next value.
fn follow(step: &mut Step, pairs: &[(Expr, Expr)], updated: &[Updated], rule: impl Fn(&Expr, &Expr) -> Expr) {
    for (parameter, average) in pairs {
        if let Some(found) = updated.iter().find(|u| u.parameter.id() == parameter.id()) {
            step.update(average, &rule(average, &found.next));
        }
    }
}
