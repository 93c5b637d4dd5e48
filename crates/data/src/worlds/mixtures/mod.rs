//! The `mixtures` world: densities in the plane (and beyond) that are known exactly, also after noise.
//!
//! ![Samples and densities](https://raw.githubusercontent.com/perturb-rs/perturb/main/docs/worlds/mixtures.png)
//!
//! A [`Density`] has an exact log-density, an exact score, and both of them for x + σ·ε, ε ~ N(0, I), at any σ, so that
//! every diffusion sampler, flow and density estimator can be judged without an estimate of the truth. A variance
//! preserving process x_t = α·x + σ·ε is the same law rescaled: log p_t(x) = log p(x/α; σ/α) − d·ln α.
//!
//! | name | what | classes |
//! |---|---|---|
//! | [`gmm8`] | 8 Gaussians on a circle of radius 2, standard deviation 0.15 | mode |
//! | [`gmm25`] | 25 Gaussians on the grid {−4, −2, 0, 2, 4}², standard deviation 0.1 | mode |
//! | [`Checkerboard`] | uniform on the 8 dark squares of a 4×4 board on [−2, 2]² | square |
//! | [`moons`] | two half circles of radius 1, noise 0.1 | moon |
//! | [`swiss_roll`] | an Archimedean spiral of 1.5 turns, radius 0.6 to 2.2, noise 0.08 | one |
//! | [`rings`] | circles of radius 0.75, 1.5 and 2.25, noise 0.08 | ring |
//! | [`spiral`] | two arms of a spiral, 1.25 turns each, noise 0.08 | arm |
//!
//! Curves are mixtures of so many Gaussians along the curve that their spacing is below the noise: by definition the
//! density *is* that mixture, so nothing is approximated. General mixtures are [`GaussianMixture::new`].
//!
//! ```
//! use perturb_data::worlds::mixtures::{Density, gmm8};
//! let density = gmm8();
//! let points = density.dataset(7, 1000);
//! assert_eq!(&points.points.shape()[..], [1000, 2]);
//! let (at, sigma) = ([0.5, -0.3], 0.4);
//! // Tweedie: the mean of what x could have been before the noise.
//! let mut denoised = [0.0; 2];
//! density.score(&at, sigma, &mut denoised);
//! for (d, x) in denoised.iter_mut().zip(at) {
//!     *d = x + sigma * sigma * *d;
//! }
//! # assert!(denoised.iter().all(|d| d.is_finite()));
//! ```

mod checkerboard;
mod curves;
mod gaussian;

pub use checkerboard::Checkerboard;
pub use curves::{gmm8, gmm25, moons, rings, spiral, swiss_roll};
pub use gaussian::GaussianMixture;

use perturb_graph::Tensor;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// A density on ℝᵈ that is known exactly.
pub trait Density: Sync {
    /// d.
    fn dimension(&self) -> usize;

    /// Number of classes of samples.
    fn classes(&self) -> usize;

    /// log p(x; σ) in nats, the density of a sample plus σ·N(0, I); σ = 0 is the density itself. −∞ off its support.
    fn log_prob(&self, x: &[f64], sigma: f64) -> f64;

    /// ∇ₓ log p(x; σ) into `score`. Where the density is 0 or constant, the score is 0.
    fn score(&self, x: &[f64], sigma: f64, score: &mut [f64]);

    /// p(class | x; σ) into `posterior`: the exact probabilities of the classes given a noised sample.
    fn posterior(&self, x: &[f64], sigma: f64, posterior: &mut [f64]);

    /// Draws a sample into `x`; its class.
    fn draw(&self, rng: &mut ChaCha8Rng, x: &mut [f64]) -> usize;

    /// Sample `index` of `seed`, which depends on nothing else, and its class.
    fn sample(&self, seed: u64, index: u64) -> (Vec<f64>, usize) {
        let mut x = vec![0.0; self.dimension()];
        let class = self.draw(&mut super::stream::stream("mixtures", seed, index), &mut x);
        (x, class)
    }

    /// The first `n` samples of a seed, computed in parallel.
    fn dataset(&self, seed: u64, n: usize) -> Points {
        let d = self.dimension();
        let mut points = vec![0.0; n * d];
        let classes = points
            .par_chunks_mut(d)
            .enumerate()
            .map(|(index, x)| self.draw(&mut super::stream::stream("mixtures", seed, index as u64), x))
            .collect();
        Points { points: Tensor::new([n, d], points).expect("d values per point"), classes }
    }
}

/// Samples 0 to n − 1 of a seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Points {
    /// f64 `[N, d]`.
    pub points: Tensor,
    /// Class of each point.
    pub classes: Vec<usize>,
}

/// log Σ exp, without overflow; −∞ for no or only impossible terms.
pub(crate) fn log_sum_exp(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let max = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    if max == f64::NEG_INFINITY { max } else { max + terms.map(|t| (t - max).exp()).sum::<f64>().ln() }
}
