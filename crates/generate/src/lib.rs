//! Generative models by diffusion: data are mixed with noise, and a network learns to undo it.
//!
//! `x_t = α_t·x₀ + σ_t·ε`. A [`NoiseSchedule`] says α and σ, a [`Denoiser`] is a function of expressions that predicts
//! from x_t what was mixed, [`train::denoising`] makes the training step of it, and a [`Sampler`] goes back from noise to
//! data in as many steps as one likes: the whole chain is one graph ([`sample`]), which compiles to one executable and
//! can be differentiated.
//!
//! ```
//! use perturb_generate::{Ddpm, Mixture, NoiseSchedule, Spacing, sample};
//! use perturb_graph::{DType, eval};
//! use perturb_nn::Key;
//!
//! // The exact denoiser of two points on a line, blurred by 0.1, in place of a network.
//! let points = Mixture::new(&[(0.25, vec![-1.0], vec![0.01]), (0.75, vec![1.0], vec![0.01])])?;
//! let levels = NoiseSchedule::linear().levels(50, Spacing::Trailing)?;
//! let key = Key::constant(7, 0);
//! let start = key.fold(0).normal([400, 1], DType::F64);
//! let chain = sample(&points, &Ddpm::default(), &levels, &start, &key.fold(1))?;
//! let samples = eval(&[chain.samples], &[])?[0].to_f64_vec();
//! let right = samples.iter().filter(|x| **x > 0.0).count();
//! assert!((260..340).contains(&right), "{right}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`schedule`], [`parameterization`]: how much noise there is, and what a network predicts.
//! - [`sampler`]: DDPM, DDIM, DPM-Solver++.
//! - [`train`]: the training step, and methods that perturb it.
//! - [`nets`]: networks. [`exact`]: the best possible denoiser of a mixture of Gaussians.
//! - [`metric`]: exposure bias.

mod error;
pub mod exact;
pub mod metric;
pub mod nets;
pub mod parameterization;
pub mod sampler;
pub mod schedule;
pub mod train;

pub use error::{GenerateError, Result};
pub use exact::Mixture;
pub use parameterization::{At, Denoiser, Prediction};
pub use sampler::{Chain, Ddim, Ddpm, DpmPp2m, Sampler, Variance, Weights, sample};
pub use schedule::{Level, NoiseSchedule, Spacing};
