//! The nearest point of a hyperplane within the range of a pixel.

use crate::Norm;

/// The smallest step `d`, in `norm`, that changes `⟨normal, x⟩` by `change` and keeps every coordinate of `x + d` in
/// `limits` (lower, upper; may be infinite; `x` lies within): the projection onto a hyperplane within a box of Croce and
/// Hein 2020 (FAB, eq. 4). Where the box does not reach the hyperplane, the step goes to the point of the box nearest to
/// it. Coordinates with weight zero do not move. For ℓ0 the step changes the fewest coordinates.
pub fn step_to_hyperplane(norm: Norm, x: &[f32], normal: &[f32], change: f64, limits: (f32, f32)) -> Vec<f64> {
    // How far each coordinate can go in the direction that helps.
    let upwards = |w: f32| (w > 0.0) == (change > 0.0);
    let room = |(&v, &w): (&f32, &f32)| match w {
        0.0 => 0.0,
        _ if upwards(w) => f64::from(limits.1) - f64::from(v),
        _ => f64::from(v) - f64::from(limits.0),
    };
    let rooms: Vec<f64> = x.iter().zip(normal).map(room).collect();
    let lengths = match norm {
        Norm::L0 => greedy(&rooms, normal, change.abs(), |i| rooms[i] * f64::from(normal[i]).abs()),
        Norm::L1 => greedy(&rooms, normal, change.abs(), |i| f64::from(normal[i]).abs()),
        Norm::L2 => rising(&rooms, normal, change.abs(), |w| w),
        Norm::Linf => rising(&rooms, normal, change.abs(), |_| 1.0),
    };
    lengths.into_iter().zip(normal).map(|(d, &w)| if upwards(w) { d } else { -d }).collect()
}

// The multiplier s with Σ |wᵢ|·min(s·rate(|wᵢ|), roomᵢ) = change gives the lengths min(s·rate, room). Each round solves
// for s as if no further coordinate reached its limit; s only grows, so that those at their limit stay there.
fn rising(rooms: &[f64], normal: &[f32], change: f64, rate: impl Fn(f64) -> f64) -> Vec<f64> {
    let weight = |i: usize| f64::from(normal[i]).abs();
    let length = |i: usize, s: f64| if weight(i) == 0.0 { 0.0 } else { rooms[i].min(s * rate(weight(i))) };
    let (mut s, mut stopped) = (0.0, usize::MAX);
    loop {
        let (mut left, mut slope, mut count) = (change, 0.0, 0);
        for (i, &room) in rooms.iter().enumerate() {
            if weight(i) == 0.0 {
                continue;
            }
            if s * rate(weight(i)) >= room {
                left -= weight(i) * room;
                count += 1;
            } else {
                slope += weight(i) * rate(weight(i));
            }
        }
        if count == stopped || slope == 0.0 {
            // Without slope all coordinates are at their limits, and the hyperplane is out of reach.
            return (0..rooms.len()).map(|i| length(i, if slope == 0.0 { f64::INFINITY } else { s })).collect();
        }
        (s, stopped) = (s.max(left / slope), count);
    }
}

