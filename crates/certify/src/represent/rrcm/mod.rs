//! Robust representation consistency ("rRCM", Lei et al. 2025): an encoder that is told the level of noise learns, by
//! contrast, to represent an image and its noisier copy alike; a classifier on it is fine-tuned on noisy images and
//! certified by smoothing, with one forward pass for each draw and no denoiser.
//!
//! - [`NoiseLevels`]: the levels and how an encoder is told of them.
//! - [`Pretrain`]: the contrastive step.
//! - [`FineTune`]: the classifier's loss at the level at which it will be smoothed.
//!
//! All noise is in units of the input. What is certified is `classifier`'s graph, by
//! [`Smoothed`](crate::Smoothed) with the same σ:
//!
//! ```
//! use perturb_certify::represent::rrcm::{FineTune, Pretrain, classifier};
//! use perturb_certify::{NoisyClassifier, Smoothed};
//! use perturb_graph::{DType, Expr, Tensor};
//! use perturb_nn::{Initializer, Key, Layers, Step};
//!
//! let layers = Layers::new(Initializer::he(0));
//! let encode = |layers: &Layers, x: &Expr, level: &Expr| {
//!     layers.at("encoder").mlp(&Expr::concat(&[x.clone(), level.clone()], 1), &[16, 8], Expr::relu)
//! };
//! // An augmentation of feature vectors: a small shift of all.
//! let augment = |x: &Expr, key: &Key| x.add(&key.uniform([32, 1], DType::F32).scale(0.1).broadcast_to(x.shape()));
//! let pretraining = Pretrain::default().step(&layers, &encode, &[32, 4], &augment)?;
//! // … train it, and bind what it leaves to the classifier.
//! let sigma = 0.5;
//! let graph = classifier(&layers, &encode, &[1, 4], 3, sigma)?;
//! let mut step = Step::classifier(&graph, 32)?;
//! step.apply(&FineTune { sigma, consistency: 5.0 })?;
//! // … train that too, and certify.
//! let smoothed = Smoothed { sigma, n: 100, ..Smoothed::default() };
//! let certificate = smoothed.certify(&NoisyClassifier::new(&graph, 64)?, &Tensor::full([1, 4], 0.5f32), 0)?;
//! # let _ = (certificate, pretraining);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod fine_tune;
mod levels;
mod pretrain;

pub use fine_tune::{FineTune, classifier};
pub use levels::NoiseLevels;
pub use pretrain::{Pretrain, info_nce};

use perturb_graph::Expr;
use perturb_nn::Layers;

/// An encoder: from layers, inputs `[N, …]` scaled to a variance of about 1, and what tells their level of noise `[N, 1]`,
/// to representations `[N, width]`.
pub type Encode<'a> = &'a dyn Fn(&Layers, &Expr, &Expr) -> Expr;

/// Representations of `x [N, …]` that hold noise of standard deviations `sigma [N, 1]`: inputs are divided by
/// `√(σ² + ¼)`, where ½ stands for the deviation of the data, and the encoder is told `ln(σ)/4` (Karras et al. 2022,
/// table 1).
pub(super) fn represent(layers: &Layers, encode: Encode<'_>, x: &Expr, sigma: &Expr) -> Expr {
    let scale = sigma.square().offset(0.25).sqrt();
    encode(layers, &x.div(&spread(&scale, x)), &sigma.log().scale(0.25))
}

/// One number for each example, `[N, 1]`, for all its elements.
pub(super) fn spread(of_example: &Expr, x: &Expr) -> Expr {
    let axes: Vec<usize> = std::iter::once(x.shape()[0]).chain(x.shape()[1..].iter().map(|_| 1)).collect();
    of_example.reshape(axes).broadcast_to(x.shape())
}
