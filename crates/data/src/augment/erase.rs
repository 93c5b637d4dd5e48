//! Parts of the image removed.

use super::Augmentation;
use super::crop::between;
use crate::imaging::Image;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

/// A square of 0 whose middle is any pixel; at the edges only a part of it lies inside (DeVries & Taylor 2017).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cutout {
    /// The square's side in pixels; 16 for CIFAR-10 and 8 for CIFAR-100 in the paper.
    pub size: usize,
}

impl Augmentation for Cutout {
    fn apply(&self, mut image: Image, rng: &mut ChaCha8Rng) -> Image {
        let mut side = |length: usize| {
            let start = rng.random_range(0..length) as isize - (self.size / 2) as isize;
            start.max(0) as usize..(start + self.size as isize).clamp(0, length as isize) as usize
        };
        let (rows, columns) = (side(image.height()), side(image.width()));
        fill(&mut image, rows, columns, || 0.0);
        image
    }
}

/// A rectangle of random area and shape replaced (Zhong et al. 2020). If ten draws find none that fits, nothing is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomErasing {
    /// How probably.
    pub probability: f64,
    /// Least and greatest part of the image's area.
    pub scale: (f64, f64),
    /// Least and greatest height divided by width; its logarithm is uniform.
    pub ratio: (f64, f64),
    /// Whether the rectangle shows uniform noise instead of 0.
    pub noise: bool,
}

impl Default for RandomErasing {
    /// Every other image, area 0.02 to 0.33, ratio 0.3 to 3.3, filled with 0.
    fn default() -> Self {
        RandomErasing { probability: 0.5, scale: (0.02, 0.33), ratio: (0.3, 3.3), noise: false }
    }
}

impl Augmentation for RandomErasing {
    fn apply(&self, mut image: Image, rng: &mut ChaCha8Rng) -> Image {
        if rng.random::<f64>() >= self.probability {
            return image;
        }
        let (height, width) = (image.height(), image.width());
        for _ in 0..10 {
            let area = (height * width) as f64 * between(self.scale, rng);
            let ratio = between((self.ratio.0.ln(), self.ratio.1.ln()), rng).exp();
            let (h, w) = ((area * ratio).sqrt().round() as usize, (area / ratio).sqrt().round() as usize);
            if h < height && w < width {
                let top = rng.random_range(0..=height - h);
                let left = rng.random_range(0..=width - w);
                let noise = self.noise;
                fill(&mut image, top..top + h, left..left + w, || if noise { rng.random() } else { 0.0 });
                return image;
            }
        }
        image
    }
}

fn fill(image: &mut Image, rows: Range<usize>, columns: Range<usize>, mut value: impl FnMut() -> f32) {
    let width = image.width();
    for plane in image.planes_mut() {
        for row in rows.clone() {
            plane[row * width..][columns.clone()].iter_mut().for_each(|v| *v = value());
        }
    }
}
