//! Random changes of colour.

use super::crop::between;
use super::{Augmentation, tone};
use crate::imaging::Image;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Brightness, contrast, saturation and hue changed at random, in random order (torchvision's `ColorJitter`).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ColorJitter {
    /// The factor of brightness is uniform in [max(0, 1 − b), 1 + b].
    pub brightness: f64,
    /// The factor of contrast, likewise.
    pub contrast: f64,
    /// The factor of saturation, likewise.
    pub saturation: f64,
    /// Hues are turned by up to this part of a full circle both ways, at most 0.5.
    pub hue: f64,
}

impl ColorJitter {
    /// SimCLR's (Chen et al. 2020): 0.8, 0.8, 0.8 and 0.2 times `strength`.
    pub fn simclr(strength: f64) -> ColorJitter {
        let s = strength;
        ColorJitter { brightness: 0.8 * s, contrast: 0.8 * s, saturation: 0.8 * s, hue: 0.2 * s }
    }
}

impl Augmentation for ColorJitter {
    fn apply(&self, image: Image, rng: &mut ChaCha8Rng) -> Image {
        let mut order = [0, 1, 2, 3];
        order.shuffle(rng);
        let mut factor = |range: f64| between(((1.0 - range).max(0.0), 1.0 + range), rng) as f32;
        let (brightness, contrast, saturation) =
            (factor(self.brightness), factor(self.contrast), factor(self.saturation));
        let hue = between((-self.hue, self.hue), rng) as f32;
        order.iter().fold(image, |image, change| match change {
            0 if self.brightness > 0.0 => tone::brightness(image, brightness),
            1 if self.contrast > 0.0 => tone::contrast(image, contrast),
            2 if self.saturation > 0.0 => tone::saturation(image, saturation),
            3 if self.hue > 0.0 => tone::hue(image, hue),
            _ => image,
        })
    }
}

/// Colours removed with some probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomGrayscale {
    /// How probably.
    pub probability: f64,
}

impl Augmentation for RandomGrayscale {
    fn apply(&self, image: Image, rng: &mut ChaCha8Rng) -> Image {
        if rng.random::<f64>() < self.probability { tone::saturation(image, 0.0) } else { image }
    }
}
