//! Random blur.

use super::Augmentation;
use super::crop::between;
use crate::imaging::Image;
use crate::imaging::filter::{Border, gaussian_kernel, separable};
use rand_chacha::ChaCha8Rng;

/// A Gaussian blur whose deviation is drawn uniformly (torchvision's `GaussianBlur`: the kernel is cut off at its size,
/// the image mirrored about its edges).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussianBlur {
    /// Pixels on each side of the middle that the kernel reaches.
    pub radius: usize,
    /// Least and greatest standard deviation in pixels.
    pub sigma: (f64, f64),
}

impl GaussianBlur {
    /// SimCLR's for images of this size: a kernel of a tenth of the side, deviation 0.1 to 2.
    pub fn simclr(size: usize) -> GaussianBlur {
        GaussianBlur { radius: size.div_ceil(20), sigma: (0.1, 2.0) }
    }
}

impl Augmentation for GaussianBlur {
    fn apply(&self, image: Image, rng: &mut ChaCha8Rng) -> Image {
        let kernel = gaussian_kernel(between(self.sigma, rng), self.radius);
        image.map_planes(image.height(), image.width(), |p| separable(p, image.width(), &kernel, Border::Mirror))
    }
}
