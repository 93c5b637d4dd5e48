//! Values brought to the scale that a model expects.

use super::Augmentation;
use crate::imaging::Image;
use rand_chacha::ChaCha8Rng;

/// `(v − mean)/deviation` per channel. Grey images take the first channel's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalize {
    /// Mean of each channel.
    pub mean: [f32; 3],
    /// Standard deviation of each channel.
    pub deviation: [f32; 3],
}

impl Normalize {
    /// The usual numbers of ImageNet.
    pub const IMAGENET: Normalize = Normalize { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };
    /// The usual numbers of CIFAR-10.
    pub const CIFAR10: Normalize = Normalize { mean: [0.4914, 0.4822, 0.4465], deviation: [0.2470, 0.2435, 0.2616] };
    /// The usual numbers of MNIST.
    pub const MNIST: Normalize = Normalize { mean: [0.1307; 3], deviation: [0.3081; 3] };
}

impl Augmentation for Normalize {
    fn apply(&self, mut image: Image, _: &mut ChaCha8Rng) -> Image {
        for ((plane, mean), deviation) in image.planes_mut().zip(self.mean).zip(self.deviation) {
            plane.iter_mut().for_each(|v| *v = (*v - mean) / deviation);
        }
        image
    }
}
