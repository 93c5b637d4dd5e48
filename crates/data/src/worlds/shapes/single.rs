//! The world of single figures: one coloured figure on a textured background, with label, mask and factors.

use super::color::rgb;
use super::outline::{Outline, ShapeKind};
use super::render::add_noise;
use super::texture::{Background, Texture};
use crate::worlds::stream::stream;
use crate::{Dataset, Format, PixelEncoding};
use perturb_graph::Tensor;
use rand::{Rng, RngExt};
use rayon::prelude::*;
use std::f32::consts::TAU;

/// The world of single figures. The class is the figure's kind; every other factor is drawn independently of it and
/// uniformly from the range stated at [`Factors`], so that nothing but the figure's form tells the class.
///
/// ```
/// use perturb_data::worlds::Shapes;
/// let set = Shapes::default().dataset(7, 100);
/// assert_eq!(&set.images.shape()[..], [100, 3, 32, 32]);
/// assert_eq!(set.labels[4], Shapes::default().sample(7, 4).label);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shapes {
    /// Height and width of the images in pixels; 16 or more show all figures well.
    pub size: usize,
    /// Half width of the uniform noise added to every channel of every pixel, in [0, 1] units.
    pub noise: f32,
}

impl Default for Shapes {
    /// Images of 32×32 pixels with noise of ±0.03.
    fn default() -> Self {
        Shapes { size: 32, noise: 0.03 }
    }
}

/// Everything that determines a sample but its noise. Lengths are fractions of the image's side, x to the right, y
/// downwards; angles are in radians. The figure always lies wholly inside the image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    /// The figure, one of six.
    pub shape: ShapeKind,
    /// The figure's hue, [0, 1): 0 red, 1/3 green, 2/3 blue.
    pub hue: f32,
    /// The figure's saturation, [0.6, 1).
    pub saturation: f32,
    /// The figure's value (brightness), [0.75, 1); above every background's.
    pub value: f32,
    /// The figure's circumradius, [0.2, 0.36).
    pub size: f32,
    /// Centre, horizontally, [0.4, 0.6).
    pub x: f32,
    /// Centre, vertically, [0.4, 0.6).
    pub y: f32,
    /// Rotation, [0, 2π); without effect on circle and ring.
    pub rotation: f32,
    /// The background's hue, [0, 1).
    pub background_hue: f32,
    /// The background's saturation, [0, 0.5).
    pub background_saturation: f32,
    /// The background's value where its texture is brightest, [0.25, 0.5); where it is darkest it is 0.4 of this.
    pub background_value: f32,
    /// The background's texture, one of four.
    pub background_texture: Texture,
    /// Direction of the texture, [0, 2π).
    pub texture_angle: f32,
    /// Period of the texture, [0.15, 0.4).
    pub texture_period: f32,
}

/// One sample of the [`Shapes`] world.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// f32 `[3, H, W]` in [0, 1].
    pub image: Tensor,
    /// Class index, in the order of [`Shapes::KINDS`].
    pub label: usize,
    /// f32 `[H, W]`: 1 where the figure covers at least half of the pixel, else 0.
    pub mask: Tensor,
    /// What the image shows.
    pub factors: Factors,
}

/// Samples 0 to n − 1 of a seed.
#[derive(Clone, Debug, PartialEq)]
pub struct ShapesSet {
    /// f32 `[N, 3, H, W]` in [0, 1].
    pub images: Tensor,
    /// Class indices.
    pub labels: Vec<usize>,
    /// f32 `[N, 1, H, W]`: 1 on the figure, 0 elsewhere.
    pub masks: Tensor,
    /// What the images show.
    pub factors: Vec<Factors>,
}

impl Shapes {
    /// The six figures that occur, by class index.
    pub const KINDS: [ShapeKind; 6] =
        [ShapeKind::Circle, ShapeKind::Square, ShapeKind::Triangle, ShapeKind::Star, ShapeKind::Cross, ShapeKind::Ring];

    /// Sample `index` of `seed`; it depends on nothing else.
    pub fn sample(&self, seed: u64, index: u64) -> Sample {
        let area = self.size * self.size;
        let (mut image, mut mask) = (vec![0.0; 3 * area], vec![0.0; area]);
        let factors = self.render(seed, index, &mut image, &mut mask);
        let tensor = |shape: &[usize], data| Tensor::new(shape, data).expect("buffers are made for these shapes");
        Sample {
            image: tensor(&[3, self.size, self.size], image),
            label: factors.shape.label(),
            mask: tensor(&[self.size, self.size], mask),
            factors,
        }
    }

