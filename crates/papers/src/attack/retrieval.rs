//! Two models of images and captions between which universal perturbations are carried, and how well they find captions.

use super::dual_encoder::{DualEncoder, Eye, Pairs};
use super::subjects::gather;
use crate::{Run, RunError};
use perturb_attack::{Ball, Universal};
use perturb_graph::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(super) struct Retrieval {
    /// Of different architecture, trained on the same pairs.
    pub encoders: [DualEncoder; 2],
    /// What perturbations are fitted to: 512 of the training images, and each encoder's embeddings of their captions.
    pub images: Tensor,
    pub texts: [Tensor; 2],
    /// New pairs.
    pub test: Pairs,
    /// R@1 of each encoder on new pairs.
    pub clean: [f64; 2],
}

impl Retrieval {
    pub fn train(run: &Run) -> Result<Retrieval, RunError> {
        let (count, epochs) = run.scaled((3000, 15), (6000, 25));
        let pairs = Pairs::draw(2 * run.seed, count)?;
        let encoder = |eye, seed| DualEncoder::fit(eye, &pairs, epochs, seed);
        let encoders = [encoder(Eye::Small, 2 * run.seed)?, encoder(Eye::Wide, 2 * run.seed + 1)?];
        let rows: Vec<usize> = (0..512).collect();
        let images = gather(&pairs.images, &rows)?;
        let texts = [encoders[0].read(&pairs.captions[..512])?, encoders[1].read(&pairs.captions[..512])?];
        let test = Pairs::draw(2 * run.seed + 1, 500)?;
        let mut retrieval = Retrieval { encoders, images, texts, test, clean: [0.0; 2] };
        retrieval.clean = [retrieval.recall(0, &retrieval.test.images)?, retrieval.recall(1, &retrieval.test.images)?];
        Ok(retrieval)
    }

    /// R@1 of an encoder on the test captions, by these images.
    fn recall(&self, encoder: usize, images: &Tensor) -> Result<f64, RunError> {
        let found = self.encoders[encoder].retrieved(images, &self.test.captions)?;
        Ok(found.iter().filter(|f| **f).count() as f64 / found.len() as f64)
    }

    /// By how much a perturbation lowers R@1 of each encoder.
    pub fn drops(&self, universal: &Universal) -> Result<[f64; 2], RunError> {
        let images = universal.apply(&self.test.images)?;
        Ok([self.clean[0] - self.recall(0, &images)?, self.clean[1] - self.recall(1, &images)?])
    }
}

/// A perturbation of random signs.
pub(super) fn sign_noise(shape: &[usize], ball: &Ball, seed: u64) -> Result<Universal, RunError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let size = ball.epsilon() as f32;
    let values = (0..shape.iter().product()).map(|_| if rng.random::<bool>() { size } else { -size }).collect();
    Ok(Universal::new(Tensor::new(shape, values)?, *ball)?)
}
