//! Flow fields: images moved by them, how rough they are, and the gradients of both.

use crate::geometry::Geometry;

/// Under the root of the roughness, which has no gradient at 0.
const TINY: f64 = 1e-12;

// The four pixels around where a pixel takes its value from, as (row, column), and the place between them; a place
// outside of the image is at its border, with slope 0.
struct Place {
    rows: [usize; 2],
    columns: [usize; 2],
    down: f64,
    right: f64,
    slopes: (f64, f64),
}

fn place(pixel: usize, flow: &[f64], geometry: Geometry) -> Place {
    let along = |at: usize, shift: f64, size: usize| {
        let last = (size - 1) as f64;
        let wanted = at as f64 + shift;
        let inside = wanted.clamp(0.0, last);
        let below = (inside.floor() as usize).min(size.saturating_sub(2));
        let slope = if wanted == inside && size > 1 { 1.0 } else { 0.0 };
        ([below, (below + 1).min(size - 1)], inside - below as f64, slope)
    };
    let (rows, down, down_slope) = along(pixel / geometry.width, flow[2 * pixel], geometry.height);
    let (columns, right, right_slope) = along(pixel % geometry.width, flow[2 * pixel + 1], geometry.width);
    Place { rows, columns, down, right, slopes: (down_slope, right_slope) }
}

/// The image `[C, H, W]` whose pixels take their values from where the flow `[H, W, 2]` (down, right) points.
pub(super) fn warp(image: &[f32], flow: &[f64], geometry: Geometry) -> Vec<f32> {
    let Geometry { channels, height, width } = geometry;
    let mut warped = vec![0.0; image.len()];
    for pixel in 0..height * width {
        let p = place(pixel, flow, geometry);
        for channel in 0..channels {
            let start = channel * height * width;
            let at = |r: usize, c: usize| f64::from(image[start + p.rows[r] * width + p.columns[c]]);
            let top = (1.0 - p.right) * at(0, 0) + p.right * at(0, 1);
            let bottom = (1.0 - p.right) * at(1, 0) + p.right * at(1, 1);
            warped[start + pixel] = ((1.0 - p.down) * top + p.down * bottom) as f32;
        }
    }
    warped
}

/// The gradient by the flow of a function whose gradient by the warped image is given.
pub(super) fn warp_gradient(image: &[f32], flow: &[f64], gradient: &[f32], geometry: Geometry) -> Vec<f64> {
    let Geometry { channels, height, width } = geometry;
    let mut slope = vec![0.0; flow.len()];
    for pixel in 0..height * width {
        let p = place(pixel, flow, geometry);
        for channel in 0..channels {
            let start = channel * height * width;
            let at = |r: usize, c: usize| f64::from(image[start + p.rows[r] * width + p.columns[c]]);
            let down = (1.0 - p.right) * (at(1, 0) - at(0, 0)) + p.right * (at(1, 1) - at(0, 1));
            let right = (1.0 - p.down) * (at(0, 1) - at(0, 0)) + p.down * (at(1, 1) - at(1, 0));
            let g = f64::from(gradient[start + pixel]);
            slope[2 * pixel] += g * down * p.slopes.0;
            slope[2 * pixel + 1] += g * right * p.slopes.1;
        }
    }
    slope
}

// Calls `visit` with each pixel and each of its four neighbours.
fn neighbours(geometry: Geometry, mut visit: impl FnMut(usize, usize)) {
    let Geometry { height, width, .. } = geometry;
    for (row, column) in (0..height).flat_map(|r| (0..width).map(move |c| (r, c))) {
        for (down, right) in [(0, 1), (1, 0), (0, -1), (-1, 0)] {
            let there = (row.checked_add_signed(down), column.checked_add_signed(right));
            if let (Some(r), Some(c)) = there
                && r < height
                && c < width
            {
                visit(row * width + column, r * width + c);
            }
        }
    }
}

fn difference(flow: &[f64], a: usize, b: usize) -> (f64, f64, f64) {
    let (down, right) = (flow[2 * a] - flow[2 * b], flow[2 * a + 1] - flow[2 * b + 1]);
    (down, right, (down * down + right * right + TINY).sqrt())
}

/// `Σ √(‖Δu‖² + ‖Δv‖²)` over pixels and their neighbours (eq. 4).
pub(super) fn roughness(flow: &[f64], geometry: Geometry) -> f64 {
    let mut sum = 0.0;
    neighbours(geometry, |a, b| sum += difference(flow, a, b).2);
    sum
}

/// The gradient of the roughness.
pub(super) fn roughness_gradient(flow: &[f64], geometry: Geometry) -> Vec<f64> {
    let mut slope = vec![0.0; flow.len()];
    neighbours(geometry, |a, b| {
        let (down, right, length) = difference(flow, a, b);
        slope[2 * a] += down / length;
        slope[2 * b] -= down / length;
        slope[2 * a + 1] += right / length;
        slope[2 * b + 1] -= right / length;
    });
    slope
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const GEOMETRY: Geometry = Geometry { channels: 2, height: 5, width: 6 };

    #[test]
    fn whole_flows_shift_the_image() {
        let image: Vec<f32> = (0..60).map(|i| (i * i % 17) as f32).collect();
        assert_eq!(warp(&image, &[0.0; 60], GEOMETRY), image);
        let right: Vec<f64> = (0..60).map(|i| f64::from(i % 2)).collect();
        let shifted = warp(&image, &right, GEOMETRY);
        for (pixel, &v) in shifted.iter().enumerate() {
            // The last column repeats itself.
            let from = if pixel % 6 == 5 { pixel } else { pixel + 1 };
            assert_eq!(v, image[from]);
        }
    }

    #[test]
    fn gradients_are_finite_differences() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let image: Vec<f32> = (0..60).map(|_| rng.random_range(0.0..1.0)).collect();
        let cotangent: Vec<f32> = (0..60).map(|_| rng.random_range(-1.0..1.0)).collect();
        let flow: Vec<f64> = (0..60).map(|_| rng.random_range(-1.5..1.5)).collect();
        let inner = |flow: &[f64]| -> f64 {
            let warped = warp(&image, flow, GEOMETRY);
            warped.iter().zip(&cotangent).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
        };
        let by_warp = warp_gradient(&image, &flow, &cotangent, GEOMETRY);
        let by_roughness = roughness_gradient(&flow, GEOMETRY);
        for i in 0..60 {
            let moved = |h: f64| {
                let mut flow = flow.clone();
                flow[i] += h;
                flow
            };
            let slope = |f: &dyn Fn(&[f64]) -> f64, h: f64| (f(&moved(h)) - f(&moved(-h))) / (2.0 * h);
            assert!((by_warp[i] - slope(&inner, 1e-3)).abs() < 1e-3);
            assert!((by_roughness[i] - slope(&|f| roughness(f, GEOMETRY), 1e-6)).abs() < 1e-5);
        }
    }
}
