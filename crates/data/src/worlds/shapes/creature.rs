//! Creatures: procedural individuals, each the same wherever its seed occurs.

use crate::worlds::stream::stream;
use rand::RngExt;
use std::f32::consts::TAU;

/// Harmonics of the outline, from the second on; the first would only move the creature.
const HARMONICS: usize = 5;

/// An individual: a closed outline r(θ) = ρ·(1 + Σ aₖ cos kθ + bₖ sin kθ), k = 2…6, two colours, markings and eyes.
#[derive(Clone, Debug, PartialEq)]
pub struct Creature {
    /// Hue of the body, [0, 1).
    pub hue: f32,
    /// Turn from the body's hue to that of the markings, [0.2, 0.8).
    pub second_hue: f32,
    /// What the markings look like.
    pub marking: Marking,
    /// Their period, as a fraction of the circumradius, [0.4, 0.7).
    pub period: f32,
    /// Distance of each eye from the axis, and of the eyes from the centre along the axis (towards the head, −y in
    /// the creature's own axes), as fractions of the circumradius.
    pub eyes: [f32; 2],
    /// Radius of an eye, as a fraction of the circumradius.
    pub eye_radius: f32,
    /// Coefficients aₖ and bₖ, with Σ √(aₖ² + bₖ²) ≤ 0.4: the outline is a star domain with inner radius above 0.4.
    pub harmonics: [[f32; 2]; HARMONICS],
    /// ρ: such that the outline's largest radius is the circumradius 1.
    mean_radius: f32,
}

/// Markings of a creature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Marking {
    /// Round spots on a square lattice.
    Spots,
    /// Bands across the axis.
    Bands,
    /// The half away from the head.
    Half,
}

impl Marking {
    /// All markings.
    pub const ALL: [Marking; 3] = [Marking::Spots, Marking::Bands, Marking::Half];
}

impl Creature {
    /// The individual of a seed.
    pub fn from_seed(identity: u64) -> Creature {
        let mut rng = stream("creature", identity, 0);
        let mut harmonics = [[0.0; 2]; HARMONICS];
        let mut shares = [0.0f32; HARMONICS];
        for (k, share) in shares.iter_mut().enumerate() {
            *share = rng.random_range(0.05..1.0f32) / (k + 2) as f32;
        }
        let total: f32 = shares.iter().sum();
        for (pair, share) in harmonics.iter_mut().zip(shares) {
            let (sin, cos) = rng.random_range(0.0..TAU).sin_cos();
            *pair = [cos, sin].map(|v| 0.4 * share / total * v);
        }
        let mut creature = Creature {
            hue: rng.random_range(0.0..1.0),
            second_hue: rng.random_range(0.2..0.8),
            marking: Marking::ALL[rng.random_range(0..Marking::ALL.len())],
            period: rng.random_range(0.4..0.7),
            eyes: [rng.random_range(0.16..0.28), rng.random_range(0.1..0.35)],
            eye_radius: rng.random_range(0.09..0.15),
            harmonics,
            mean_radius: 1.0,
        };
        // The largest radius on a grid so fine that 0.1 % at most is missed: |r″| ≤ 0.4·36, grid 2π/360.
        let largest = (0..360).map(|i| (TAU * i as f32 / 360.0).sin_cos()).map(|(s, c)| creature.radius(c, s).0);
        creature.mean_radius = 1.0 / (1.001 * largest.fold(0.0, f32::max));
        creature
    }

    /// The outline's radius and its derivative in the direction (cos θ, sin θ).
    fn radius(&self, cos: f32, sin: f32) -> (f32, f32) {
        let (mut c, mut s) = (cos, sin);
        let (mut radius, mut slope) = (1.0, 0.0);
        for (k, [a, b]) in self.harmonics.iter().enumerate() {
            (c, s) = (c * cos - s * sin, s * cos + c * sin);
            radius += a * c + b * s;
            slope += (k + 2) as f32 * (b * c - a * s);
        }
        (self.mean_radius * radius, self.mean_radius * slope)
    }

    /// Distance from `[x, y]` to the outline to first order, negative inside; circumradius 1, own axes.
    pub(crate) fn signed_distance(&self, [x, y]: [f32; 2]) -> f32 {
        let distance = x.hypot(y);
        if distance < 1e-6 {
            return -self.mean_radius;
        }
        let (radius, slope) = self.radius(x / distance, y / distance);
        // Off the outline the slope counts less: the field stays smooth at the centre.
        let slope = slope * (distance / radius).min(1.0);
        (distance - radius) * radius / radius.hypot(slope)
    }

    /// How much of the second colour is seen at `[x, y]`: 0 or 1, with an edge of width `blur`.
    pub(crate) fn marking_share(&self, [x, y]: [f32; 2], blur: f32) -> f32 {
        let inside = match self.marking {
            Marking::Spots => {
                let [u, v] = [x, y].map(|t| ((t / self.period).rem_euclid(1.0) - 0.5) * self.period);
                0.32 * self.period - u.hypot(v)
            }
            Marking::Bands => 0.25 * self.period - ((y / self.period).rem_euclid(1.0) - 0.5).abs() * self.period,
            Marking::Half => y - 0.05,
        };
        (inside / blur + 0.5).clamp(0.0, 1.0)
    }

    /// The level of the eyes at `[x, y]`, 1 for white and 0 for the pupil, and how much of them covers the point.
    pub(crate) fn eye(&self, [x, y]: [f32; 2], blur: f32) -> (f32, f32) {
        let distance = (x.abs() - self.eyes[0]).hypot(y + self.eyes[1]);
        let cover = |radius: f32| ((radius - distance) / blur + 0.5).clamp(0.0, 1.0);
        (1.0 - cover(0.5 * self.eye_radius), cover(self.eye_radius))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlines_are_closed_and_lie_in_the_unit_disc() {
        for identity in 0..200 {
            let creature = Creature::from_seed(identity);
            let radii = (0..5000).map(|i| (TAU * i as f32 / 5000.0).sin_cos()).map(|(s, c)| creature.radius(c, s).0);
            let (min, max) = radii.fold((9.0f32, 0.0f32), |(a, b), r| (a.min(r), b.max(r)));
            assert!(min > 0.4 && max <= 1.0 && max > 0.99, "{identity}: {min} to {max}");
        }
    }

    #[test]
    fn slope_is_the_derivative() {
        let creature = Creature::from_seed(3);
        let at = |angle: f32| creature.radius(angle.cos(), angle.sin());
        for i in 0..40 {
            let angle = 0.157 * i as f32;
            let difference = (at(angle + 1e-2).0 - at(angle - 1e-2).0) / 2e-2;
            assert!((difference - at(angle).1).abs() < 5e-3, "{difference} and {}", at(angle).1);
        }
    }

    #[test]
    fn individuals_differ() {
        let all: Vec<Creature> = (0..100).map(Creature::from_seed).collect();
        assert_eq!(all[17], Creature::from_seed(17));
        for (i, a) in all.iter().enumerate() {
            for b in &all[..i] {
                let gap: f32 =
                    a.harmonics.as_flattened().iter().zip(b.harmonics.as_flattened()).map(|(p, q)| (p - q).abs()).sum();
                assert!(gap > 0.02, "two of a hundred have nearly one outline");
            }
        }
    }
}
