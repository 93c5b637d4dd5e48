//! Nested sets of perturbations around a random direction.

use crate::{Ball, Norm};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::f64::consts::PI;

/// Sets of perturbations of a ball, of sizes from 0, a direction alone, to the whole ball.
pub(super) enum Region {
    /// Perturbations of length ε or less within the angle `size·π/resolution` of a unit vector.
    Cone { axis: Vec<f64>, epsilon: f64, resolution: usize },
    /// Perturbations of a cube that agree with a vertex in all but the first `size` coordinates of an order.
    SubCube { vertex: Vec<f64>, order: Vec<usize>, epsilon: f64 },
}

impl Region {
    /// Around a random direction: a cone for ℓ2, a sub-cube otherwise.
    pub fn draw(ball: &Ball, width: usize, resolution: usize, rng: &mut ChaCha8Rng) -> Region {
        let epsilon = ball.epsilon();
        if ball.norm() == Norm::L2 {
            let mut axis: Vec<f64> = (0..width).map(|_| StandardNormal.sample(rng)).collect();
            let length = dot(&axis, &axis).sqrt().max(f64::MIN_POSITIVE);
            axis.iter_mut().for_each(|v| *v /= length);
            return Region::Cone { axis, epsilon, resolution };
        }
        let vertex = (0..width).map(|_| if rng.random() { epsilon } else { -epsilon }).collect();
        let mut order: Vec<usize> = (0..width).collect();
        order.shuffle(rng);
        Region::SubCube { vertex, order, epsilon }
    }

    /// The unit vector, or the vertex.
    pub fn direction(&self) -> &[f64] {
        match self {
            Region::Cone { axis, .. } => axis,
            Region::SubCube { vertex, .. } => vertex,
        }
    }

    /// In which order coordinates are freed.
    #[cfg(test)]
    pub fn order(&self) -> &[usize] {
        match self {
            Region::Cone { .. } => &[],
            Region::SubCube { order, .. } => order,
        }
    }

    /// A size as an angle in radians, or a number of coordinates.
    pub fn measure(&self, size: usize) -> f64 {
        match self {
            Region::Cone { resolution, .. } => PI * size as f64 / *resolution as f64,
            Region::SubCube { .. } => size as f64,
        }
    }

    /// The nearest point of the set of this size.
    pub fn project(&self, size: usize, delta: &mut [f64]) {
        match self {
            Region::Cone { axis, epsilon, .. } => {
                turn(axis, self.measure(size), delta);
                let length = dot(delta, delta).sqrt();
                if length > *epsilon {
                    delta.iter_mut().for_each(|d| *d *= epsilon / length);
                }
            }
            Region::SubCube { vertex, order, epsilon } => {
                let (free, tied) = order.split_at(size);
                free.iter().for_each(|&i| delta[i] = delta[i].clamp(-epsilon, *epsilon));
                tied.iter().for_each(|&i| delta[i] = vertex[i]);
            }
        }
    }
}

// The nearest point within an angle of the axis: on the ray in the plane of both, or the origin.
fn turn(axis: &[f64], angle: f64, delta: &mut [f64]) {
    let along = dot(axis, delta);
    let across = (dot(delta, delta) - along * along).max(0.0).sqrt();
    if across.atan2(along) <= angle {
        return;
    }
    let (sine, cosine) = angle.sin_cos();
    let length = (along * cosine + across * sine).max(0.0);
    // A point opposite to the axis has no plane of its own: all rays are as near, and the axis is taken if that is one.
    let scale = if across > 0.0 { length * sine / across } else { 0.0 };
    delta.iter_mut().zip(axis).for_each(|(d, a)| *d = length * cosine * a + scale * (*d - along * a));
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    // Against the nearest of many points of the set, in the plane.
    #[test]
    fn cones_project_to_the_nearest_point() {
        let region = Region::Cone { axis: vec![0.6, 0.8], epsilon: 1.0, resolution: 8 };
        for size in 0..=8 {
            for point in [[1.5, 0.2], [-0.3, 0.4], [-0.5, -0.9], [0.2, 0.1]] {
                let mut found = point.to_vec();
                region.project(size, &mut found);
                let distance = |q: [f64; 2]| (q[0] - point[0]).hypot(q[1] - point[1]);
                let grid = (0..=200).flat_map(|t| (0..=200).map(move |r| (t, f64::from(r) / 200.0)));
                let best = grid.map(|(t, r)| {
                    let angle = region.measure(size) * (f64::from(t) / 100.0 - 1.0) + 0.8f64.atan2(0.6);
                    distance([r * angle.cos(), r * angle.sin()])
                });
                let best = best.fold(f64::INFINITY, f64::min);
                // Convex sets: the projection to the cone first is the projection to both.
                assert!((distance([found[0], found[1]]) - best).abs() < 2e-2, "{size} {point:?} {found:?}");
            }
        }
    }

    #[test]
    fn cubes_are_tied_beyond_the_first_coordinates() {
        let ball = Ball::new(Norm::Linf, 0.5, (0.0, 1.0)).unwrap();
        let region = Region::draw(&ball, 6, 1, &mut ChaCha8Rng::seed_from_u64(2));
        let mut delta = vec![0.1, -0.9, 0.3, 0.7, -0.2, 0.0];
        let free = delta.clone();
        region.project(2, &mut delta);
        for (place, &i) in region.order().iter().enumerate() {
            let expected = if place < 2 { free[i].clamp(-0.5, 0.5) } else { region.direction()[i] };
            assert_eq!(delta[i], expected);
        }
    }
}
