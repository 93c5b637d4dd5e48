//! Projection onto a ball within bounds.

use crate::{Ball, Norm};

impl Ball {
    /// Moves `x` to the nearest point of the ball around `center` in Euclidean distance, then into the bounds, then,
    /// where rounding to `f32` left it outside the ball, one unit in the last place towards the centre: the result
    /// satisfies [`Ball::contains`]. A coordinate that is not finite becomes that of the centre.
    ///
    /// Projecting and then clipping stays in the ball because the centre is within the bounds, so that clipping only
    /// shortens differences. It is the projection onto the intersection for ℓ∞; for ℓ2 and ℓ1 it is a point of it.
    pub fn project(&self, center: &[f32], x: &mut [f32]) {
        for (v, &c) in x.iter_mut().zip(center) {
            if !v.is_finite() {
                *v = c;
            }
        }
        match self.norm() {
            Norm::Linf => clamp(center, x, self.epsilon()),
            Norm::L2 => scale_down(center, x, self.epsilon()),
            Norm::L1 => soften(center, x, self.epsilon()),
        }
        self.settle(center, x);
    }

    // Clips to the bounds, and takes back what rounding added to the distance: half a unit in the last place of each
    // coordinate, so a step or two. More means that the centre is out of bounds; then it is the answer.
    fn settle(&self, center: &[f32], x: &mut [f32]) {
        let (lo, hi) = self.limits();
        x.iter_mut().for_each(|v| *v = v.clamp(lo, hi));
        match self.norm() {
            Norm::Linf => x.iter_mut().zip(center).for_each(|(v, c)| self.shorten(&[*c], std::slice::from_mut(v))),
            _ => self.shorten(center, x),
        }
    }

    fn shorten(&self, center: &[f32], x: &mut [f32]) {
        for _ in 0..STEPS {
            if self.distance(center, x) <= self.epsilon() {
                return;
            }
            x.iter_mut().zip(center).for_each(|(v, &c)| *v = towards(*v, c));
        }
        x.copy_from_slice(center);
    }
}

const STEPS: usize = 4;

fn towards(v: f32, c: f32) -> f32 {
    if v > c {
        v.next_down()
    } else if v < c {
        v.next_up()
    } else {
        v
    }
}

fn clamp(center: &[f32], x: &mut [f32], epsilon: f64) {
    for (v, &c) in x.iter_mut().zip(center) {
        let (wide, c) = (f64::from(*v), f64::from(c));
        *v = wide.clamp(c - epsilon, c + epsilon) as f32;
    }
}

fn scale_down(center: &[f32], x: &mut [f32], epsilon: f64) {
    let length = crate::distance(Norm::L2, center, x);
    if length > epsilon {
        let factor = epsilon / length;
        for (v, &c) in x.iter_mut().zip(center) {
            *v = (f64::from(c) + factor * (f64::from(*v) - f64::from(c))) as f32;
        }
    }
}

// Duchi et al. 2008, fig. 1: soft-thresholding by the θ that makes the ℓ1 norm ε, found from the sorted magnitudes.
fn soften(center: &[f32], x: &mut [f32], epsilon: f64) {
    if crate::distance(Norm::L1, center, x) <= epsilon {
        return;
    }
    let difference = |v: f32, c: f32| f64::from(v) - f64::from(c);
    let mut magnitudes: Vec<f64> = x.iter().zip(center).map(|(&v, &c)| difference(v, c).abs()).collect();
    magnitudes.sort_unstable_by(|a, b| b.total_cmp(a));
    let (mut sum, mut theta) = (0.0, 0.0);
    for (count, &m) in magnitudes.iter().enumerate() {
        sum += m;
        let candidate = (sum - epsilon) / (count + 1) as f64;
        if m <= candidate {
            break;
        }
        theta = candidate;
    }
    for (v, &c) in x.iter_mut().zip(center) {
        let d = difference(*v, c);
        *v = (f64::from(c) + d.signum() * (d.abs() - theta).max(0.0)) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const NORMS: [Norm; 3] = [Norm::L1, Norm::L2, Norm::Linf];

    fn points(rng: &mut impl Rng, size: usize, lo: f32, hi: f32) -> Vec<f32> {
        (0..size).map(|_| rng.random_range(lo..=hi)).collect()
    }

    #[test]
    fn result_is_in_ball_and_bounds_whatever_the_size() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for round in 0..3000 {
            let norm = NORMS[round % 3];
            let size = rng.random_range(1..40);
            // Budgets from below the resolution of f32 to far outside the bounds.
            let epsilon = 10f64.powf(rng.random_range(-10.0..3.0));
            let (lo, hi) = if round % 2 == 0 { (0.0, 1.0) } else { (-1000.0, 2000.0) };
            let ball = Ball::new(norm, epsilon, (lo, hi)).unwrap();
            let center = points(&mut rng, size, lo as f32, hi as f32);
            let mut x = points(&mut rng, size, 3.0 * lo as f32 - 1.0, 3.0 * hi as f32);
            if round % 7 == 0 {
                x[0] = [f32::NAN, f32::INFINITY, f32::MAX][round % 3];
            }
            ball.project(&center, &mut x);
            assert!(ball.contains(&center, &x), "{norm:?} {epsilon}: {}", ball.distance(&center, &x));
            let before = x.clone();
            ball.project(&center, &mut x);
            assert_eq!(x, before, "projecting twice is projecting once");
        }
    }

    // A point is the projection onto a convex set exactly if ⟨x − p, z − p⟩ ≤ 0 for all z of the set.
    #[test]
    fn result_is_the_nearest_point_without_bounds() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for round in 0..300 {
            let norm = NORMS[round % 3];
            let ball = Ball::new(norm, rng.random_range(0.1..2.0), (f64::NEG_INFINITY, f64::INFINITY)).unwrap();
            let center = points(&mut rng, 6, -1.0, 1.0);
            let x = points(&mut rng, 6, -3.0, 3.0);
            let mut nearest = x.clone();
            ball.project(&center, &mut nearest);
            for _ in 0..50 {
                let z = ball.sample(&center, &mut rng);
                let product: f64 = (0..6).map(|i| f64::from(x[i] - nearest[i]) * f64::from(z[i] - nearest[i])).sum();
                assert!(product <= 1e-5, "{norm:?}: {product}");
            }
            let outside = ball.distance(&center, &x) > ball.epsilon();
            assert!(!outside || ball.distance(&center, &nearest) > ball.epsilon() * (1.0 - 1e-5));
        }
    }

    // Cases by hand: θ = 0.5 for (2, 1, −0.25) and ε = 2; the ℓ2 projection scales; ℓ∞ clips.
    #[test]
    fn agrees_with_cases_by_hand() {
        let project = |norm, epsilon| {
            let mut x = [2.0, 1.0, -0.25];
            Ball::new(norm, epsilon, (-10.0, 10.0)).unwrap().project(&[0.0; 3], &mut x);
            x
        };
        assert_eq!(project(Norm::L1, 2.0), [1.5, 0.5, 0.0]);
        assert_eq!(project(Norm::Linf, 0.5), [0.5, 0.5, -0.25]);
        let length = (4.0f64 + 1.0 + 0.0625).sqrt();
        for (v, w) in project(Norm::L2, length / 2.0).iter().zip([1.0, 0.5, -0.125]) {
            assert!((v - w).abs() < 1e-6);
        }
    }
}
