//! Corruptions of light and of storage.

use crate::imaging::Image;
use crate::imaging::color::{hsv_to_rgb, rgb_to_hsv};
use crate::imaging::filter::{Border, gaussian};
use crate::imaging::resize::{Filter, Region, resize};
use crate::imaging::warp::{Outside, bilinear};
use image::ExtendedColorType;
use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::{DynamicImage, ImageEncoder};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::io::Cursor;

/// The value of HSV raised by `shift`.
pub(super) fn brightness(mut image: Image, shift: f32) -> Image {
    image.map_pixels(|rgb| {
        let [h, s, v] = rgb_to_hsv(rgb);
        hsv_to_rgb([h, s, (v + shift).clamp(0.0, 1.0)])
    });
    image
}

/// Values brought nearer to their channel's mean by `factor`.
pub(super) fn contrast(mut image: Image, factor: f32) -> Image {
    for plane in image.planes_mut() {
        let mean = (plane.iter().map(|&v| f64::from(v)).sum::<f64>() / plane.len() as f64) as f32;
        plane.iter_mut().for_each(|v| *v = (*v - mean) * factor + mean);
    }
    image
}

/// Shrunk to this part of the size by averaging, and enlarged again without interpolation.
pub(super) fn pixelate(image: &Image, factor: f64) -> Image {
    let (height, width) = (image.height(), image.width());
    let shrink = |n: usize| ((n as f64 * factor) as usize).max(1);
    let small = (shrink(height), shrink(width));
    let region =
        |(height, width): (usize, usize)| Region { top: 0.0, left: 0.0, height: height as f64, width: width as f64 };
    image.map_planes(height, width, |plane| {
        let shrunk = resize(plane, width, region((height, width)), small, Filter::Box);
        resize(&shrunk, small.1, region(small), (height, width), Filter::Box)
    })
}

/// Written as a JPEG of this quality and read back.
pub(crate) fn jpeg(image: &Image, quality: u8) -> Image {
    let (channels, height, width) = (image.channels(), image.height(), image.width());
    // JPEG's sizes have 16 bits; larger images, which cannot be stored so, stay as they are.
    let (Ok(rows), Ok(columns)) = (u16::try_from(height), u16::try_from(width)) else { return image.clone() };
    let area = height * width;
    let mut bytes = vec![0; channels * area];
    for (i, value) in image.values().iter().enumerate() {
        bytes[i % area * channels + i / area] = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    }
    let kind = if channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    let mut file = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut file, quality);
    encoder
        .write_image(&bytes, u32::from(columns), u32::from(rows), kind)
        .expect("memory takes any image of this size");
    let decoded = JpegDecoder::new(Cursor::new(file)).and_then(DynamicImage::from_decoder);
    let samples = match decoded.expect("what was just written can be read") {
        DynamicImage::ImageLuma8(grey) if channels == 1 => grey.into_raw(),
        other => other.into_rgb8().into_raw(),
    };
    let value = |i: usize| f32::from(samples[i % area * channels + i / area]) / 255.0;
    let values = (0..channels * area).map(value).collect();
    Image::new(channels, height, width, values).expect("the size is the old one")
}

/// Three points moved by up to `corners` pixels, with the affine map that this makes, and then every pixel by a smooth
/// random field: uniform noise blurred by `sigma` pixels, times `magnitude` (Simard et al. 2003).
pub(super) fn elastic(image: &Image, magnitude: f64, sigma: f64, corners: f64, rng: &mut ChaCha8Rng) -> Image {
    let (height, width) = (image.height(), image.width());
    let place = corner_map(height, width, corners, rng);
    let moved = bilinear(image, Outside::Border(Border::Mirror), place);
    let mut field = || -> Vec<f32> {
        let noise: Vec<f32> = (0..height * width).map(|_| rng.random_range(-1.0f32..1.0)).collect();
        let smooth = gaussian(&noise, width, sigma, 3.0, Border::Symmetric);
        smooth.iter().map(|v| v * magnitude as f32).collect()
    };
    let (dx, dy) = (field(), field());
    bilinear(&moved, Outside::Border(Border::Symmetric), |y, x| {
        let i = y * width + x;
        (y as f32 + dy[i], x as f32 + dx[i])
    })
}

/// Where each pixel comes from under the affine map that moves three corners of a square in the middle at random.
fn corner_map(
    height: usize,
    width: usize,
    corners: f64,
    rng: &mut ChaCha8Rng,
) -> impl Fn(usize, usize) -> (f32, f32) + use<> {
    // The authors give OpenCV rows where it expects columns; for square images, as theirs, it is the same.
    let (cx, cy, side) = ((width / 2) as f64, (height / 2) as f64, (height.min(width) / 3) as f64);
    let from = [[cx + side, cy + side], [cx + side, cy - side], [cx - side, cy - side]];
    let to = from.map(|point| point.map(|c| if corners > 0.0 { c + rng.random_range(-corners..corners) } else { c }));
    // Coordinates along the two edges that meet in the second point.
    let edges = |p: [[f64; 2]; 3]| [[p[0][0] - p[1][0], p[2][0] - p[1][0]], [p[0][1] - p[1][1], p[2][1] - p[1][1]]];
    let (a, b) = (edges(from), edges(to));
    let determinant = b[0][0] * b[1][1] - b[0][1] * b[1][0];
    // Three points on a line, or nearly: there is no map, so the image stays.
    let degenerate = determinant.abs() < 1e-6 * side.max(1.0).powi(2);
    move |y, x| {
        if degenerate {
            return (y as f32, x as f32);
        }
        let (px, py) = (x as f64 - to[1][0], y as f64 - to[1][1]);
        let (s, t) = ((b[1][1] * px - b[0][1] * py) / determinant, (b[0][0] * py - b[1][0] * px) / determinant);
        let source_x = from[1][0] + a[0][0] * s + a[0][1] * t;
        let source_y = from[1][1] + a[1][0] * s + a[1][1] * t;
        (source_y as f32, source_x as f32)
    }
}
