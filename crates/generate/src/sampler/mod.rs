//! From noise to data.
//!
//! Every sampler here is linear in what it knows: the current x, the denoised x̂₀, the one before, and fresh noise. It
//! gives four [`Weights`] for each step, which do not depend on the data, so a chain is one loop of the graph, and on
//! Gaussian data its result is known exactly ([`gaussian_variance`]).

mod ddim;
mod ddpm;
mod dpm_solver;

pub use ddim::Ddim;
pub use ddpm::{Ddpm, Variance};
pub use dpm_solver::DpmPp2m;

use crate::{At, Denoiser, GenerateError, Level, Result};
use perturb_graph::{Expr, Shape, Tensor};
use perturb_nn::Key;

/// One step: `current·x + denoised·x̂₀ + previous·x̂₀′ + noise·z`, with x̂₀′ the x̂₀ of the step before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weights {
    /// Of x.
    pub current: f64,
    /// Of x̂₀.
    pub denoised: f64,
    /// Of the step before's x̂₀; 0 in the first step.
    pub previous: f64,
    /// Of fresh standard normal noise.
    pub noise: f64,
}

/// A way from noise to data.
pub trait Sampler {
    /// The weights of each step from one of `levels` to the next.
    ///
    /// # Errors
    /// If a setting makes no sense.
    fn weights(&self, levels: &[Level]) -> Result<Vec<Weights>>;
}

/// A chain, step by step.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Where it ends, `[batch, …]`.
    pub samples: Expr,
    /// Where it was before each step, `[steps, batch, …]`.
    pub states: Expr,
    /// What the denoiser made of it, x̂₀, `[steps, batch, …]`.
    pub denoised: Expr,
}

/// Runs `sampler` along `levels` from `start [batch, …]`, in `start`'s type. The noise of all steps, as many numbers as
/// the chain has states, is drawn from `key`.
///
/// # Errors
/// If there are fewer than two levels, noise does not fall, or the denoiser changes the shape.
pub fn sample(
    denoiser: &dyn Denoiser,
    sampler: &dyn Sampler,
    levels: &[Level],
    start: &Expr,
    key: &Key,
) -> Result<Chain> {
    check(levels)?;
    GenerateError::check(start.rank() >= 1, "start", start.shape(), "a batch")?;
    let (weights, dtype, steps) = (sampler.weights(levels)?, start.dtype(), levels.len() - 1);
    let row = |(l, w): (&Level, &Weights)| [l.time, l.alpha, l.sigma, w.current, w.denoised, w.previous, w.noise];
    let numbers: Vec<f64> = levels.iter().zip(&weights).flat_map(row).collect();
    let numbers = Expr::constant(Tensor::from_f64([steps, 7], dtype, numbers)?);
    let shape: Shape = std::iter::once(steps).chain(start.shape().iter().copied()).collect();
    let (finals, stacks) = Expr::scan(
        &[start.clone(), start.like(0.0)],
        &[numbers, key.normal(shape, dtype)],
        steps,
        false,
        |state, row| {
            let (x, before) = (&state[0], &state[1]);
            let number = |i: usize| row[0].slice_axis(0, i, i + 1).reshape([]);
            let each = |i: usize| number(i).broadcast_to([x.shape()[0]]);
            let at = At { time: each(0), alpha: each(1), sigma: each(2) };
            let denoised = denoiser.prediction().denoised(&denoiser.predict(x, &at), x, &at);
            let known = x.try_mul(&number(3))?.try_add(&denoised.try_mul(&number(4))?)?;
            let next = known.try_add(&before.try_mul(&number(5))?)?.try_add(&row[1].try_mul(&number(6))?)?;
            Ok((vec![next, denoised.clone()], vec![x.clone(), denoised]))
        },
    )?;
    Ok(Chain { samples: finals[0].clone(), states: stacks[0].clone(), denoised: stacks[1].clone() })
}

/// The variance at the end of a chain on data `N(0, variance)`, from standard normal noise, with the best denoiser of
/// inputs whose noise was perturbed by `gamma` in training (0 for none): `ε̂ = σ·x / (α²·variance + σ²·(1 + γ²))`.
///
/// # Errors
/// As [`sample`]; and for a variance that is not positive.
pub fn gaussian_variance(sampler: &dyn Sampler, levels: &[Level], variance: f64, gamma: f64) -> Result<f64> {
    check(levels)?;
    GenerateError::check(variance > 0.0, "variance", variance, "positive")?;
    // Second moments of x, of x with the last x̂₀, and of that.
    let (mut xx, mut xd, mut dd) = (1.0, 0.0, 0.0);
    for (level, w) in levels.iter().zip(sampler.weights(levels)?) {
        let Level { alpha, sigma, .. } = *level;
        let seen = alpha * alpha * variance + sigma * sigma * (1.0 + gamma * gamma);
        // x̂₀ = c·x.
        let c = (1.0 - sigma * sigma / seen) / alpha;
        let a = w.current + w.denoised * c;
        let next = a * a * xx + 2.0 * a * w.previous * xd + w.previous.powi(2) * dd + w.noise.powi(2);
        (xx, xd, dd) = (next, c * (a * xx + w.previous * xd), c * c * xx);
    }
    Ok(xx)
}

fn check(levels: &[Level]) -> Result<()> {
    GenerateError::check(levels.len() >= 2, "levels", levels.len(), "at least 2, for one step")?;
    let falls = |pair: &[Level]| pair[0].sigma > pair[1].sigma && pair[1].sigma >= 0.0 && pair[0].alpha > 0.0;
    let rising = levels.windows(2).position(|pair| !falls(pair));
    GenerateError::check(rising.is_none(), "levels", format!("{rising:?}"), "of falling noise, with a signal in each")
}
