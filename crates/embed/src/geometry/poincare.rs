//! The Poincaré ball.

use super::{Manifold, dot, squared_distance};

/// The open unit ball of ℝᵈ with the metric `4/(1 − ‖x‖²)²`, of curvature −1.
///
/// Points are kept at a norm of at most `1 −` [`MARGIN`](Self::MARGIN), 12.2 from the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoincareBall {
    /// d.
    pub dim: usize,
}

impl PoincareBall {
    /// How far from the rim points are kept (Nickel & Kiela 2017, eq. 5).
    pub const MARGIN: f64 = 1e-5;

    /// Möbius addition `x ⊕ y` (Ganea et al. 2018, eq. 4), with `y` scaled by `scale`.
    fn mobius_add(x: &[f64], y: &[f64], scale: f64, out: &mut [f64]) {
        let (xx, xy, yy) = (dot(x, x), scale * dot(x, y), scale * scale * dot(y, y));
        let denominator = 1.0 + 2.0 * xy + xx * yy;
        let (along_x, along_y) = ((1.0 + 2.0 * xy + yy) / denominator, scale * (1.0 - xx) / denominator);
        out.iter_mut().zip(x.iter().zip(y)).for_each(|(o, (x, y))| *o = along_x * x + along_y * y);
    }
}

impl Manifold for PoincareBall {
    fn dim(&self) -> usize {
        self.dim
    }

    fn contains(&self, x: &[f64]) -> bool {
        dot(x, x) < 1.0
    }

    /// `arcosh(1 + 2t) = 2 arsinh(√t)` with `t = ‖x − y‖²/((1 − ‖x‖²)(1 − ‖y‖²))`: the second form keeps its precision
    /// where points meet.
    fn dist(&self, x: &[f64], y: &[f64]) -> f64 {
        let t = squared_distance(x, y) / ((1.0 - dot(x, x)) * (1.0 - dot(y, y)));
        2.0 * t.sqrt().asinh()
    }

    /// `x ⊕ tanh(‖v‖/(1 − ‖x‖²))·v/‖v‖`.
    fn expmap(&self, x: &[f64], v: &[f64], out: &mut [f64]) {
        let norm = dot(v, v).sqrt();
        let length = norm / (1.0 - dot(x, x));
        Self::mobius_add(x, v, if norm > 0.0 { length.tanh() / norm } else { 0.0 }, out);
        self.proj(out);
    }

    /// `(1 − ‖x‖²)·artanh(‖w‖)·w/‖w‖` with `w = (−x) ⊕ y`. As `tanh(d/2) = ‖w‖`, the distance stands for the artanh, which
    /// would lose its digits near 1.
    fn logmap(&self, x: &[f64], y: &[f64], out: &mut [f64]) {
        // (−x) ⊕ y = −(x ⊕ (−y)).
        Self::mobius_add(x, y, -1.0, out);
        let norm = dot(out, out).sqrt();
        let scale = if norm > 0.0 { -(1.0 - dot(x, x)) * self.dist(x, y) / (2.0 * norm) } else { 0.0 };
        out.iter_mut().for_each(|o| *o *= scale);
    }

    /// The inverse metric, `(1 − ‖x‖²)²/4`.
    fn egrad2rgrad(&self, x: &[f64], gradient: &mut [f64]) {
        let conformal = 1.0 - dot(x, x);
        gradient.iter_mut().for_each(|g| *g *= conformal * conformal / 4.0);
    }

    fn retr(&self, x: &mut [f64], v: &[f64]) {
        x.iter_mut().zip(v).for_each(|(x, v)| *x += v);
        self.proj(x);
    }

