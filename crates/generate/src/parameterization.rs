//! What a network predicts.

use perturb_graph::{Expr, Shape};

/// Levels of noise as expressions, one for each row of a batch: `[batch]` each.
#[derive(Clone, Debug)]
pub struct At {
    /// The times.
    pub time: Expr,
    /// Shares of the signal.
    pub alpha: Expr,
    /// Standard deviations of the noise.
    pub sigma: Expr,
}

impl At {
    /// Values `[batch]` with axes of size 1, so that they go with each row of `x [batch, …]`.
    ///
    /// # Panics
    /// If there is not one for each row.
    #[track_caller]
    pub fn along(values: &Expr, x: &Expr) -> Expr {
        let ones = std::iter::repeat_n(1, x.rank() - 1);
        values.reshape(std::iter::once(x.shape()[0]).chain(ones).collect::<Shape>())
    }
}

/// What is predicted from `x = α·x₀ + σ·ε`; every one gives the others where `α² + σ² = 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prediction {
    /// The noise ε.
    Epsilon,
    /// The data x₀.
    Sample,
    /// The velocity `v = α·ε − σ·x₀` (Salimans & Ho 2022).
    Velocity,
}

impl Prediction {
    /// The data x₀ that an `output` says, of `x`'s shape.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn denoised(self, output: &Expr, x: &Expr, at: &At) -> Expr {
        let (alpha, sigma) = (At::along(&at.alpha, x), At::along(&at.sigma, x));
        match self {
            Prediction::Epsilon => x.sub(&output.mul(&sigma)).div(&alpha),
            Prediction::Sample => output.clone(),
            Prediction::Velocity => x.mul(&alpha).sub(&output.mul(&sigma)),
        }
    }

    /// The noise ε that an `output` says.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn epsilon(self, output: &Expr, x: &Expr, at: &At) -> Expr {
        let (alpha, sigma) = (At::along(&at.alpha, x), At::along(&at.sigma, x));
        match self {
            Prediction::Epsilon => output.clone(),
            Prediction::Sample => x.sub(&output.mul(&alpha)).div(&sigma),
            Prediction::Velocity => x.mul(&sigma).add(&output.mul(&alpha)),
        }
    }

    /// What is to be predicted where `data` were mixed with `noise`.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn target(self, data: &Expr, noise: &Expr, at: &At) -> Expr {
        match self {
            Prediction::Epsilon => noise.clone(),
            Prediction::Sample => data.clone(),
            Prediction::Velocity => noise.mul(&At::along(&at.alpha, noise)).sub(&data.mul(&At::along(&at.sigma, data))),
        }
    }
}

/// Something that tells noise and data apart: a network, or an exact formula.
pub trait Denoiser {
    /// What it predicts.
    fn prediction(&self) -> Prediction;

    /// The prediction for `x [batch, …]`, of its shape and type.
    fn predict(&self, x: &Expr, at: &At) -> Expr;
}
