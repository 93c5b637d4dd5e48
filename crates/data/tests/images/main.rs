//! Augmentations and corruptions against formulas, other implementations' numbers, and statistics.

mod augmentations;
mod corruptions;
mod policies;

use perturb_data::Image;

/// An image that other languages compute easily: ((7y + 13x + 29c + (xy mod 5)·11) mod 97)/97.
fn pattern(height: usize, width: usize) -> Image {
    let value = |i: usize| {
        let (c, y, x) = (i / (height * width), i / width % height, i % width);
        ((7 * y + 13 * x + 29 * c + x * y % 5 * 11) % 97) as f32 / 97.0
    };
    Image::new(3, height, width, (0..3 * height * width).map(value).collect()).unwrap()
}

/// The values at rows, columns and channels (0, 0, 0), (5, 7, 1), (12, 3, 2), (23, 23, 0), (17, 11, 1).
fn probes(image: &Image) -> [f32; 5] {
    [(0, 0, 0), (5, 7, 1), (12, 3, 2), (23, 23, 0), (17, 11, 1)]
        .map(|(y, x, c)| image.values()[(c * image.height() + y) * image.width() + x])
}

#[track_caller]
fn close(what: &str, found: [f32; 5], expected: [f32; 5], tolerance: f32) {
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= tolerance, "{what}: {found:?} is not {expected:?}");
}

/// The mean square of the differences.
fn distance(a: &Image, b: &Image) -> f64 {
    let squares = a.values().iter().zip(b.values()).map(|(x, y)| f64::from(x - y).powi(2));
    squares.sum::<f64>() / a.values().len() as f64
}
