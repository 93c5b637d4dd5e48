//! Measures of generative models.

use crate::{At, Chain, Denoiser, Level, Prediction, Result};
use perturb_graph::{Expr, Tensor};

/// The root mean square, at each level of a chain, of the difference between the noise that `model` predicts and that
/// `truth` predicts, `[steps]`: at the places `states [steps, batch, …]`, one row for each level that a step starts from.
///
/// At states that a chain has come to ([`Chain::states`]) it is the error of free running; at data mixed with fresh noise
/// ([`mixed`]), that which training sees. Their difference is the exposure bias (Ning et al. 2023).
///
/// # Errors
/// If there is not one row of states for each level but the last.
pub fn prediction_error(model: &dyn Denoiser, truth: &dyn Denoiser, levels: &[Level], states: &Expr) -> Result<Expr> {
    let (steps, batch) = (states.shape()[0], states.shape()[1]);
    let rest = &states.shape()[2..];
    let x = states.try_reshape([&[steps * batch], rest].concat())?;
    let at = along_chain(levels, states)?;
    let epsilon = |d: &dyn Denoiser| Prediction::epsilon(d.prediction(), &d.predict(&x, &at), &x, &at);
    let squares = epsilon(model).try_sub(&epsilon(truth))?.square();
    let count: usize = rest.iter().product();
    Ok(squares.try_reshape([steps, batch * count])?.reduce_mean(&[1], false).sqrt())
}

/// Data `[batch, …]` mixed with `noise [steps, batch, …]` at each level that a step starts from: `[steps, batch, …]`.
///
/// # Errors
/// If there is not one row of noise for each level but the last, or shapes differ.
pub fn mixed(data: &Expr, noise: &Expr, levels: &[Level]) -> Result<Expr> {
    let at = along_chain(levels, noise)?;
    let flat = |x: &Expr| x.try_reshape([&[noise.shape()[0] * noise.shape()[1]], &noise.shape()[2..]].concat());
    let (x, z) = (flat(&data.try_broadcast_to(noise.shape())?)?, flat(noise)?);
    let mixed = x.mul(&At::along(&at.alpha, &x)).add(&z.mul(&At::along(&at.sigma, &z)));
    Ok(mixed.try_reshape(noise.shape())?)
}

/// The level of each row of all states of a chain, steps and batch in one axis.
fn along_chain(levels: &[Level], states: &Expr) -> Result<At> {
    let (steps, batch) = (levels.len().saturating_sub(1), states.shape()[1]);
    let column = |value: fn(&Level) -> f64| -> Result<Expr> {
        let values = levels[..steps].iter().map(value).collect();
        let column = Expr::constant(Tensor::from_f64([steps, 1], states.dtype(), values)?);
        Ok(column.try_broadcast_to([states.shape()[0], batch])?.reshape([steps * batch]))
    };
    Ok(At { time: column(|l| l.time)?, alpha: column(|l| l.alpha)?, sigma: column(|l| l.sigma)? })
}

impl Chain {
    /// [`prediction_error`] along this chain.
    ///
    /// # Errors
    /// If the chain did not run along these levels.
    pub fn prediction_error(&self, model: &dyn Denoiser, truth: &dyn Denoiser, levels: &[Level]) -> Result<Expr> {
        prediction_error(model, truth, levels, &self.states)
    }
}