    fn proj(&self, x: &mut [f64]) {
        let norm = dot(x, x).sqrt();
        if norm > 1.0 - Self::MARGIN {
            x.iter_mut().for_each(|x| *x *= (1.0 - Self::MARGIN) / norm);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BALL: PoincareBall = PoincareBall { dim: 3 };

    /// Points at hyperbolic distance up to 6 of the origin.
    fn point() -> impl Strategy<Value = Vec<f64>> {
        (prop::array::uniform3(-1.0..1.0f64), 0.01..6.0f64).prop_map(|(direction, radius)| {
            let norm = dot(&direction, &direction).sqrt().max(1e-3);
            direction.iter().map(|c| c / norm.max(1e-3) * (radius / 2.0).tanh()).collect()
        })
    }

    fn norm_at(x: &[f64], v: &[f64]) -> f64 {
        2.0 / (1.0 - dot(x, x)) * dot(v, v).sqrt()
    }

    /// From the origin the distance is `2 artanh r = ln((1 + r)/(1 − r))`; along a diameter distances add up.
    #[test]
    fn distances_in_closed_form() {
        let ball = PoincareBall { dim: 2 };
        for r in [1e-9f64, 0.1, 0.5, 0.999] {
            let expected = 2.0 * r.atanh();
            assert!((ball.dist(&[0.0, 0.0], &[r * 0.6, r * 0.8]) / expected - 1.0).abs() < 1e-12, "{r}");
            assert!((ball.dist(&[-r, 0.0], &[r, 0.0]) / (2.0 * expected) - 1.0).abs() < 1e-12, "{r}");
        }
        assert_eq!(ball.dist(&[0.3, 0.2], &[0.3, 0.2]), 0.0);
    }

    #[test]
    fn projection_stays_inside() {
        let mut x = [3.0, -4.0, 0.0];
        BALL.proj(&mut x);
        assert!((dot(&x, &x).sqrt() - (1.0 - PoincareBall::MARGIN)).abs() < 1e-15);
        let mut inside = [0.3, 0.4, 0.1];
        BALL.proj(&mut inside);
        assert_eq!(inside, [0.3, 0.4, 0.1]);
    }

    proptest! {
        #[test]
        fn the_exponential_map_undoes_the_logarithm(x in point(), y in point()) {
            let (mut v, mut back) = (vec![0.0; 3], vec![0.0; 3]);
            BALL.logmap(&x, &y, &mut v);
            BALL.expmap(&x, &v, &mut back);
            prop_assert!(squared_distance(&y, &back).sqrt() < 1e-9, "{y:?} {back:?}");
            prop_assert!((norm_at(&x, &v) - BALL.dist(&x, &y)).abs() < 1e-9);
        }

        #[test]
        fn distance_is_a_metric(x in point(), y in point(), z in point()) {
            prop_assert_eq!(BALL.dist(&x, &y), BALL.dist(&y, &x));
            prop_assert!(BALL.dist(&x, &z) <= BALL.dist(&x, &y) + BALL.dist(&y, &z) + 1e-9);
        }

        /// The gradient of `½d(x, y)²` at x is `−log_x(y)`: finite differences through `egrad2rgrad` must give it.
        #[test]
        fn the_riemannian_gradient_of_half_the_squared_distance_is_the_logarithm(x in point(), y in point()) {
            let half_square = |x: &[f64]| 0.5 * BALL.dist(x, &y).powi(2);
            let step = 1e-6 * (1.0 - dot(&x, &x));
            let mut gradient: Vec<f64> = (0..3).map(|i| {
                let moved = |by: f64| { let mut x = x.clone(); x[i] += by; half_square(&x) };
                (moved(step) - moved(-step)) / (2.0 * step)
            }).collect();
            BALL.egrad2rgrad(&x, &mut gradient);
            let mut log = vec![0.0; 3];
            BALL.logmap(&x, &y, &mut log);
            let error: f64 = gradient.iter().zip(&log).map(|(g, l)| (g + l).powi(2)).sum::<f64>().sqrt();
            prop_assert!(error <= 1e-6 * (1.0 + dot(&log, &log).sqrt()), "{gradient:?} {log:?}");
        }

        /// Retraction and exponential map agree to first order: halving the step quarters their gap.
        #[test]
        fn the_retraction_is_of_first_order(x in point(), v in prop::array::uniform3(-1.0..1.0f64)) {
            let scale = 1e-3 * (1.0 - dot(&x, &x));
            let gap = |scale: f64| {
                let v: Vec<f64> = v.iter().map(|v| v * scale).collect();
                let (mut by_exp, mut by_retr) = (vec![0.0; 3], x.clone());
                BALL.expmap(&x, &v, &mut by_exp);
                BALL.retr(&mut by_retr, &v);
                squared_distance(&by_exp, &by_retr).sqrt()
            };
            prop_assert!(gap(scale / 2.0) <= 0.3 * gap(scale) + 1e-15);
        }
    }
}
