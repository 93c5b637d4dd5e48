//! Patches of photographs.

use crate::{Run, RunError};
use perturb_data::{load_image, load_images};
use perturb_graph::Tensor;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Photographs `[C, H, W]` of one channel each, or of three.
pub(super) struct Photographs {
    channels: usize,
    images: Vec<Tensor>,
}

impl Photographs {
    /// The grey ones, 33 in all; those in colour are made grey.
    pub fn grey(run: &Run) -> Result<Photographs, RunError> {
        Photographs::load(run, 1, &["kodak", "bsd68", "set12"])
    }

    /// Those in colour, 10 in all.
    pub fn colour(run: &Run) -> Result<Photographs, RunError> {
        Photographs::load(run, 3, &["kodak"])
    }

    fn load(run: &Run, channels: usize, folders: &[&str]) -> Result<Photographs, RunError> {
        let folder = run.data("images")?;
        let mut images = Vec::new();
        for name in folders {
            images.extend(load_images(&folder.join(name), Some(channels))?.into_iter().map(|named| named.image));
        }
        for name in ["china.jpg", "flower.jpg"] {
            let image = load_image(&folder.join(name), Some(channels))?;
            images.push(image.reshape(&image.shape()[1..])?);
        }
        Ok(Photographs { channels, images })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// A place at random for a patch of photograph `index` of `side` pixels, at full size: its top and left.
    pub fn place(&self, index: usize, side: usize, rng: &mut ChaCha8Rng) -> [usize; 2] {
        [1, 2].map(|axis| rng.random_range(0..=self.images[index].shape()[axis] - side))
    }

    /// The patch `[C, side/shrink, side/shrink]` of `side` pixels there, made smaller by means over squares.
    pub fn patch(&self, index: usize, [top, left]: [usize; 2], side: usize, shrink: usize) -> Vec<f32> {
        let (image, small) = (&self.images[index], side / shrink);
        let (height, width, values) = (image.shape()[1], image.shape()[2], image.as_slice::<f32>());
        let mean = |channel: usize, row: usize, column: usize| {
            let start = (channel * height + top + row * shrink) * width + left + column * shrink;
            let square = (0..shrink).flat_map(|i| &values[start + i * width..start + i * width + shrink]);
            square.sum::<f32>() / (shrink * shrink) as f32
        };
        let places = (0..self.channels).flat_map(|c| (0..small).flat_map(move |i| (0..small).map(move |j| (c, i, j))));
        places.map(|(c, i, j)| mean(c, i, j)).collect()
    }

    /// Patches at random, of photographs in turn, that are not flat: `[count, C, side/shrink, side/shrink]`.
    pub fn patches(&self, count: usize, side: usize, shrink: usize, rng: &mut ChaCha8Rng) -> Result<Tensor, RunError> {
        let mut values = Vec::new();
        for k in 0..count {
            values.extend(self.patch_with_detail(k % self.len(), side, shrink, rng).1);
        }
        let small = side / shrink;
        Ok(Tensor::new([count, self.channels, small, small], values)?)
    }

    /// A place and its patch, the most contrasted of a few at random.
    pub fn patch_with_detail(
        &self,
        index: usize,
        side: usize,
        shrink: usize,
        rng: &mut ChaCha8Rng,
    ) -> ([usize; 2], Vec<f32>) {
        let mut draw = || {
            let place = self.place(index, side, rng);
            (place, self.patch(index, place, side, shrink))
        };
        let mut best = draw();
        for _ in 1..10 {
            let other = draw();
            // Of equals the last.
            best = if deviation(&other.1) >= deviation(&best.1) { other } else { best };
        }
        best
    }
}

/// Standard deviation of values.
fn deviation(values: &[f32]) -> f64 {
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
    (values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// Values moved and scaled to mean 1/2 and deviation 0.15, within [0, 1].
pub(super) fn standardized(values: &[f32]) -> Vec<f32> {
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
    let scale = 0.15 / deviation(values).max(1e-3);
    values.iter().map(|&v| (0.5 + scale * (f64::from(v) - mean)).clamp(0.0, 1.0) as f32).collect()
}
