//! The energies by which rank losses compare pairs.

use crate::geometry::{Euclidean, Manifold, PoincareBall};

/// Where the slope of the hyperbolic distance, infinite at coinciding points, is cut off: `t` of [`PoincareBall::dist`].
const COINCIDENT: f64 = 1e-24;

/// A space with an energy of pairs `E(s, ‖u‖², ‖v‖²)`, `s = ‖u − v‖²`, that is low for what belongs together.
///
/// The Euclidean gradients are `∂E/∂u = slope·((u − v) + s·pull(‖u‖²)·u)` and, with u and v exchanged, `∂E/∂v`.
/// Slices hold one number for each of several candidates v, so that loops over them use the processor's vectors.
pub trait Energy: Manifold {
    /// Writes `weights ∝ exp(−E)`, with a common factor that keeps at least one of them away from 0, and
    /// `slopes = 2·∂E/∂s`.
    fn energies(&self, norm: f64, squared: &[f64], norms: &[f64], weights: &mut [f64], slopes: &mut [f64]);

    /// The ratio of `∂E/∂‖x‖²` to `s·∂E/∂s` at a point of this squared norm.
    fn pull(&self, norm: f64) -> f64;

    /// The inverse metric, a scalar, at a point of this squared norm: [`Manifold::egrad2rgrad`].
    fn inverse_metric(&self, norm: f64) -> f64;

    /// The factor that brings a vector of this squared norm onto the manifold: [`Manifold::proj`].
    fn shrink(&self, norm: f64) -> f64;
}

/// The geodesic distance (Nickel & Kiela 2017, eqs. 1 and 4).
impl Energy for PoincareBall {
    /// `exp(−2 arsinh √t) = (√t + √(1 + t))⁻²` needs neither a logarithm nor an exponential.
    #[inline]
    fn energies(&self, norm: f64, squared: &[f64], norms: &[f64], weights: &mut [f64], slopes: &mut [f64]) {
        let outputs = weights.iter_mut().zip(slopes);
        for ((s, n), (weight, slope)) in squared.iter().zip(norms).zip(outputs) {
            let conformal = 1.0 / ((1.0 - norm) * (1.0 - n));
            let t = (s * conformal).max(COINCIDENT);
            let (root, next) = (t.sqrt(), (1.0 + t).sqrt());
            *weight = 1.0 / ((root + next) * (root + next));
            *slope = 2.0 * conformal / (root * next);
        }
    }

    #[inline]
    fn pull(&self, norm: f64) -> f64 {
        1.0 / (1.0 - norm)
    }

    #[inline]
    fn inverse_metric(&self, norm: f64) -> f64 {
        (1.0 - norm) * (1.0 - norm) / 4.0
    }

    #[inline]
    fn shrink(&self, norm: f64) -> f64 {
        ((1.0 - PoincareBall::MARGIN) / norm.sqrt()).min(1.0)
    }
}

/// The squared distance, as in the experiments of Nickel & Kiela 2017, §4.
impl Energy for Euclidean {
    #[inline]
    fn energies(&self, _norm: f64, squared: &[f64], _norms: &[f64], weights: &mut [f64], slopes: &mut [f64]) {
        let least = squared.iter().copied().fold(f64::INFINITY, f64::min);
        weights.iter_mut().zip(squared).for_each(|(weight, s)| *weight = (least - s).exp());
        slopes.fill(2.0);
    }

    #[inline]
    fn pull(&self, _norm: f64) -> f64 {
        0.0
    }

    #[inline]
    fn inverse_metric(&self, _norm: f64) -> f64 {
        1.0
    }

    #[inline]
    fn shrink(&self, _norm: f64) -> f64 {
        1.0
    }
}
