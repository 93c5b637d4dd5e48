//! Textures of backgrounds and figures.

use rand::{Rng, RngExt};
use std::f32::consts::{FRAC_1_SQRT_2, TAU};

/// What a surface looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Texture {
    /// A linear change along one direction.
    Gradient,
    /// Sine waves along one direction.
    Stripes,
    /// A soft chequerboard.
    Checker,
    /// Value noise: random levels on a lattice, interpolated smoothly.
    Noise,
}

impl Texture {
    /// All textures.
    pub const ALL: [Texture; 4] = [Texture::Gradient, Texture::Stripes, Texture::Checker, Texture::Noise];
}

/// Lattice points per side of the noise texture, which repeats beyond them.
const LATTICE: usize = 8;

/// A texture with its parameters: a function from the unit square to levels in [0, 1].
pub(crate) struct Background {
    texture: Texture,
    direction: [f32; 2],
    period: f32,
    lattice: [[f32; LATTICE]; LATTICE],
}

impl Background {
    /// A texture turned by `angle` radians that repeats every `period` (fraction of the image's side).
    pub(crate) fn new(texture: Texture, angle: f32, period: f32, rng: &mut impl Rng) -> Background {
        let mut lattice = [[0.0; LATTICE]; LATTICE];
        if texture == Texture::Noise {
            lattice.as_flattened_mut().iter_mut().for_each(|v| *v = rng.random());
        }
        Background { texture, direction: [angle.cos(), angle.sin()], period, lattice }
    }

    /// The level at `(x, y)`, fractions of the image's side.
    pub(crate) fn level(&self, x: f32, y: f32) -> f32 {
        let [c, s] = self.direction;
        let (u, v) = (c * (x - 0.5) + s * (y - 0.5), c * (y - 0.5) - s * (x - 0.5));
        let wave = |t: f32| (TAU * t / self.period).sin();
        match self.texture {
            Texture::Gradient => 0.5 + u * FRAC_1_SQRT_2,
            Texture::Stripes => 0.5 + 0.5 * wave(u),
            Texture::Checker => (0.5 + 2.0 * wave(0.5 * u) * wave(0.5 * v)).clamp(0.0, 1.0),
            Texture::Noise => self.noise(u / self.period, v / self.period),
        }
    }

    fn noise(&self, u: f32, v: f32) -> f32 {
        let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
        let (i, j) = (u.floor(), v.floor());
        let (s, t) = (smooth(u - i), smooth(v - j));
        let at = |di: i32, dj: i32| {
            let wrap = |k: i32| k.rem_euclid(LATTICE as i32) as usize;
            self.lattice[wrap(j as i32 + dj)][wrap(i as i32 + di)]
        };
        let top = at(0, 0) + s * (at(1, 0) - at(0, 0));
        let bottom = at(0, 1) + s * (at(1, 1) - at(0, 1));
        top + t * (bottom - top)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn levels_lie_in_the_unit_interval_and_vary() {
        for texture in Texture::ALL {
            let background = Background::new(texture, 0.7, 0.3, &mut ChaCha8Rng::seed_from_u64(5));
            let levels: Vec<f32> =
                (0..400).map(|i| background.level((i % 20) as f32 / 19.0, (i / 20) as f32 / 19.0)).collect();
            let (min, max) = levels.iter().fold((1.0f32, 0.0f32), |(a, b), &v| (a.min(v), b.max(v)));
            assert!(min >= -1e-6 && max <= 1.0 + 1e-6 && max - min > 0.3, "{texture:?}: {min} to {max}");
        }
    }

    #[test]
    fn noise_passes_through_its_lattice() {
        let background = Background::new(Texture::Noise, 0.0, 0.25, &mut ChaCha8Rng::seed_from_u64(5));
        // (0.5 + 2·period, 0.5 + period) is lattice point (2, 1).
        assert!((background.level(1.0, 0.75) - background.lattice[1][2]).abs() < 1e-6);
    }
}
