//! Named mixtures in the plane.

use super::gaussian::GaussianMixture;
use std::f64::consts::{PI, TAU};

/// Eight Gaussians on a circle of radius 2, standard deviation 0.15, equally likely.
pub fn gmm8() -> GaussianMixture {
    let mode = |k: usize| (on_circle(2.0, TAU * k as f64 / 8.0), k);
    GaussianMixture::isotropic(&(0..8).map(mode).collect::<Vec<_>>(), 0.15)
}

/// Twenty-five Gaussians on the grid {−4, −2, 0, 2, 4}², standard deviation 0.1, equally likely.
pub fn gmm25() -> GaussianMixture {
    let mode = |k: usize| ([2.0 * (k % 5) as f64 - 4.0, 2.0 * (k / 5) as f64 - 4.0], k);
    GaussianMixture::isotropic(&(0..25).map(mode).collect::<Vec<_>>(), 0.1)
}

/// Two interleaved half circles of radius 1, centres (0, −¼) and (1, ¼), shifted by −½ to the left; noise 0.1.
pub fn moons() -> GaussianMixture {
    const STEPS: usize = 128;
    let upper = |k: usize| {
        let [x, y] = on_circle(1.0, PI * (k as f64 + 0.5) / STEPS as f64);
        ([x - 0.5, y - 0.25], 0)
    };
    let lower = |k: usize| {
        let [x, y] = on_circle(1.0, PI * (k as f64 + 0.5) / STEPS as f64);
        ([0.5 - x, 0.25 - y], 1)
    };
    GaussianMixture::isotropic(&(0..STEPS).map(upper).chain((0..STEPS).map(lower)).collect::<Vec<_>>(), 0.1)
}

/// An Archimedean spiral of 1.5 turns from radius 0.6 to 2.2, uniform in arc length; noise 0.08. (The cross-section of
/// the swiss roll.)
pub fn swiss_roll() -> GaussianMixture {
    let arm = archimedean(0.6, 2.2, 1.5, 0.0, 320);
    GaussianMixture::isotropic(&arm.into_iter().map(|p| (p, 0)).collect::<Vec<_>>(), 0.08)
}

/// Circles of radius 0.75, 1.5 and 2.25 around the origin, equally likely; noise 0.08.
pub fn rings() -> GaussianMixture {
    const STEPS: usize = 256;
    let ring = |class: usize| {
        (0..STEPS).map(move |k| (on_circle(0.75 * (class + 1) as f64, TAU * k as f64 / STEPS as f64), class))
    };
    GaussianMixture::isotropic(&(0..3).flat_map(ring).collect::<Vec<_>>(), 0.08)
}

/// Two arms of an Archimedean spiral, each of 1.25 turns from radius 0.3 to 2.2, half a turn apart and uniform in arc
/// length; noise 0.08.
pub fn spiral() -> GaussianMixture {
    let arm = |class: usize| archimedean(0.3, 2.2, 1.25, PI * class as f64, 256).into_iter().map(move |p| (p, class));
    GaussianMixture::isotropic(&(0..2).flat_map(arm).collect::<Vec<_>>(), 0.08)
}

fn on_circle(radius: f64, angle: f64) -> [f64; 2] {
    [radius * angle.cos(), radius * angle.sin()]
}

/// `n` points of equal distance along the arc r = a + b·θ.
fn archimedean(inner: f64, outer: f64, turns: f64, start: f64, n: usize) -> Vec<[f64; 2]> {
    let slope = (outer - inner) / (TAU * turns);
    // Antiderivative of √(r² + r′²) with respect to θ, in terms of r.
    let length = |r: f64| 0.5 * (r * r.hypot(slope) / slope + slope * (r / slope).asinh());
    let (first, whole) = (length(inner), length(outer) - length(inner));
    let at = |k: usize| {
        let wanted = first + whole * (k as f64 + 0.5) / n as f64;
        let (mut low, mut high) = (inner, outer);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if length(middle) < wanted { low = middle } else { high = middle }
        }
        on_circle(low, start + (low - inner) / slope)
    };
    (0..n).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spacing below the noise makes the curve seamless, equal spacing makes it uniform.
    #[test]
    fn spirals_have_equal_steps_below_the_noise() {
        for arm in [archimedean(0.6, 2.2, 1.5, 0.0, 320), archimedean(0.3, 2.2, 1.25, PI, 256)] {
            let steps: Vec<f64> = arm.windows(2).map(|p| (p[0][0] - p[1][0]).hypot(p[0][1] - p[1][1])).collect();
            let (min, max) = steps.iter().fold((9.0f64, 0.0f64), |(a, b), &s| (a.min(s), b.max(s)));
            assert!(max < 0.08 && max - min < 0.01 * max, "{min} to {max}");
            assert!(
                (arm[0][0].hypot(arm[0][1])) < 0.7 && (arm.last().unwrap()[0].hypot(arm.last().unwrap()[1])) > 2.19
            );
        }
    }
}