// Whole coordinates in the order of their `worth`, the last one in part.
fn greedy(rooms: &[f64], normal: &[f32], change: f64, worth: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..rooms.len()).filter(|&i| rooms[i] > 0.0 && normal[i] != 0.0).collect();
    order.sort_by(|&i, &j| worth(j).total_cmp(&worth(i)));
    let (mut lengths, mut left) = (vec![0.0; rooms.len()], change);
    for i in order {
        if left <= 0.0 {
            break;
        }
        let weight = f64::from(normal[i]).abs();
        lengths[i] = rooms[i].min(left / weight);
        left -= weight * lengths[i];
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const NORMS: [Norm; 4] = [Norm::L0, Norm::L1, Norm::L2, Norm::Linf];

    fn length(norm: Norm, d: &[f64]) -> f64 {
        match norm {
            Norm::L0 => d.iter().filter(|d| d.abs() > 1e-9).count() as f64,
            Norm::L1 => d.iter().map(|d| d.abs()).sum(),
            Norm::L2 => d.iter().map(|d| d * d).sum::<f64>().sqrt(),
            Norm::Linf => d.iter().fold(0.0, |m, d| f64::max(m, d.abs())),
        }
    }

    fn inner(w: &[f32], d: &[f64]) -> f64 {
        w.iter().zip(d).map(|(&w, d)| f64::from(w) * d).sum()
    }

    // Without bounds the distance to a hyperplane is |change|/‖w‖ in the dual norm.
    #[test]
    fn distance_without_bounds_is_the_closed_form() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..200 {
            let w: Vec<f32> = (0..7).map(|_| rng.random_range(-1.0..1.0)).collect();
            let change = rng.random_range(-2.0..2.0f64);
            let dual = [
                (Norm::L1, w.iter().fold(0.0, |m: f64, &v| m.max(f64::from(v).abs()))),
                (Norm::L2, w.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt()),
                (Norm::Linf, w.iter().map(|&v| f64::from(v).abs()).sum()),
            ];
            for (norm, dual) in dual {
                let d = step_to_hyperplane(norm, &[0.5; 7], &w, change, (f32::NEG_INFINITY, f32::INFINITY));
                assert!((inner(&w, &d) - change).abs() < 1e-9, "{norm:?}");
                assert!((length(norm, &d) - change.abs() / dual).abs() < 1e-9, "{norm:?}");
            }
        }
    }

    // Brute force: no step on a fine grid over the other coordinates, completed by the last one, is shorter.
    #[test]
    fn no_step_within_bounds_is_shorter() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut compared = 0;
        for round in 0..240 {
            let norm = NORMS[round % 4];
            let x: Vec<f32> = (0..3).map(|_| rng.random_range(0.0..=1.0)).collect();
            let mut w: Vec<f32> = (0..3).map(|_| rng.random_range(-1.0..1.0)).collect();
            w[2] = 0.5 * w[2].signum() + w[2];
            let change = rng.random_range(-1.0..1.0f64);
            let d = step_to_hyperplane(norm, &x, &w, change, (0.0, 1.0));
            let moved = |d: &[f64]| (0..3).map(|i| f64::from(x[i]) + d[i]).collect::<Vec<f64>>();
            assert!(moved(&d).iter().all(|v| (-1e-12..=1.0 + 1e-12).contains(v)));
            let reach = step_to_hyperplane(Norm::Linf, &x, &w, change.signum() * 1e9, (0.0, 1.0));
            if inner(&w, &reach).abs() < change.abs() {
                assert!((inner(&w, &d) - inner(&w, &reach)).abs() < 1e-9, "as near as the box allows");
                continue;
            }
            assert!((inner(&w, &d) - change).abs() < 1e-9);
            for (a, b) in (0..=60).flat_map(|a| (0..=60).map(move |b| (a, b))) {
                // 0 exactly is on the grid too, for ℓ0.
                let at = |k: i32, i: usize| if k == 60 { 0.0 } else { f64::from(k) / 59.0 - f64::from(x[i]) };
                let (first, second) = (at(a, 0), at(b, 1));
                let last = (change - f64::from(w[0]) * first - f64::from(w[1]) * second) / f64::from(w[2]);
                let other = [first, second, last];
                if (0.0..=1.0).contains(&(f64::from(x[2]) + last)) {
                    assert!(length(norm, &other) >= length(norm, &d) - 1e-9, "{norm:?}: {other:?} and {d:?}");
                    compared += 1;
                }
            }
        }
        assert!(compared > 50_000, "{compared}");
    }

    #[test]
    fn degenerate_hyperplanes_give_finite_steps() {
        for norm in NORMS {
            assert_eq!(step_to_hyperplane(norm, &[0.5, 0.5], &[0.0, 0.0], 1.0, (0.0, 1.0)), [0.0, 0.0]);
            assert_eq!(step_to_hyperplane(norm, &[0.0, 1.0], &[1.0, -1.0], -1.0, (0.0, 1.0)), [-0.0, 0.0]);
            assert_eq!(step_to_hyperplane(norm, &[0.5], &[2.0], 0.0, (0.0, 1.0)), [0.0]);
        }
    }
}
