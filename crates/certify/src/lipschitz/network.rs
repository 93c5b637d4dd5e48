//! Networks of Lipschitz layers.

use super::{Activation, OrthogonalLinear, SandwichLinear, SpectralLinear};
use crate::{CertifyError, Result};
use perturb_graph::Expr;
use perturb_nn::Layers;

/// How the layers of a network keep their bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameterization {
    /// [`SandwichLinear`]: every network that the semidefinite bound of Fazlyab et al. (2019) certifies is one of these.
    Sandwich,
    /// [`OrthogonalLinear`].
    Orthogonal,
    /// [`SpectralLinear`].
    Spectral,
}

/// A Lipschitz-bounded deep network: dense layers of these widths with an activation between them, and `γ` as bound of the
/// whole in ℓ2. Layers are named by their places 0, 1, …
#[derive(Clone, Debug, PartialEq)]
pub struct LbdnSequential {
    /// Widths of the layers, the output's last.
    pub widths: Vec<usize>,
    /// The Lipschitz bound: half of it, as a factor √γ, at the input and half at the output.
    pub gamma: f64,
    /// The activation.
    pub activation: Activation,
    /// How the layers keep their bound.
    pub parameterization: Parameterization,
}

impl LbdnSequential {
    /// The network on `x [N, in]`, with its parameters at this place.
    ///
    /// # Errors
    /// If γ is not a finite number above 0, there is no layer, `x` has no rows, or a slope of the activation is outside of
    /// [0, 1].
    pub fn build(&self, layers: &Layers, x: &Expr) -> Result<Expr> {
        if !(self.gamma.is_finite() && self.gamma > 0.0) {
            return Err(CertifyError::Parameter { name: "gamma", range: "a finite number above 0", value: self.gamma });
        }
        let Some(last) = self.widths.len().checked_sub(1) else {
            return CertifyError::unfit("a network", "it has no layers");
        };
        let mut h = x.scale(self.gamma.sqrt());
        for (k, &out) in self.widths.iter().enumerate() {
            let (layers, activation) = (layers.at(k.to_string()), (k < last).then_some(self.activation));
            h = match self.parameterization {
                Parameterization::Sandwich => SandwichLinear { out, activation }.build(&layers, &h)?,
                Parameterization::Orthogonal => OrthogonalLinear { out, activation }.build(&layers, &h)?,
                Parameterization::Spectral => SpectralLinear { out, activation }.build(&layers, &h)?,
            };
        }
        Ok(h.scale(self.gamma.sqrt()))
    }
}

/// The ℓ2 radius in which no input changes the class: a network of Lipschitz bound γ whose largest logit exceeds the second
/// by `margin`. The difference of two logits is √2·γ-Lipschitz (Tsuzuku et al. 2018).
pub fn certified_radius(margin: f64, gamma: f64) -> f64 {
    margin.max(0.0) / (std::f64::consts::SQRT_2 * gamma)
}
