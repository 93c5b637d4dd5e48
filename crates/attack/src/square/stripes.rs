//! The ℓ∞ search (algorithm 2): stripes to start with, then windows of ±ε.

use crate::geometry::{Geometry, random_sign};
use crate::local::Change;
use perturb_threat::Ball;
use rand::Rng;

// A window at a corner of the range may leave the point as it is; then other signs are drawn.
const REDRAWS: usize = 16;

/// Vertical stripes of ±ε, one sign for each column and channel.
pub(crate) fn start(center: &[f32], ball: &Ball, geometry: &Geometry, rng: &mut impl Rng) -> Vec<f32> {
    let Geometry { channels, height, width } = *geometry;
    let signs: Vec<f64> = (0..channels * width).map(|_| random_sign(rng)).collect();
    // A single column would be a single stripe: its rows take the columns' place.
    let sign = |i: usize| match width {
        1 => random_sign(rng),
        _ => signs[i / (height * width) * width + i % width],
    };
    let mut x = moved(center, (0..geometry.count()).map(sign), ball);
    ball.project(center, &mut x);
    x
}

/// One window set to ±ε, one sign for each channel.
pub(crate) fn propose(
    center: &[f32],
    x: &[f32],
    ball: &Ball,
    geometry: &Geometry,
    share: f64,
    rng: &mut impl Rng,
) -> Change {
    let window = geometry.place(geometry.window_size(share, 1, false), rng);
    let indices: Vec<usize> = (0..geometry.channels).flat_map(|channel| geometry.indices(channel, window)).collect();
    let mut pixels: Vec<f32> = indices.iter().map(|&i| x[i]).collect();
    let area = window.height * window.width;
    for _ in 0..REDRAWS {
        for (indices, pixels) in indices.chunks_exact(area).zip(pixels.chunks_exact_mut(area)) {
            let sign = random_sign(rng);
            for (&i, pixel) in indices.iter().zip(pixels) {
                let mut v = [(f64::from(center[i]) + sign * ball.epsilon()) as f32];
                ball.project(&center[i..=i], &mut v);
                *pixel = v[0];
            }
        }
        if indices.iter().zip(&pixels).any(|(&i, &pixel)| pixel != x[i]) {
            break;
        }
    }
    Change { window, pixels }
}

fn moved(center: &[f32], signs: impl Iterator<Item = f64>, ball: &Ball) -> Vec<f32> {
    center.iter().zip(signs).map(|(&c, sign)| (f64::from(c) + sign * ball.epsilon()) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_threat::Norm;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn start_has_constant_columns_of_both_signs() {
        let geometry = Geometry { channels: 2, height: 5, width: 16 };
        let (center, ball) = (vec![0.5; 160], Ball::new(Norm::Linf, 0.25, (0.0, 1.0)).unwrap());
        let x = start(&center, &ball, &geometry, &mut ChaCha8Rng::seed_from_u64(1));
        assert!(x.iter().all(|&v| v == 0.25 || v == 0.75) && x.contains(&0.25) && x.contains(&0.75));
        for (channel, column) in (0..2).flat_map(|c| (0..16).map(move |w| (c, w))) {
            let at = |row: usize| x[(channel * 5 + row) * 16 + column];
            assert!((1..5).all(|row| at(row) == at(0)));
        }
    }

    #[test]
    fn proposals_change_one_window_to_the_balls_corners() {
        let geometry = Geometry { channels: 1, height: 10, width: 10 };
        let (center, ball) = (vec![0.5; 100], Ball::new(Norm::Linf, 0.25, (0.0, 1.0)).unwrap());
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for _ in 0..50 {
            let mut proposal = center.clone();
            propose(&center, &center, &ball, &geometry, 0.16, &mut rng).apply(&geometry, &mut proposal);
            let changed: Vec<usize> = (0..100).filter(|&i| proposal[i] != 0.5).collect();
            assert_eq!(changed.len(), 16);
            assert!(changed.iter().all(|&i| i / 10 - changed[0] / 10 < 4 && i % 10 - changed[0] % 10 < 4));
            assert!(changed.iter().all(|&i| proposal[i] == proposal[changed[0]] && (proposal[i] - 0.5).abs() == 0.25));
        }
    }
}
