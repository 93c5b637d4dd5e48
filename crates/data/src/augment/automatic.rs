//! Policies that draw operations themselves: RandAugment, TrivialAugment, AugMix.

use super::{Augmentation, Operation};
use crate::imaging::Image;
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Gamma};

/// Kinds of operations, whose strengths the policies scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Saturation,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
}

use Kind::*;

/// The fourteen operations of RandAugment and TrivialAugment.
const ALL: [Kind; 14] = [
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Saturation,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
];

/// Those of AugMix, which leaves out what the corruptions test.
const WITHOUT_CORRUPTIONS: [Kind; 9] =
    [ShearX, ShearY, TranslateX, TranslateY, Rotate, Posterize, Solarize, AutoContrast, Equalize];

/// The strongest form of each operation.
struct Limits {
    shear: f64,
    /// In pixels, along x and y.
    translate: (f64, f64),
    degrees: f64,
    /// Distance of factors from 1.
    enhance: f64,
    /// Bits kept at strength 0, and how many fewer at strength 1.
    posterize: (f64, f64),
}

impl Kind {
    /// The operation at `strength` in [0, 1], with a random sign where two directions exist.
    fn at(self, strength: f64, limits: &Limits, rng: &mut ChaCha8Rng) -> Operation {
        let sign = if rng.random() { 1.0 } else { -1.0 };
        let signed = sign * strength;
        match self {
            Identity => Operation::Identity,
            ShearX => Operation::ShearX(signed * limits.shear),
            ShearY => Operation::ShearY(signed * limits.shear),
            TranslateX => Operation::TranslateX((signed * limits.translate.0).trunc()),
            TranslateY => Operation::TranslateY((signed * limits.translate.1).trunc()),
            Rotate => Operation::Rotate(signed * limits.degrees),
            Brightness => Operation::Brightness(1.0 + signed * limits.enhance),
            Saturation => Operation::Saturation(1.0 + signed * limits.enhance),
            Contrast => Operation::Contrast(1.0 + signed * limits.enhance),
            Sharpness => Operation::Sharpness(1.0 + signed * limits.enhance),
            Posterize => {
                Operation::Posterize((limits.posterize.0 - (strength * limits.posterize.1).round_ties_even()) as u8)
            }
            Solarize => Operation::Solarize(1.0 - strength),
            AutoContrast => Operation::AutoContrast,
            Equalize => Operation::Equalize,
        }
    }
}

/// A few operations one after the other, all at one strength (Cubuk et al. 2020), with torchvision's ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandAugment {
    /// Number of operations.
    pub operations: usize,
    /// Strength, 0 to 30.
    pub magnitude: u8,
}

impl Default for RandAugment {
    /// Two operations of strength 9.
    fn default() -> Self {
        RandAugment { operations: 2, magnitude: 9 }
    }
}

impl Augmentation for RandAugment {
    fn apply(&self, mut image: Image, rng: &mut ChaCha8Rng) -> Image {
        let limits = Limits {
            shear: 0.3,
            translate: (150.0 / 331.0 * image.width() as f64, 150.0 / 331.0 * image.height() as f64),
            degrees: 30.0,
            enhance: 0.9,
            posterize: (8.0, 4.0),
        };
        let strength = f64::from(self.magnitude.min(30)) / 30.0;
        for _ in 0..self.operations {
            image = draw(&ALL, rng).at(strength, &limits, rng).to(image);
        }
        image
    }
}

/// One operation at a random strength of 31 (Müller & Hutter 2021, the wide ranges).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrivialAugment;

impl Augmentation for TrivialAugment {
    fn apply(&self, image: Image, rng: &mut ChaCha8Rng) -> Image {
        let limits =
            Limits { shear: 0.99, translate: (32.0, 32.0), degrees: 135.0, enhance: 0.99, posterize: (8.0, 6.0) };
        let strength = f64::from(rng.random_range(0..31u8)) / 30.0;
        draw(&ALL, rng).at(strength, &limits, rng).to(image)
    }
}

/// A random mixture of the image and of chains of operations on it (Hendrycks et al. 2020). The consistency loss that
/// goes with it compares two draws, that is, two seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AugMix {
    /// Number of chains.
    pub width: usize,
    /// Length of every chain, or of each a random one of 1 to 3.
    pub depth: Option<usize>,
    /// Strengths are drawn from the first this many of ten, 1 to 10.
    pub severity: u8,
    /// Parameter of the Dirichlet and Beta distributions of the weights.
    pub alpha: f64,
}

impl Default for AugMix {
    /// Three chains of random length, severity 3, α = 1.
    fn default() -> Self {
        AugMix { width: 3, depth: None, severity: 3, alpha: 1.0 }
    }
}

impl Augmentation for AugMix {
    fn apply(&self, image: Image, rng: &mut ChaCha8Rng) -> Image {
        let limits = Limits {
            shear: 0.3,
            translate: (image.width() as f64 / 3.0, image.height() as f64 / 3.0),
            degrees: 30.0,
            enhance: 0.9,
            posterize: (4.0, 4.0),
        };
        let weights = dirichlet(self.alpha, self.width, rng);
        let kept = dirichlet(self.alpha, 2, rng)[0];
        let mut mixed = image.clone().map(|v| v * kept);
        for weight in weights {
            let depth = self.depth.unwrap_or_else(|| rng.random_range(1..=3));
            let mut chain = image.clone();
            for _ in 0..depth {
                let strength = f64::from(rng.random_range(0..self.severity.clamp(1, 10))) / 9.0;
                chain = draw(&WITHOUT_CORRUPTIONS, rng).at(strength, &limits, rng).to(chain);
            }
            let weight = (1.0 - kept) * weight;
            mixed.values_mut().iter_mut().zip(chain.values()).for_each(|(m, v)| *m += weight * v);
        }
        mixed
    }
}

fn draw(kinds: &[Kind], rng: &mut ChaCha8Rng) -> Kind {
    kinds.choose(rng).copied().unwrap_or(Identity)
}

/// Weights with sum 1 from the symmetric Dirichlet distribution, as Gamma variables divided by their sum.
fn dirichlet(alpha: f64, count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    // An α that is no positive number has no distribution; equal weights are the limit of large ones.
    let Ok(gamma) = Gamma::new(alpha, 1.0) else { return vec![1.0 / count as f32; count] };
    let draws: Vec<f64> = (0..count).map(|_| gamma.sample(rng)).collect();
    let sum: f64 = draws.iter().sum();
    // Tiny α can underflow to all zeros; then one of them has all the weight.
    draws
        .iter()
        .enumerate()
        .map(|(i, d)| if sum > 0.0 { (d / sum) as f32 } else { f32::from(u8::from(i == 0)) })
        .collect()
}
