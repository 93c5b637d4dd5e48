//! Random points of a ball.

use crate::{Ball, Norm};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, Exp1, StandardNormal};

impl Ball {
    /// A uniformly distributed point of the ball around `center`, clipped to the bounds (so that faces of the bounds
    /// that cut the ball carry more weight). The ball's radius must be finite; if it is not, the centre comes back. For
    /// ℓ0, as many coordinates as the radius allows, chosen at random, are uniform within the bounds, which must be finite
    /// too.
    pub fn sample(&self, center: &[f32], rng: &mut impl Rng) -> Vec<f32> {
        let offsets = match self.norm() {
            Norm::L0 => return self.sparse(center, rng),
            Norm::Linf => center.iter().map(|_| rng.random_range(-1.0..=1.0)).collect(),
            Norm::L2 => euclidean(center.len(), rng),
            Norm::L1 => cross_polytope(center.len(), rng),
        };
        let moved = center.iter().zip(offsets).map(|(&c, o)| (f64::from(c) + self.epsilon() * o) as f32);
        let mut x: Vec<f32> = moved.collect();
        self.project(center, &mut x);
        x
    }

    fn sparse(&self, center: &[f32], rng: &mut impl Rng) -> Vec<f32> {
        let (mut x, (lo, hi)) = (center.to_vec(), self.limits());
        if self.epsilon().is_finite() && lo.is_finite() && hi.is_finite() {
            let count = self.epsilon().min(x.len() as f64) as usize;
            rand::seq::index::sample(rng, x.len(), count).iter().for_each(|i| x[i] = rng.random_range(lo..=hi));
        }
        x
    }
}

// A Gaussian direction, and a radius whose d-th power is uniform.
fn euclidean(size: usize, rng: &mut impl Rng) -> Vec<f64> {
    let direction: Vec<f64> = (0..size).map(|_| StandardNormal.sample(rng)).collect();
    let length = direction.iter().map(|d: &f64| d * d).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    let radius = rng.random::<f64>().powf(1.0 / size as f64);
    direction.into_iter().map(|d| d / length * radius).collect()
}

// The first d of d + 1 exponential variables, divided by their sum, are uniform on the corner of the simplex; random
// signs spread them over the cross-polytope.
fn cross_polytope(size: usize, rng: &mut impl Rng) -> Vec<f64> {
    let weights: Vec<f64> = (0..=size).map(|_| Exp1.sample(rng)).collect();
    let total: f64 = weights.iter().sum();
    weights[..size].iter().map(|w| if rng.random::<bool>() { w / total } else { -w / total }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    // Of a uniform distribution, the concentric ball of radius r·ε holds the share rᵈ; a halfspace through the centre
    // holds half. Bounds of five standard deviations.
    #[test]
    fn points_are_uniform() {
        let draws = 20_000;
        for norm in [Norm::L1, Norm::L2, Norm::Linf] {
            let mut rng = ChaCha8Rng::seed_from_u64(3);
            let ball = Ball::new(norm, 2.0, (-100.0, 100.0)).unwrap();
            let center = [1.0, -2.0, 0.5];
            let points: Vec<Vec<f32>> = (0..draws).map(|_| ball.sample(&center, &mut rng)).collect();
            assert!(points.iter().all(|p| ball.contains(&center, p)));
            let share =
                |inside: &dyn Fn(&[f32]) -> bool| points.iter().filter(|p| inside(p)).count() as f64 / f64::from(draws);
            let tolerance = 5.0 * (0.25 / f64::from(draws)).sqrt();
            for r in [0.4f64, 0.7, 0.9] {
                let found = share(&|p| ball.distance(&center, p) <= 2.0 * r);
                assert!((found - r.powi(3)).abs() < tolerance, "{norm:?} {r}: {found}");
            }
            for axis in 0..3 {
                let found = share(&|p| p[axis] > center[axis]);
                assert!((found - 0.5).abs() < tolerance, "{norm:?} axis {axis}: {found}");
            }
        }
    }

    #[test]
    fn points_stay_within_bounds() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        for norm in [Norm::L0, Norm::L1, Norm::L2, Norm::Linf] {
            let ball = Ball::new(norm, if norm == Norm::L0 { 2.0 } else { 0.5 }, (0.0, 1.0)).unwrap();
            let center = [0.0, 1.0, 0.3, 0.9];
            for _ in 0..500 {
                assert!(ball.contains(&center, &ball.sample(&center, &mut rng)));
            }
        }
    }
}
