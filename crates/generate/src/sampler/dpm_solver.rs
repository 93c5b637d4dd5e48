//! DPM-Solver++.

use super::{Sampler, Weights};
use crate::{Level, Result};

/// Chains with fewer steps than this end with a step of first order, as the authors' code does.
const SHORT: usize = 15;

/// The multistep DPM-Solver++ of second order (Lu et al. 2022, algorithm 2): with `h = λ_s − λ_t` and r the step before
/// over this one, `x_s = (σ_s/σ_t)·x − α_s(e^{−h} − 1)·((1 + 1/2r)·x̂₀ − (1/2r)·x̂₀′)`. The first step, one to clean data, and
/// the last of a chain of fewer than 15 are of first order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DpmPp2m;

impl Sampler for DpmPp2m {
    fn weights(&self, levels: &[Level]) -> Result<Vec<Weights>> {
        let steps = levels.len().saturating_sub(1);
        let step = |i: usize| {
            let (t, s) = (levels[i], levels[i + 1]);
            let h = s.log_ratio() - t.log_ratio();
            let whole = -s.alpha * (-h).exp_m1();
            let first = i == 0 || h.is_infinite() || (i + 1 == steps && steps < SHORT);
            let half = if first { 0.0 } else { 0.5 * h / (t.log_ratio() - levels[i - 1].log_ratio()) };
            Weights { current: s.sigma / t.sigma, denoised: whole * (1.0 + half), previous: -whole * half, noise: 0.0 }
        };
        Ok((0..steps).map(step).collect())
    }
}