    /// The first `n` samples of `seed`, computed in parallel.
    pub fn dataset(&self, seed: u64, n: usize) -> ShapesSet {
        let area = self.size * self.size;
        let (mut images, mut masks) = (vec![0.0; n * 3 * area], vec![0.0; n * area]);
        // Chunks of zero length do not exist, and an image without pixels needs no rendering.
        let width = area.max(1);
        let factors: Vec<Factors> = images
            .par_chunks_mut(3 * width)
            .zip(masks.par_chunks_mut(width))
            .enumerate()
            .map(|(index, (image, mask))| self.render(seed, index as u64, image, mask))
            .collect();
        let tensor = |channels, data| {
            Tensor::new([n, channels, self.size, self.size], data).expect("buffers are made for these shapes")
        };
        ShapesSet {
            images: tensor(3, images),
            labels: factors.iter().map(|f| f.shape.label()).collect(),
            masks: tensor(1, masks),
            factors,
        }
    }

    /// Fills the planes of one image and its mask.
    fn render(&self, seed: u64, index: u64, image: &mut [f32], mask: &mut [f32]) -> Factors {
        let mut rng = stream("shapes", seed, index);
        let factors = Factors::draw(&mut rng);
        let background =
            Background::new(factors.background_texture, factors.texture_angle, factors.texture_period, &mut rng);
        let side = self.size as f32;
        let centre = [factors.x * side, factors.y * side];
        let radius = factors.size * side;
        let outline = Outline::new(factors.shape, centre, radius, factors.rotation, 0);
        let front = rgb(factors.hue, factors.saturation, factors.value);
        let back = rgb(factors.background_hue, factors.background_saturation, factors.background_value);
        let area = mask.len();
        for (i, mask) in mask.iter_mut().enumerate() {
            let point = [(i % self.size) as f32 + 0.5, (i / self.size) as f32 + 0.5];
            let near = (point[0] - centre[0]).abs().max((point[1] - centre[1]).abs()) < radius + 1.0;
            let distance = if near { outline.signed_distance(point) } else { f32::INFINITY };
            // Exact for a straight edge that is parallel to the pixel's sides, close to it otherwise.
            let coverage = (0.5 - distance).clamp(0.0, 1.0);
            *mask = f32::from(u8::from(coverage >= 0.5));
            let shade = 0.4 + 0.6 * background.level(point[0] / side, point[1] / side);
            for c in 0..3 {
                image[c * area + i] = coverage * front[c] + (1.0 - coverage) * shade * back[c];
            }
        }
        add_noise(image, self.noise, &mut rng);
        factors
    }
}

impl ShapesSet {
    /// The images with labels and class names, as every loader returns them. Shares the images' memory.
    pub fn to_dataset(&self) -> Dataset {
        Dataset {
            inputs: self.images.clone(),
            labels: Some(self.labels.clone()),
            class_names: Some(Shapes::KINDS.iter().map(|kind| kind.name().to_string()).collect()),
            source: "shapes".to_string(),
            format: Format::World,
            pixel: PixelEncoding::Stored { min: 0.0, max: 1.0 },
        }
    }
}

impl Factors {
    fn draw(rng: &mut impl Rng) -> Factors {
        Factors {
            shape: Shapes::KINDS[rng.random_range(0..Shapes::KINDS.len())],
            hue: rng.random_range(0.0..1.0),
            saturation: rng.random_range(0.6..1.0),
            value: rng.random_range(0.75..1.0),
            size: rng.random_range(0.2..0.36),
            x: rng.random_range(0.4..0.6),
            y: rng.random_range(0.4..0.6),
            rotation: rng.random_range(0.0..TAU),
            background_hue: rng.random_range(0.0..1.0),
            background_saturation: rng.random_range(0.0..0.5),
            background_value: rng.random_range(0.25..0.5),
            background_texture: Texture::ALL[rng.random_range(0..Texture::ALL.len())],
            texture_angle: rng.random_range(0.0..TAU),
            texture_period: rng.random_range(0.15..0.4),
        }
    }
}

#[cfg(test)]
mod tests;
