//! Snow, frost and fog.

use super::blur::{clipped_zoom, line};
use super::plasma::clouds;
use crate::imaging::Image;
use crate::imaging::filter::{Border, correlate, gaussian};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Parameters of snow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Snow {
    /// Mean and deviation of the normal noise that flakes are cut from.
    noise: (f32, f32),
    /// Size of flakes in pixels.
    zoom: f64,
    /// Noise below this is no flake.
    threshold: f32,
    /// Radius and deviation of the motion blur of falling flakes.
    motion: (usize, f64),
    /// How much of the image's own colours stays.
    kept: f32,
}

const fn snow_of(noise: (f32, f32), zoom: f64, threshold: f32, motion: (usize, f64), kept: f32) -> Snow {
    Snow { noise, zoom, threshold, motion, kept }
}

pub(super) const SNOW_IMAGENET: [Snow; 5] = [
    snow_of((0.1, 0.3), 3.0, 0.5, (10, 4.0), 0.8),
    snow_of((0.2, 0.3), 2.0, 0.5, (12, 4.0), 0.7),
    snow_of((0.55, 0.3), 4.0, 0.9, (12, 8.0), 0.7),
    snow_of((0.55, 0.3), 4.5, 0.85, (12, 8.0), 0.65),
    snow_of((0.55, 0.3), 2.5, 0.85, (12, 12.0), 0.55),
];

pub(super) const SNOW_CIFAR10: [Snow; 5] = [
    snow_of((0.1, 0.2), 1.0, 0.6, (8, 3.0), 0.95),
    snow_of((0.1, 0.2), 1.0, 0.5, (10, 4.0), 0.9),
    snow_of((0.15, 0.3), 1.75, 0.55, (10, 4.0), 0.9),
    snow_of((0.25, 0.3), 2.25, 0.6, (12, 6.0), 0.85),
    snow_of((0.3, 0.3), 1.25, 0.65, (14, 12.0), 0.8),
];

/// Colours whitened, and flakes blurred by their fall added, from above and, turned by 180°, from below.
pub(super) fn snow(image: &Image, snow: Snow, rng: &mut ChaCha8Rng) -> Image {
    let (height, width) = (image.height(), image.width());
    let normal = |rng: &mut ChaCha8Rng| -> f32 { StandardNormal.sample(rng) };
    let noise: Vec<f32> = (0..height * width).map(|_| snow.noise.0 + snow.noise.1 * normal(rng)).collect();
    let flake = |v: f32| if v < snow.threshold { 0.0 } else { v.clamp(0.0, 1.0) };
    let flakes: Vec<f32> = clipped_zoom(&noise, width, snow.zoom).into_iter().map(flake).collect();
    let fall = line(snow.motion.0, snow.motion.1, rng.random_range(-135.0..-45.0));
    let layer = correlate(&flakes, width, &fall, Border::Nearest);
    let grey = image.luminance();
    let mut snowy = image.clone();
    for plane in snowy.planes_mut() {
        for (i, value) in plane.iter_mut().enumerate() {
            let whitened = value.max(grey[i] * 1.5 + 0.5);
            let both = layer[i] + layer[layer.len() - 1 - i];
            *value = snow.kept * *value + (1.0 - snow.kept) * whitened + both;
        }
    }
    snowy
}

/// Diamond-square clouds of this thickness and decay, the whole then darkened to the image's old range.
pub(super) fn fog(mut image: Image, (thickness, decay): (f32, f64), rng: &mut ChaCha8Rng) -> Image {
    let clouds = clouds(image.height(), image.width(), decay, rng);
    let brightest = image.values().iter().copied().fold(0.0, f32::max);
    let scale = brightest / (brightest + thickness);
    for plane in image.planes_mut() {
        plane.iter_mut().zip(&clouds).for_each(|(v, cloud)| *v = (*v + thickness * cloud) * scale);
    }
    image
}

