//! Training of denoisers.

pub mod perturb;

use crate::{At, Denoiser, GenerateError, NoiseSchedule, Result};
use perturb_graph::{DType, Expr, Shape, Tensor};
use perturb_nn::{Step, losses};

/// The step that minimises the mean squared error of what `denoiser` predicts, at uniformly random times of `schedule`
/// (Ho et al. 2020, algorithm 1). The batch is fed as `data`, of `shape` (`[batch, …]`, f32).
///
/// Methods find, under these names, and may [replace](Step::replace): `time [batch]` (i64, from 1), `noise`, the standard
/// normal ε, and `noisy`, the network's input `α·data + σ·noise`; and may use `sigma`, which goes with each row of them.
///
/// # Errors
/// If the shape is not that of a batch, or the prediction does not have it.
pub fn denoising(schedule: &NoiseSchedule, denoiser: &dyn Denoiser, shape: impl Into<Shape>) -> Result<Step> {
    let shape = shape.into();
    GenerateError::check(shape.len() >= 2, "shape", &shape, "[batch, …]")?;
    let mut step = Step::new();
    let data = step.input("data", shape.clone(), DType::F32);
    let drawn = step.key().integers(schedule.steps(), [shape[0]]);
    let time = step.derive("time", &drawn.offset(1.0))?;
    let noise = step.key().normal(shape.clone(), DType::F32);
    let noise = step.derive("noise", &noise)?;
    let table = |value: fn(&crate::Level) -> f64| -> Result<Expr> {
        let values = (0..=schedule.steps()).map(|t| value(&schedule.level(t))).collect();
        Ok(Expr::constant(Tensor::from_f64([schedule.steps() + 1], DType::F32, values)?).gather(0, &time))
    };
    let at = At { time: time.cast(DType::F32), alpha: table(|l| l.alpha)?, sigma: table(|l| l.sigma)? };
    let sigma = At::along(&at.sigma, &data);
    step.name("sigma", &sigma);
    let noisy = step.derive("noisy", &data.mul(&At::along(&at.alpha, &data)).add(&noise.mul(&sigma)))?;
    let target = denoiser.prediction().target(&data, &noise, &at);
    let prediction = denoiser.predict(&noisy, &at);
    target.try_sub(&prediction)?;
    step.minimize(losses::mse(&prediction, &target));
    Ok(step)
}
