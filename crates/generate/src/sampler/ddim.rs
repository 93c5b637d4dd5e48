//! Denoising diffusion implicit models.

use super::{Sampler, Weights};
use crate::{GenerateError, Level, Result};

/// DDIM (Song et al. 2021, eq. 12): `x_s = α_s·x̂₀ + √(σ_s² − ς²)·ε̂ + ς·z` with
/// `ς = η·(σ_s/σ_t)·√(1 − ᾱ_t/ᾱ_s)`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ddim {
    /// η: 0 follows the probability flow without noise, 1 is [`Ddpm`](super::Ddpm) with its small variance.
    pub eta: f64,
}

impl Sampler for Ddim {
    fn weights(&self, levels: &[Level]) -> Result<Vec<Weights>> {
        GenerateError::check((0.0..=1.0).contains(&self.eta), "eta", self.eta, "between 0 and 1")?;
        let step = |pair: &[Level]| {
            let (t, s) = (pair[0], pair[1]);
            let noise = self.eta * s.sigma / t.sigma * (1.0 - (t.alpha / s.alpha).powi(2)).sqrt();
            // ε̂ = (x − α·x̂₀)/σ.
            let current = (s.sigma * s.sigma - noise * noise).max(0.0).sqrt() / t.sigma;
            Weights { current, denoised: s.alpha - current * t.alpha, previous: 0.0, noise }
        };
        Ok(levels.windows(2).map(step).collect())
    }
}
