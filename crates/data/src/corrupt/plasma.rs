//! Clouds from the diamond-square algorithm.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A field of `side × side` values from 0 to 1, periodic; `side` must be a power of two. The random part shrinks by
/// `decay` from one scale to the next: small ones make rough clouds. As in the authors' program.
pub(super) fn plasma(side: usize, decay: f64, rng: &mut ChaCha8Rng) -> Vec<f32> {
    debug_assert!(side.is_power_of_two());
    let mut field = vec![0.0f64; side * side];
    let (mut step, mut wibble) = (side, 100.0f64);
    while step >= 2 {
        let half = step / 2;
        let mut set = |y: usize, x: usize, corners: [(usize, usize); 4], field: &mut Vec<f64>| {
            let sum: f64 = corners.iter().map(|&(y, x)| field[y % side * side + x % side]).sum();
            field[y * side + x] = sum / 4.0 + wibble * rng.random_range(-wibble..wibble);
        };
        let grid = || (0..side).step_by(step).flat_map(move |y| (0..side).step_by(step).map(move |x| (y, x)));
        for (y, x) in grid() {
            set(y + half, x + half, [(y, x), (y + step, x), (y, x + step), (y + step, x + step)], &mut field);
        }
        for (y, x) in grid() {
            let above = y + side - half;
            set(y, x + half, [(y, x), (y, x + step), (y + half, x + half), (above, x + half)], &mut field);
        }
        for (y, x) in grid() {
            let left = x + side - half;
            set(y + half, x, [(y, x), (y + step, x), (y + half, x + half), (y + half, left)], &mut field);
        }
        step = half;
        wibble /= decay;
    }
    let (low, high) = field.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    let range = if high > low { high - low } else { 1.0 };
    field.iter().map(|v| ((v - low) / range) as f32).collect()
}

/// The first `height × width` values of a field that covers them.
pub(super) fn clouds(height: usize, width: usize, decay: f64, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let side = height.max(width).next_power_of_two();
    let field = plasma(side, decay, rng);
    field.chunks_exact(side).take(height).flat_map(|row| &row[..width]).copied().collect()
}
