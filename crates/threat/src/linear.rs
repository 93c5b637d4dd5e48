//! Linear functions over a ball within bounds.

use crate::{Ball, Norm};

impl Ball {
    /// The point of the ball around `center`, bounds included, that minimises `⟨weights, x⟩`; coordinates with weight
    /// zero stay at the centre. Without active bounds the offset is `−ε·sign(w)` for ℓ∞, `−ε·w/‖w‖₂` for ℓ2, and `ε` on
    /// the largest `|wᵢ|` alone for ℓ1. The radius must be finite, and the bounds too for ℓ0: there the `ε` coordinates
    /// that gain most go to their bounds.
    pub fn linear_minimization(&self, center: &[f32], weights: &[f32]) -> Vec<f32> {
        let mut x: Vec<f32> = match self.norm() {
            Norm::Linf => center.iter().zip(weights).map(|(&c, &w)| along(c, w, self.epsilon())).collect(),
            Norm::L2 => self.euclidean_minimum(center, weights),
            Norm::L1 => self.greedy_minimum(center, weights),
            Norm::L0 => self.sparse_minimum(center, weights),
        };
        self.project(center, &mut x);
        x
    }

    // By the optimality conditions x = clip(c − s·w) for some s ≥ 0, and the distance grows with s: bisection.
    fn euclidean_minimum(&self, center: &[f32], weights: &[f32]) -> Vec<f32> {
        let (lo, hi) = (f64::from(self.limits().0), f64::from(self.limits().1));
        let moved = |c: f32, w: f32, s: f64| (f64::from(c) - s * f64::from(w)).clamp(lo, hi);
        let length = |s: f64| {
            let squares = center.iter().zip(weights).map(|(&c, &w)| (moved(c, w, s) - f64::from(c)).powi(2));
            squares.sum::<f64>().sqrt()
        };
        let norm = weights.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>().sqrt();
        if norm == 0.0 || norm.is_nan() {
            return center.to_vec();
        }
        // Without bounds this is the answer; with them it is too short.
        let mut below = self.epsilon() / norm;
        let mut above = below;
        for _ in 0..DOUBLINGS {
            if length(above) >= self.epsilon() {
                break;
            }
            (below, above) = (above, 2.0 * above);
        }
        for _ in 0..BISECTIONS {
            let middle = 0.5 * (below + above);
            if length(middle) < self.epsilon() {
                below = middle;
            } else {
                above = middle;
            }
        }
        center.iter().zip(weights).map(|(&c, &w)| moved(c, w, above) as f32).collect()
    }

    fn sparse_minimum(&self, center: &[f32], weights: &[f32]) -> Vec<f32> {
        let (lo, hi) = self.limits();
        let limit = |i: usize| if weights[i] > 0.0 { lo } else { hi };
        let gain = |i: usize| f64::from(weights[i]).abs() * (f64::from(limit(i)) - f64::from(center[i])).abs();
        let mut order: Vec<usize> = (0..weights.len()).filter(|&i| weights[i] != 0.0).collect();
        order.sort_by(|&i, &j| gain(j).total_cmp(&gain(i)));
        let mut x = center.to_vec();
        order.iter().take(self.epsilon().min(x.len() as f64) as usize).for_each(|&i| x[i] = limit(i));
        x
    }

    // Each unit of budget goes where it lowers the sum most, as long as there is room.
    fn greedy_minimum(&self, center: &[f32], weights: &[f32]) -> Vec<f32> {
        let (lo, hi) = self.limits();
        let mut order: Vec<usize> = (0..weights.len()).filter(|&i| weights[i] != 0.0).collect();
        order.sort_by(|&i, &j| weights[j].abs().total_cmp(&weights[i].abs()));
        let mut x = center.to_vec();
        let mut left = self.epsilon();
        for i in order {
            let limit = if weights[i] > 0.0 { lo } else { hi };
            let step = (f64::from(limit) - f64::from(center[i])).abs().min(left);
            x[i] = along(center[i], weights[i], step);
            left -= step;
            if left <= 0.0 {
                break;
            }
        }
        x
    }
}

// Beyond these factors of the unbounded step only coordinates with vanishing weight still move.
const DOUBLINGS: usize = 100;
const BISECTIONS: usize = 60;

fn along(c: f32, weight: f32, step: f64) -> f32 {
    if weight > 0.0 {
        (f64::from(c) - step) as f32
    } else if weight < 0.0 {
        (f64::from(c) + step) as f32
    } else {
        c
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn inner(weights: &[f32], x: &[f32]) -> f64 {
        weights.iter().zip(x).map(|(&w, &v)| f64::from(w) * f64::from(v)).sum()
    }

    // The minimum over a ball without bounds is ⟨w, c⟩ − ε·‖w‖ in the dual norm.
    #[test]
    fn reaches_the_dual_norm_without_bounds() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for (norm, dual) in [(Norm::L1, Norm::Linf), (Norm::L2, Norm::L2), (Norm::Linf, Norm::L1)] {
            let ball = Ball::new(norm, 0.7, (f64::NEG_INFINITY, f64::INFINITY)).unwrap();
            for _ in 0..100 {
                let center: Vec<f32> = (0..9).map(|_| rng.random_range(-1.0..1.0)).collect();
                let weights: Vec<f32> = (0..9).map(|_| rng.random_range(-1.0..1.0)).collect();
                let expected = inner(&weights, &center) - 0.7 * crate::distance(dual, &[0.0; 9], &weights);
                let x = ball.linear_minimization(&center, &weights);
                assert!(ball.contains(&center, &x));
                assert!((inner(&weights, &x) - expected).abs() < 1e-5, "{norm:?}");
            }
        }
    }

    #[test]
    fn no_point_of_the_bounded_ball_is_lower() {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        for round in 0..150 {
            let norm = [Norm::L1, Norm::L2, Norm::Linf, Norm::L0][round % 4];
            let epsilon = if norm == Norm::L0 { 2.0 } else { rng.random_range(0.05..1.5) };
            let ball = Ball::new(norm, epsilon, (0.0, 1.0)).unwrap();
            let center: Vec<f32> = (0..4).map(|_| rng.random_range(0.0..=1.0)).collect();
            let weights: Vec<f32> = (0..4).map(|_| rng.random_range(-1.0..1.0)).collect();
            let x = ball.linear_minimization(&center, &weights);
            assert!(ball.contains(&center, &x));
            let lowest = inner(&weights, &x);
            for _ in 0..2000 {
                let z = ball.sample(&center, &mut rng);
                assert!(inner(&weights, &z) >= lowest - 1e-6, "{norm:?}");
            }
        }
    }

    // From the corner (0, 0.5) with w = (1, −0.1): the first coordinate cannot move, all of ε goes to the second.
    #[test]
    fn budget_goes_where_there_is_room() {
        for norm in [Norm::L1, Norm::L2, Norm::Linf] {
            let ball = Ball::new(norm, 0.25, (0.0, 1.0)).unwrap();
            let x = ball.linear_minimization(&[0.0, 0.5], &[1.0, -0.1]);
            assert!(x[0] == 0.0 && (x[1] - 0.75).abs() < 1e-6, "{norm:?}: {x:?}");
        }
        let ball = Ball::new(Norm::L2, 0.25, (0.0, 1.0)).unwrap();
        assert_eq!(ball.linear_minimization(&[0.2, 0.5], &[0.0, 0.0]), [0.2, 0.5]);
    }
}
