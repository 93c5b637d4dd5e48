//! Expectations under a Gaussian.

use std::f64::consts::PI;
use std::sync::LazyLock;

/// Points of Gauss–Legendre quadrature in each panel.
const POINTS: usize = 16;
/// Panels on each side of zero, half a standard deviation wide: beyond 15 the density is below 1e-49.
const PANELS: i32 = 30;

/// `E f(z)` for `z ~ N(0, variance)`, to about 1e-14 of `E |f|` for functions that are smooth but for a kink or a jump at
/// zero and grow at most polynomially.
///
/// Gauss–Legendre quadrature on panels that meet at zero; Gauss–Hermite would converge slowly across the kink.
pub fn expectation(variance: f64, f: impl Fn(f64) -> f64) -> f64 {
    let deviation = variance.sqrt();
    let mut sum = 0.0;
    for panel in -PANELS..PANELS {
        for &(node, weight) in nodes() {
            let z = 0.5 * (f64::from(panel) + 0.5 * (node + 1.0));
            sum += 0.25 * weight * (-0.5 * z * z).exp() * f(deviation * z);
        }
    }
    sum / (2.0 * PI).sqrt()
}

/// Nodes and weights on [-1, 1]: Newton's method on the Legendre polynomial, from the asymptotic roots.
fn nodes() -> &'static [(f64, f64)] {
    static NODES: LazyLock<Vec<(f64, f64)>> = LazyLock::new(|| (0..POINTS).map(node).collect());
    &NODES
}

fn node(index: usize) -> (f64, f64) {
    let n = POINTS as f64;
    let mut x = (PI * (index as f64 + 0.75) / (n + 0.5)).cos();
    let mut derivative = 0.0;
    for _ in 0..20 {
        let (mut previous, mut value) = (1.0, x);
        for k in 2..=POINTS {
            let k = k as f64;
            (previous, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * previous) / k);
        }
        derivative = n * (x * value - previous) / (x * x - 1.0);
        x -= value / derivative;
    }
    (x, 2.0 / ((1.0 - x * x) * derivative * derivative))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        for (power, expected) in [(0, 1.0), (1, 0.0), (2, 1.0), (4, 3.0), (6, 15.0), (8, 105.0)] {
            assert!((expectation(1.0, |z| z.powi(power)) - expected).abs() < 1e-13 * expected.max(1.0), "{power}");
        }
        assert!((expectation(4.0, |z| z.powi(4)) - 48.0).abs() < 1e-11);
        assert!((expectation(1.0, f64::abs) - (2.0 / PI).sqrt()).abs() < 1e-14);
        assert!((expectation(1.0, |z| f64::from(u8::from(z > 0.0))) - 0.5).abs() < 1e-15);
        assert!((expectation(1.0, f64::cos) - (-0.5f64).exp()).abs() < 1e-14);
    }
}
