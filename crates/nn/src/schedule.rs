//! Schedules: numbers that change from step to step, computed on the host and fed to the compiled step.

use std::f64::consts::PI;

/// A number for each step of a run: a learning rate's factor, the radius of an attack, the share of a loss.
///
/// Constants are `f64`, and any function of (step, number of steps) will do:
///
/// ```
/// use perturb_nn::Schedule;
/// assert_eq!(0.1.at(3, 10), 0.1);
/// assert_eq!((|step: u64, steps: u64| step as f64 / steps as f64).at(3, 10), 0.3);
/// ```
pub trait Schedule: Send + Sync {
    /// The value for step `step` (from 0) of `steps`.
    fn at(&self, step: u64, steps: u64) -> f64;
}

impl Schedule for f64 {
    fn at(&self, _step: u64, _steps: u64) -> f64 {
        *self
    }
}

impl<F: Fn(u64, u64) -> f64 + Send + Sync> Schedule for F {
    fn at(&self, step: u64, steps: u64) -> f64 {
        self(step, steps)
    }
}

/// From one value to another over a share of the run, constant before and after: certified training's radius, for
/// instance (Gowal et al. 2018, §3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    /// Value until the ramp starts.
    pub from: f64,
    /// Value once the ramp has ended.
    pub to: f64,
    /// Share of the steps before the ramp.
    pub start: f64,
    /// Share of the steps at which it has ended.
    pub end: f64,
}

impl Schedule for Ramp {
    fn at(&self, step: u64, steps: u64) -> f64 {
        let (first, last) = (self.start * steps as f64, self.end * steps as f64);
        // The first step of the ramp moves already, so that a ramp of no length is its end.
        let share = ((step as f64 + 1.0 - first) / (last - first).max(1.0)).clamp(0.0, 1.0);
        self.from + (self.to - self.from) * share
    }
}

/// Multiplied by `gamma` after every `every` steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepDecay {
    /// Steps between two changes.
    pub every: u64,
    /// Factor of each change.
    pub gamma: f64,
}

impl Schedule for StepDecay {
    fn at(&self, step: u64, _steps: u64) -> f64 {
        self.gamma.powi((step / self.every.max(1)).min(i32::MAX as u64) as i32)
    }
}

/// Linear from 0 over `warm_up` steps, then half a cosine from 1 down to `floor` (Loshchilov and Hutter 2017, without
/// restarts).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cosine {
    /// Steps of warming up; the first of `n` has the factor `1/n`.
    pub warm_up: u64,
    /// Factor at the end.
    pub floor: f64,
}

impl Schedule for Cosine {
    fn at(&self, step: u64, steps: u64) -> f64 {
        warmed(self.warm_up, step, || {
            let share = elapsed(self.warm_up, step, steps);
            self.floor + (1.0 - self.floor) * 0.5 * (1.0 + (PI * share).cos())
        })
    }
}

/// Linear from 0 over `warm_up` steps, then `(1 − share)^power` of the way from `floor` to 1: linear decay for power 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Polynomial {
    /// Steps of warming up; the first of `n` has the factor `1/n`.
    pub warm_up: u64,
    /// Exponent.
    pub power: f64,
    /// Factor at the end.
    pub floor: f64,
}

impl Polynomial {
    /// Warming up, then a straight line down to 0.
    pub fn linear(warm_up: u64) -> Polynomial {
        Polynomial { warm_up, power: 1.0, floor: 0.0 }
    }
}

impl Schedule for Polynomial {
    fn at(&self, step: u64, steps: u64) -> f64 {
        warmed(self.warm_up, step, || {
            let left = 1.0 - elapsed(self.warm_up, step, steps);
            self.floor + (1.0 - self.floor) * left.powf(self.power)
        })
    }
}

/// One cycle (Smith and Topin 2019): by cosines from `1/start` up to 1 over the first `rise` of the run, and down to
/// `1/(start·end)`, with the meaning and defaults of PyTorch's `OneCycleLR`, whose maximum is the factor 1 here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneCycle {
    /// Share of the steps that the factor grows.
    pub rise: f64,
    /// The maximum divided by the first value.
    pub start: f64,
    /// The first value divided by the last.
    pub end: f64,
}

impl Default for OneCycle {
    fn default() -> OneCycle {
        OneCycle { rise: 0.3, start: 25.0, end: 1e4 }
    }
}

impl Schedule for OneCycle {
    fn at(&self, step: u64, steps: u64) -> f64 {
        let (peak, last) = (self.rise * steps as f64 - 1.0, steps.saturating_sub(1) as f64);
        let between = |from: f64, to: f64, share: f64| to + (from - to) * 0.5 * (1.0 + (PI * share).cos());
        let t = step as f64;
        if t <= peak {
            between(1.0 / self.start, 1.0, t / peak.max(f64::MIN_POSITIVE))
        } else {
            between(1.0, 1.0 / (self.start * self.end), ((t - peak) / (last - peak).max(f64::MIN_POSITIVE)).min(1.0))
        }
    }
}

fn warmed(warm_up: u64, step: u64, after: impl FnOnce() -> f64) -> f64 {
    if step < warm_up { (step + 1) as f64 / warm_up as f64 } else { after() }
}

// Share of the steps after warming up that is over.
fn elapsed(warm_up: u64, step: u64, steps: u64) -> f64 {
    ((step - warm_up) as f64 / steps.saturating_sub(warm_up).max(1) as f64).min(1.0)
}
