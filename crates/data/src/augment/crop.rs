//! Crops and changes of size.

use super::Augmentation;
use crate::imaging::Image;
use crate::imaging::resize::{Filter, Region, resize};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A crop at a random place of the image with a black border around it (He et al. 2016 for CIFAR: 32 of 4 + 32 + 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomCrop {
    /// Rows and columns of the crop. Where the padded image is smaller, the crop shows black.
    pub size: (usize, usize),
    /// Width of the border.
    pub padding: usize,
}

impl RandomCrop {
    /// A square crop.
    pub fn padded(size: usize, padding: usize) -> RandomCrop {
        RandomCrop { size: (size, size), padding }
    }
}

impl Augmentation for RandomCrop {
    fn apply(&self, image: Image, rng: &mut ChaCha8Rng) -> Image {
        let mut start = |length: usize, size: usize| {
            let room = (length + 2 * self.padding).saturating_sub(size);
            rng.random_range(0..=room) as isize - self.padding as isize
        };
        let (top, left) = (start(image.height(), self.size.0), start(image.width(), self.size.1));
        crop(&image, top, left, self.size)
    }
}

/// The crop in the middle; where the image is smaller, it shows black around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CenterCrop {
    /// Rows and columns of the crop.
    pub size: (usize, usize),
}

impl Augmentation for CenterCrop {
    fn apply(&self, image: Image, _: &mut ChaCha8Rng) -> Image {
        let start = |length: usize, size: usize| (length as isize - size as isize).div_euclid(2);
        crop(&image, start(image.height(), self.size.0), start(image.width(), self.size.1), self.size)
    }
}

/// A change of size by linear interpolation, with a wider filter where the image shrinks (PIL, torchvision's default).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resize {
    /// Rows and columns.
    pub size: (usize, usize),
}

impl Augmentation for Resize {
    fn apply(&self, image: Image, _: &mut ChaCha8Rng) -> Image {
        let whole = Region { top: 0.0, left: 0.0, height: image.height() as f64, width: image.width() as f64 };
        resized(&image, whole, self.size)
    }
}

/// A crop of random area and aspect ratio, brought to one size ("Inception crop", Szegedy et al. 2015), as torchvision
/// draws it: up to ten tries, then the largest crop in the middle whose ratio is allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomResizedCrop {
    /// Rows and columns of the result.
    pub size: (usize, usize),
    /// Least and greatest part of the image's area.
    pub scale: (f64, f64),
    /// Least and greatest width divided by height; its logarithm is uniform.
    pub ratio: (f64, f64),
}

impl RandomResizedCrop {
    /// A square result, scale (0.08, 1) and ratio (3/4, 4/3).
    pub fn square(size: usize) -> RandomResizedCrop {
        RandomResizedCrop { size: (size, size), scale: (0.08, 1.0), ratio: (3.0 / 4.0, 4.0 / 3.0) }
    }

    fn region(&self, height: usize, width: usize, rng: &mut ChaCha8Rng) -> Region {
        let (rows, columns) = (height as f64, width as f64);
        let (low, high) = (self.ratio.0.ln(), self.ratio.1.ln());
        for _ in 0..10 {
            let area = rows * columns * between(self.scale, rng);
            let ratio = between((low, high), rng).exp();
            let (w, h) = ((area * ratio).sqrt().round(), (area / ratio).sqrt().round());
            if w >= 1.0 && h >= 1.0 && w <= columns && h <= rows {
                let top = rng.random_range(0..=height - h as usize) as f64;
                let left = rng.random_range(0..=width - w as usize) as f64;
                return Region { top, left, height: h, width: w };
            }
        }
        let ratio = (columns / rows).clamp(self.ratio.0.min(self.ratio.1), self.ratio.1.max(self.ratio.0));
        let (w, h) = if columns / rows < ratio {
            (columns, (columns / ratio).round().clamp(1.0, rows))
        } else {
            ((rows * ratio).round().clamp(1.0, columns), rows)
        };
        Region { top: ((rows - h) / 2.0).floor(), left: ((columns - w) / 2.0).floor(), height: h, width: w }
    }
}

impl Augmentation for RandomResizedCrop {
    fn apply(&self, image: Image, rng: &mut ChaCha8Rng) -> Image {
        let region = self.region(image.height(), image.width(), rng);
        // Only the crop's own pixels count, also at its edges.
        let (top, left) = (region.top as isize, region.left as isize);
        let part = crop(&image, top, left, (region.height as usize, region.width as usize));
        resized(&part, Region { top: 0.0, left: 0.0, ..region }, self.size)
    }
}

/// A number drawn uniformly from a range, of which only the ends' order does not matter.
pub(super) fn between((a, b): (f64, f64), rng: &mut ChaCha8Rng) -> f64 {
    a + (b - a) * rng.random::<f64>()
}

/// The rows and columns from `(top, left)` on; outside of the image is black. A crop has at least one pixel.
pub(super) fn crop(image: &Image, top: isize, left: isize, (height, width): (usize, usize)) -> Image {
    let (height, width) = (height.max(1), width.max(1));
    let (rows, columns) = (image.height() as isize, image.width() as isize);
    // Columns of the result that show the image.
    let (first, end) = (left.max(0), (left + width as isize).min(columns));
    image.map_planes(height, width, |plane| {
        let mut out = vec![0.0; height * width];
        for (y, out) in out.chunks_exact_mut(width).enumerate() {
            let row = top + y as isize;
            if (0..rows).contains(&row) && first < end {
                let start = (row * columns + first) as usize;
                let count = (end - first) as usize;
                let at = (first - left) as usize;
                out[at..at + count].copy_from_slice(&plane[start..start + count]);
            }
        }
        out
    })
}

fn resized(image: &Image, region: Region, (height, width): (usize, usize)) -> Image {
    let (height, width) = (height.max(1), width.max(1));
    image.map_planes(height, width, |p| resize(p, image.width(), region, (height, width), Filter::Bilinear))
}
