//! Noise.

use crate::imaging::Image;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson, StandardNormal};

/// Normal noise of this standard deviation on every value.
pub(super) fn gaussian(mut image: Image, deviation: f32, rng: &mut ChaCha8Rng) -> Image {
    for value in image.values_mut() {
        let noise: f32 = StandardNormal.sample(rng);
        *value += deviation * noise;
    }
    image
}

/// A Poisson number of photons in place of every value, of which 1 is `photons`.
pub(super) fn shot(mut image: Image, photons: f32, rng: &mut ChaCha8Rng) -> Image {
    for value in image.values_mut() {
        // Without light there is no distribution and no noise.
        *value = Poisson::new(*value * photons).map_or(0.0, |p| p.sample(rng) / photons);
    }
    image
}

/// Every value replaced with probability `amount`, by 0 or 1 alike.
pub(super) fn impulse(mut image: Image, amount: f32, rng: &mut ChaCha8Rng) -> Image {
    for value in image.values_mut() {
        if rng.random::<f32>() < amount {
            *value = if rng.random() { 1.0 } else { 0.0 };
        }
    }
    image
}
