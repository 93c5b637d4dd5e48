//! Blurs.

use crate::imaging::Image;
use crate::imaging::filter::{Border, correlate, gaussian, gaussian_kernel, separable};
use crate::imaging::warp::bilinear_grid;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A disk of this radius, smoothed a little by a Gaussian of this deviation.
pub(super) fn defocus(image: &Image, (radius, alias): (f64, f64)) -> Image {
    // The authors' grid: at least 8 pixels each way, and a wider smoothing kernel for large disks.
    let (reach, smoothing) = if radius <= 8.0 { (8, 1) } else { (radius as isize, 2) };
    let side = 2 * reach as usize + 1;
    let inside = |i: usize| {
        let (y, x) = ((i / side) as f64 - reach as f64, (i % side) as f64 - reach as f64);
        f32::from(u8::from(x * x + y * y <= radius * radius))
    };
    let mut disk: Vec<f32> = (0..side * side).map(inside).collect();
    let sum: f32 = disk.iter().sum();
    disk.iter_mut().for_each(|w| *w /= sum);
    let disk = separable(&disk, side, &gaussian_kernel(alias, smoothing), Border::Mirror);
    let taps: Vec<(isize, isize, f32)> = disk
        .iter()
        .enumerate()
        .filter(|(_, weight)| **weight > 1e-8)
        .map(|(i, &weight)| ((i / side) as isize - reach, (i % side) as isize - reach, weight))
        .collect();
    let (height, width) = (image.height(), image.width());
    image.map_planes(height, width, |plane| correlate(plane, width, &taps, Border::Mirror))
}

/// A Gaussian blur, then neighbours up to `reach` pixels away copied over pixels, `rounds` times, then the blur again.
///
/// The authors mean to exchange the two pixels, but NumPy's views make it a copy; the published images are made so.
pub(super) fn glass(image: &Image, (sigma, reach, rounds): (f64, usize, usize), rng: &mut ChaCha8Rng) -> Image {
    let (height, width) = (image.height(), image.width());
    let blurred = |image: &Image| image.map_planes(height, width, |p| gaussian(p, width, sigma, 4.0, Border::Nearest));
    let mut shuffled = blurred(image);
    let range = -(reach as i64)..reach as i64;
    for _ in 0..rounds {
        for y in (reach + 1..(height + 1).saturating_sub(reach)).rev() {
            for x in (reach + 1..(width + 1).saturating_sub(reach)).rev() {
                let (dx, dy) = (rng.random_range(range.clone()), rng.random_range(range.clone()));
                let from = y.saturating_add_signed(dy as isize) * width + x.saturating_add_signed(dx as isize);
                shuffled.planes_mut().for_each(|plane| plane[y * width + x] = plane[from]);
            }
        }
    }
    blurred(&shuffled)
}

/// A one-sided Gaussian along a line of 2·radius + 1 pixels at a random angle of ±45°, ImageMagick's `MotionBlur`.
pub(super) fn motion(image: &Image, (radius, sigma): (usize, f64), rng: &mut ChaCha8Rng) -> Image {
    let angle = rng.random_range(-45.0..45.0);
    let taps = line(radius, sigma, angle);
    let (height, width) = (image.height(), image.width());
    image.map_planes(height, width, |plane| correlate(plane, width, &taps, Border::Nearest))
}

/// Weights of the pixels along a line from the middle at `angle` degrees, 0 to the right and 90 down.
pub(super) fn line(radius: usize, sigma: f64, angle: f64) -> Vec<(isize, isize, f32)> {
    let (sin, cos) = angle.to_radians().sin_cos();
    let weights: Vec<f64> = (0..=2 * radius).map(|i| (-0.5 * (i as f64 / sigma).powi(2)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let offset = |i: usize, part: f64| (i as f64 * part - 0.5).ceil() as isize;
    weights.iter().enumerate().map(|(i, w)| (offset(i, sin), offset(i, cos), (w / sum) as f32)).collect()
}

/// The mean of the image and of its middle enlarged by 1, 1 + step, … (`count` zooms).
pub(super) fn zoom(image: &Image, (step, count): (f64, usize)) -> Image {
    let (height, width) = (image.height(), image.width());
    image.map_planes(height, width, |plane| {
        let mut sum = plane.to_vec();
        for k in 0..count {
            let zoomed = clipped_zoom(plane, width, 1.0 + step * k as f64);
            sum.iter_mut().zip(zoomed).for_each(|(s, v)| *s += v);
        }
        sum.iter().map(|s| s / (count + 1) as f32).collect()
    })
}

/// The middle of a plane enlarged by `factor` to its old size with linear interpolation, as the authors do it with
/// `scipy.ndimage.zoom`: the cut-out has ⌈n/factor⌉ pixels, and its outermost ones stay outermost.
pub(super) fn clipped_zoom(plane: &[f32], width: usize, factor: f64) -> Vec<f32> {
    let height = plane.len() / width;
    let axis = |n: usize| -> Vec<f32> {
        let cut = ((n as f64 / factor).ceil() as usize).clamp(1, n);
        let start = (n - cut) / 2;
        let enlarged = ((cut as f64 * factor).round_ties_even() as usize).max(n);
        let trim = (enlarged - n) / 2;
        let scale = (cut - 1) as f64 / (enlarged - 1).max(1) as f64;
        (0..n).map(|i| (start as f64 + (i + trim) as f64 * scale) as f32).collect()
    };
    let (rows, columns) = (axis(height), axis(width));
    bilinear_grid(plane, width, &rows, &columns)
}
