//! Changes of tone and colour, as PIL's `ImageEnhance` and `ImageOps` and torchvision define them, on values in [0, 1].

use crate::imaging::Image;
use crate::imaging::color::{hsv_to_rgb, luminance, rgb_to_hsv};
use crate::imaging::filter::{Border, correlate};

/// `factor·v`.
pub(super) fn brightness(image: Image, factor: f32) -> Image {
    image.map(|v| (v * factor).clamp(0.0, 1.0))
}

/// Values moved away from the mean luminance of the image by `factor`.
pub(super) fn contrast(image: Image, factor: f32) -> Image {
    let grey = image.luminance();
    let mean = (grey.iter().map(|&v| f64::from(v)).sum::<f64>() / grey.len() as f64) as f32;
    image.map(|v| blend(v, mean, factor))
}

/// Values moved away from the pixel's luminance by `factor`; 0 makes a grey image.
pub(super) fn saturation(mut image: Image, factor: f32) -> Image {
    image.map_pixels(|rgb| rgb.map(|v| blend(v, luminance(rgb), factor)));
    image
}

/// Hues turned by `shift` of a full circle.
pub(super) fn hue(mut image: Image, shift: f32) -> Image {
    image.map_pixels(|rgb| {
        let [h, s, v] = rgb_to_hsv(rgb);
        hsv_to_rgb([h + shift, s, v])
    });
    image
}

/// Values moved away from those of a smoothed image by `factor`; 0 smooths, 2 sharpens. Edge pixels stay.
pub(super) fn sharpness(image: Image, factor: f32) -> Image {
    let (height, width) = (image.height(), image.width());
    let taps: Vec<(isize, isize, f32)> =
        (0..9).map(|i| (i / 3 - 1, i % 3 - 1, if i == 4 { 5.0 / 13.0 } else { 1.0 / 13.0 })).collect();
    image.map_planes(height, width, |plane| {
        let smooth = correlate(plane, width, &taps, Border::Nearest);
        let inside = |i: usize| {
            let (y, x) = (i / width, i % width);
            y > 0 && y + 1 < height && x > 0 && x + 1 < width
        };
        let value =
            |(i, (&v, &s)): (usize, (&f32, &f32))| if inside(i) { blend(v, s, factor) } else { v.clamp(0.0, 1.0) };
        plane.iter().zip(&smooth).enumerate().map(value).collect()
    })
}

/// Values from `threshold` on inverted.
pub(super) fn solarize(image: Image, threshold: f32) -> Image {
    image.map(|v| if v >= threshold { 1.0 - v } else { v })
}

/// Only the highest `bits` of each value's 8 kept.
pub(super) fn posterize(image: Image, bits: u8) -> Image {
    let mask = !(0xffu16 >> bits.min(8)) as u8;
    image.map(|v| f32::from(level(v) & mask) / 255.0)
}

/// Each channel stretched to [0, 1]; one without contrast stays.
pub(super) fn autocontrast(mut image: Image) -> Image {
    for plane in image.planes_mut() {
        let (low, high) = plane.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
        if high > low {
            plane.iter_mut().for_each(|v| *v = ((*v - low) / (high - low)).clamp(0.0, 1.0));
        }
    }
    image
}

/// Each channel's 256 levels mapped so that they occur about equally often.
pub(super) fn equalize(mut image: Image) -> Image {
    for plane in image.planes_mut() {
        let mut histogram = [0usize; 256];
        plane.iter().for_each(|&v| histogram[usize::from(level(v))] += 1);
        let brightest = histogram.iter().rev().find(|&&n| n > 0).copied().unwrap_or(0);
        let step = (plane.len() - brightest) / 255;
        if step == 0 {
            continue;
        }
        let mut below = step / 2;
        let table = histogram.map(|count| {
            let to = (below / step).min(255) as f32 / 255.0;
            below += count;
            to
        });
        plane.iter_mut().for_each(|v| *v = table[usize::from(level(*v))]);
    }
    image
}

/// The nearest of 256 levels.
fn level(value: f32) -> u8 {
    (value * 255.0).round() as u8
}

/// `factor` of the way from `other` to `value`, and beyond.
fn blend(value: f32, other: f32, factor: f32) -> f32 {
    (factor * value + (1.0 - factor) * other).clamp(0.0, 1.0)
}
