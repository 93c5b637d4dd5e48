//! Ancestral sampling.

use super::{Sampler, Weights};
use crate::{Level, Result};

/// The variance of a step of [`Ddpm`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Variance {
    /// That of the exact posterior if all data are one point, `β·(1 − ᾱ_s)/(1 − ᾱ_t)`.
    #[default]
    Small,
    /// That of the exact posterior if data are standard normal, β; the last step adds none.
    Large,
}

/// Ancestral sampling (Ho et al. 2020, eqs. 6 and 7), also between times that are not neighbours, with
/// `β = 1 − ᾱ_t/ᾱ_s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ddpm {
    /// How much noise a step adds.
    pub variance: Variance,
}

impl Sampler for Ddpm {
    fn weights(&self, levels: &[Level]) -> Result<Vec<Weights>> {
        let step = |pair: &[Level]| {
            let (t, s) = (pair[0], pair[1]);
            let kept = (t.alpha / s.alpha).powi(2);
            let (beta, left) = (1.0 - kept, (s.sigma / t.sigma).powi(2));
            let variance = match self.variance {
                Variance::Small => beta * left,
                Variance::Large if s.sigma > 0.0 => beta,
                Variance::Large => 0.0,
            };
            let denoised = s.alpha * beta / t.sigma.powi(2);
            Weights { current: kept.sqrt() * left, denoised, previous: 0.0, noise: variance.sqrt() }
        };
        Ok(levels.windows(2).map(step).collect())
    }
}
