//! The search in ℓ2 (algorithm 3) and ℓ1 (Croce and Hein 2021, §4): bumps that move perturbation from one window to
//! another.

use crate::geometry::{Geometry, Window, random_sign};
use perturb_threat::{Ball, Norm};
use rand::{Rng, RngExt};

/// Keeps an unperturbed window from dividing by zero.
const TINY: f64 = 1e-10;
/// Number of tiles along each axis at the start.
const TILES: usize = 5;

// Sum of |v|ᵖ, of the norm that the ball is measured in.
fn mass<'a>(norm: Norm, values: impl Iterator<Item = &'a f64>) -> f64 {
    match norm {
        Norm::L1 => values.map(|v| v.abs()).sum(),
        _ => values.map(|v| v * v).sum(),
    }
}

fn length<'a>(norm: Norm, values: impl Iterator<Item = &'a f64>) -> f64 {
    root(norm, mass(norm, values))
}

fn root(norm: Norm, mass: f64) -> f64 {
    if norm == Norm::L1 { mass } else { mass.sqrt() }
}

/// A grid of 5 × 5 bumps of random sign, of norm ε together.
pub(crate) fn start(center: &[f32], ball: &Ball, geometry: &Geometry, rng: &mut impl Rng) -> Vec<f32> {
    let (height, width) = ((geometry.height / TILES).max(1), (geometry.width / TILES).max(1));
    let (rows, columns) = (geometry.height / height, geometry.width / width);
    let (top, left) = ((geometry.height - rows * height) / 2, (geometry.width - columns * width) / 2);
    let mut delta = vec![0.0; geometry.count()];
    for (row, column) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))) {
        let window = Window { top: top + row * height, left: left + column * width, height, width };
        let bump = dipole(ball.norm(), height, width, rng);
        for channel in 0..geometry.channels {
            let sign = random_sign(rng);
            geometry.indices(channel, window).zip(&bump).for_each(|(i, b)| delta[i] = sign * b);
        }
    }
    place(center, &delta, ball)
}

/// Empties one window and gives its perturbation, and what clipping had taken, to another as a bump added to what is
/// there.
pub(crate) fn propose(
    center: &[f32],
    x: &[f32],
    ball: &Ball,
    geometry: &Geometry,
    share: f64,
    rng: &mut impl Rng,
) -> Vec<f32> {
    let mut delta: Vec<f64> = x.iter().zip(center).map(|(&v, &c)| f64::from(v) - f64::from(c)).collect();
    let size = geometry.window_size(share, 3, true);
    let (target, source) = (geometry.place(size, rng), geometry.place(size, rng));
    let norm = ball.norm();
    let budget = mass(norm, [ball.epsilon()].iter());
    let unused = (budget - mass(norm, delta.iter())).max(0.0) / geometry.channels as f64;
    // In ℓ1 more than there is: the projection takes it back where it is least.
    let excess = if norm == Norm::L1 { geometry.channels as f64 } else { 1.0 };
    let bump = dipole(norm, size.0, size.1, rng);
    for channel in 0..geometry.channels {
        let sign = random_sign(rng);
        let indices: Vec<usize> = geometry.indices(channel, target).collect();
        let old = length(norm, indices.iter().map(|&i| &delta[i])) + TINY;
        let shape: Vec<f64> = indices.iter().zip(&bump).map(|(&i, b)| sign * b + delta[i] / old).collect();
        let within = mass(norm, indices.iter().map(|&i| &delta[i]));
        indices.iter().for_each(|&i| delta[i] = 0.0);
        let emptied = mass(norm, geometry.indices(channel, source).map(|i| delta[i]).collect::<Vec<_>>().iter());
        geometry.indices(channel, source).for_each(|i| delta[i] = 0.0);
        let scale = excess * root(norm, unused + within + emptied) / (length(norm, shape.iter()) + TINY);
        indices.iter().zip(&shape).for_each(|(&i, s)| delta[i] = s * scale);
    }
    place(center, &delta, ball)
}

// The direction of delta at distance ε, in ℓ1 delta itself; projected.
fn place(center: &[f32], delta: &[f64], ball: &Ball) -> Vec<f32> {
    let factor = match ball.norm() {
        Norm::L1 => 1.0,
        norm => ball.epsilon() / length(norm, delta.iter()).max(f64::MIN_POSITIVE),
    };
    let mut x: Vec<f32> = center.iter().zip(delta).map(|(&c, d)| (f64::from(c) + factor * d) as f32).collect();
    ball.project(center, &mut x);
    x
}