/// The image and a texture of frost added up with these weights. Crystals have the size of those in the authors' photos
/// times `scale`.
pub(super) fn frost(mut image: Image, (kept, added): (f32, f32), scale: f64, rng: &mut ChaCha8Rng) -> Image {
    let texture = frost_texture(image.height(), image.width(), scale, rng);
    // The photos' mean colour divided by its mean: ice is faintly blue.
    let tint = if image.channels() == 1 { [1.0; 3] } else { [0.89, 1.02, 1.09] };
    for (plane, tint) in image.planes_mut().zip(tint) {
        plane.iter_mut().zip(&texture).for_each(|(v, ice)| *v = kept * *v + added * tint * ice);
    }
    image
}

/// Ice needles that grow and branch at 60°, on a hazy film, with the brightness and contrast of the authors' five photos:
/// means from 0.48 to 0.81, the brightest with a deviation of 0.08, the darkest 0.17.
fn frost_texture(height: usize, width: usize, scale: f64, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let film = clouds(height, width, 2.0, rng);
    let mut ice = Canvas { height, width, values: vec![0.0; height * width] };
    let spacing = 26.0 * scale;
    let needles = ((height * width) as f64 / (spacing * spacing)).ceil() as usize + 4;
    // Neighbouring crystals grow in related directions.
    let wind = rng.random_range(0.0..std::f64::consts::TAU);
    for _ in 0..needles {
        let start = (rng.random_range(0.0..height as f64), rng.random_range(0.0..width as f64));
        let angle = wind + rng.random_range(-0.9..0.9);
        let length = rng.random_range(40.0..140.0) * scale;
        grow(&mut ice, start, angle, length, rng.random_range(0.6..1.0), 2, rng);
    }
    let glow = gaussian(&ice.values, width, 2.5 * scale, 4.0, Border::Nearest);
    let fine = gaussian(&ice.values, width, 0.5, 4.0, Border::Nearest);
    let texture: Vec<f32> = (0..height * width).map(|i| 0.4 * film[i] + 0.6 * fine[i] + 0.5 * glow[i]).collect();
    let bright: f32 = rng.random();
    let (mean, deviation) = (0.48 + 0.33 * bright, 0.17 - 0.09 * bright);
    let count = texture.len() as f32;
    let centre = texture.iter().sum::<f32>() / count;
    let spread = (texture.iter().map(|v| (v - centre).powi(2)).sum::<f32>() / count).sqrt().max(1e-6);
    texture.iter().map(|v| (mean + deviation * (v - centre) / spread).clamp(0.0, 1.0)).collect()
}

struct Canvas {
    height: usize,
    width: usize,
    values: Vec<f32>,
}

/// Draws a needle from `start` and, along it, pairs of shorter ones, `generations` deep.
fn grow(
    canvas: &mut Canvas,
    start: (f64, f64),
    angle: f64,
    length: f64,
    strength: f32,
    generations: u8,
    rng: &mut ChaCha8Rng,
) {
    let (sin, cos) = angle.sin_cos();
    let steps = (length / 0.7) as usize;
    let mut next_branch = length * rng.random_range(0.05..0.15);
    for step in 0..=steps {
        let along = step as f64 * 0.7;
        let (y, x) = (start.0 + sin * along, start.1 + cos * along);
        let inside = y >= 0.0 && x >= 0.0 && y < canvas.height as f64 && x < canvas.width as f64;
        let left = 1.0 - along / length.max(1.0);
        if inside {
            let pixel = &mut canvas.values[y as usize * canvas.width + x as usize];
            *pixel = pixel.max(strength * (0.35 + 0.65 * left as f32).max(0.0));
        }
        if generations > 0 && along >= next_branch {
            next_branch += length * rng.random_range(0.05..0.12);
            for side in [-1.0, 1.0] {
                let turn = side * std::f64::consts::FRAC_PI_3;
                let branch = length * 0.4 * left * rng.random_range(0.5..1.0);
                grow(canvas, (y, x), angle + turn, branch, strength * 0.8, generations - 1, rng);
            }
        }
    }
}
