//! Augmentations one after the other, and now and then.

use super::Augmentation;
use crate::imaging::Image;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Augmentations one after the other.
#[derive(Default)]
pub struct Pipeline {
    steps: Vec<Box<dyn Augmentation>>,
}

impl Pipeline {
    /// A pipeline that changes nothing.
    pub fn new() -> Pipeline {
        Pipeline::default()
    }

    /// The pipeline followed by `step`.
    #[must_use]
    pub fn then(mut self, step: impl Augmentation + 'static) -> Pipeline {
        self.steps.push(Box::new(step));
        self
    }
}

impl Augmentation for Pipeline {
    fn apply(&self, image: Image, rng: &mut ChaCha8Rng) -> Image {
        self.steps.iter().fold(image, |image, step| step.apply(image, rng))
    }
}

/// An augmentation applied with some probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomApply<A> {
    /// What is applied.
    pub augmentation: A,
    /// How probably.
    pub probability: f64,
}

impl<A: Augmentation> Augmentation for RandomApply<A> {
    fn apply(&self, image: Image, rng: &mut ChaCha8Rng) -> Image {
        if rng.random::<f64>() < self.probability { self.augmentation.apply(image, rng) } else { image }
    }
}