// The update of §3.4 of the paper: a positive bump next to a negative one, of norm 1; split along the longer axis, along
// either if square.
fn dipole(norm: Norm, height: usize, width: usize, rng: &mut impl Rng) -> Vec<f64> {
    let by_rows = if height == width { rng.random::<bool>() } else { height > width };
    let (long, short) = if by_rows { (height, width) } else { (width, height) };
    let mut upright = bump(norm, long / 2, short);
    upright.extend(bump(norm, long - long / 2, short).iter().map(|b| -b));
    let total = length(norm, upright.iter());
    let at = |row: usize, column: usize| if by_rows { row * width + column } else { column * height + row };
    (0..height * width).map(|i| upright[at(i / width, i % width)] / total).collect()
}

// Nested rectangles around the middle, the k-th of weight 1/k², in ℓ1 1/k⁴; norm 1.
fn bump(norm: Norm, height: usize, width: usize) -> Vec<f64> {
    let (middle_row, middle_column) = (height as isize / 2, width as isize / 2);
    let mut values = vec![0.0; height * width];
    for k in 0..=middle_row.max(middle_column) {
        let weight = ((k + 1) as f64).powi(if norm == Norm::L1 { -4 } else { -2 });
        let span = |middle: isize, size: usize| {
            let (start, end) = (middle - k, middle + k + 1);
            start.max(0) as usize..(end as usize).min(size)
        };
        for row in span(middle_row, height) {
            span(middle_column, width).for_each(|column| values[row * width + column] += weight);
        }
    }
    let total = length(norm, values.iter()).max(f64::MIN_POSITIVE);
    values.iter().map(|v| v / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    // By hand: rectangles 1×1 of weight 1 and 3×3 of weight 1/4 around the middle.
    #[test]
    fn bump_is_the_sum_of_nested_rectangles() {
        let norm = (1.25f64.powi(2) + 8.0 / 16.0).sqrt();
        let expected = [0.25, 0.25, 0.25, 0.25, 1.25, 0.25, 0.25, 0.25, 0.25];
        for (b, e) in bump(Norm::L2, 3, 3).iter().zip(expected) {
            assert!((b - e / norm).abs() < 1e-15);
        }
    }

    #[test]
    fn dipole_has_norm_one_and_halves_of_opposite_sign() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (height, width) in [(1, 1), (3, 3), (7, 7), (1, 8), (9, 4)] {
            let values = dipole(Norm::L2, height, width, &mut rng);
            assert!((mass(Norm::L2, values.iter()) - 1.0).abs() < 1e-12);
            let positive = values.iter().filter(|&&v| v > 0.0).count();
            let (long, short) = (height.max(width), height.min(width));
            assert_eq!(positive, long / 2 * short);
        }
    }

    #[test]
    fn points_use_the_whole_budget_where_bounds_allow() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for geometry in [(3, 12, 12), (1, 1, 40), (2, 30, 4), (1, 1, 2)] {
            let geometry = Geometry { channels: geometry.0, height: geometry.1, width: geometry.2 };
            let ball = Ball::new(Norm::L2, 0.5, (-10.0, 10.0)).unwrap();
            let center = vec![0.5f32; geometry.count()];
            let mut x = start(&center, &ball, &geometry, &mut rng);
            for round in 0..40 {
                let share = [0.8, 0.4, 0.1, 0.01][round % 4];
                let distance = ball.distance(&center, &x);
                assert!(distance <= 0.5 && distance > 0.4999, "{geometry:?}: {distance}");
                x = propose(&center, &x, &ball, &geometry, share, &mut rng);
            }
        }
    }

    #[test]
    fn sparse_points_use_the_budget() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let geometry = Geometry { channels: 3, height: 12, width: 12 };
        let ball = Ball::new(Norm::L1, 4.0, (0.0, 1.0)).unwrap();
        let center = vec![0.5f32; 432];
        let mut x = start(&center, &ball, &geometry, &mut rng);
        for _ in 0..40 {
            let distance = ball.distance(&center, &x);
            assert!(distance <= 4.0 && distance > 3.99, "{distance}");
            x = propose(&center, &x, &ball, &geometry, 0.2, &mut rng);
        }
    }

    // Outside both windows a proposal only rescales.
    #[test]
    fn proposals_change_two_windows() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let geometry = Geometry { channels: 1, height: 20, width: 20 };
        let ball = Ball::new(Norm::L2, 1.0, (-10.0, 10.0)).unwrap();
        let center = vec![0.0f32; 400];
        let x = start(&center, &ball, &geometry, &mut rng);
        for _ in 0..20 {
            let proposal = propose(&center, &x, &ball, &geometry, 0.04, &mut rng);
            // Windows of √(0.04·400) = 4, made odd: 5.
            let changed = (0..400).filter(|&i| (proposal[i] - x[i]).abs() > 1e-4).count();
            assert!((1..=50).contains(&changed), "{changed}");
        }
    }
}
