//! The checkerboard: a density with edges.

use super::{Density, log_sum_exp};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// Uniform on the dark squares (i + j even) of an n×n board on [−n/2, n/2]², squares of side 1, n even.
///
/// Noised, it is a mixture of products of Φ((x − left)/σ) − Φ((x − right)/σ): exact as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkerboard {
    half: usize,
}

impl Default for Checkerboard {
    /// Four by four squares.
    fn default() -> Self {
        Checkerboard { half: 2 }
    }
}

impl Checkerboard {
    /// A board of 2·`half` by 2·`half` squares; one of at least 2×2.
    pub fn new(half: usize) -> Checkerboard {
        Checkerboard { half: half.max(1) }
    }

    fn side(&self) -> usize {
        2 * self.half
    }

    /// Left and lower edges of the dark squares, by class.
    fn corners(&self) -> impl Iterator<Item = [f64; 2]> + Clone + use<> {
        let (side, half) = (self.side(), self.half as f64);
        let dark = move |k: usize| {
            let row = k / (side / 2);
            let column = 2 * (k % (side / 2)) + row % 2;
            [column as f64 - half, row as f64 - half]
        };
        (0..side * side / 2).map(dark)
    }

    fn class_at(&self, x: &[f64]) -> Option<usize> {
        self.corners().position(|c| (0..2).all(|i| (c[i]..c[i] + 1.0).contains(&x[i])))
    }
}

/// log ∫₀¹ N(t; z, σ²) dt, accurate in both tails.
fn log_interval(z: f64, sigma: f64) -> f64 {
    // By symmetry the interval is to the right of z, or around it.
    let (near, far) = if z <= 0.5 { (-z / sigma, (1.0 - z) / sigma) } else { ((z - 1.0) / sigma, z / sigma) };
    if near > 5.0 {
        let log_tail = |t: f64| log_normal_density(t) + mills_ratio(t).ln();
        return log_tail(near) + (-(log_tail(far) - log_tail(near)).exp()).ln_1p();
    }
    let tail = |t: f64| 0.5 * libm::erfc(t * FRAC_1_SQRT_2);
    (tail(near) - tail(far)).ln()
}

/// (1 − Φ(t)) / φ(t) for t ≥ 5: Laplace's continued fraction, to the last digits.
fn mills_ratio(t: f64) -> f64 {
    1.0 / (1..=40).rev().fold(t, |tail, k| t + f64::from(k) / tail)
}

/// log of the standard normal density.
fn log_normal_density(t: f64) -> f64 {
    -0.5 * (t * t + TAU.ln())
}

impl Density for Checkerboard {
    fn dimension(&self) -> usize {
        2
    }

    fn classes(&self) -> usize {
        self.side() * self.side() / 2
    }

    fn log_prob(&self, x: &[f64], sigma: f64) -> f64 {
        let log_share = -(self.classes() as f64).ln();
        if sigma == 0.0 {
            return self.class_at(x).map_or(f64::NEG_INFINITY, |_| log_share);
        }
        let term = |c: [f64; 2]| log_interval(x[0] - c[0], sigma) + log_interval(x[1] - c[1], sigma);
        log_share + log_sum_exp(self.corners().map(term))
    }

    fn score(&self, x: &[f64], sigma: f64, score: &mut [f64]) {
        score.fill(0.0);
        if sigma == 0.0 {
            return;
        }
        let logs = |c: [f64; 2]| [0, 1].map(|i| log_interval(x[i] - c[i], sigma));
        let total = log_sum_exp(self.corners().map(|c| logs(c).iter().sum()));
        for corner in self.corners() {
            let log = logs(corner);
            let share = (log[0] + log[1] - total).exp();
            for i in 0..2 {
                // d/dz of the interval's mass, over the mass: a difference of densities at the ends.
                let z = x[i] - corner[i];
                let end = |t: f64| (log_normal_density(t / sigma) - log[i]).exp() / sigma;
                score[i] += share * (end(z) - end(z - 1.0));
            }
        }
    }

    fn posterior(&self, x: &[f64], sigma: f64, posterior: &mut [f64]) {
        posterior.fill(0.0);
        if sigma == 0.0 {
            self.class_at(x).into_iter().for_each(|class| posterior[class] = 1.0);
            return;
        }
        let term = |c: [f64; 2]| log_interval(x[0] - c[0], sigma) + log_interval(x[1] - c[1], sigma);
        let total = log_sum_exp(self.corners().map(term));
        posterior.iter_mut().zip(self.corners()).for_each(|(p, c)| *p = (term(c) - total).exp());
    }

    fn draw(&self, rng: &mut ChaCha8Rng, x: &mut [f64]) -> usize {
        let class = rng.random_range(0..self.classes());
        let corner = self.corners().nth(class).expect("one corner per class");
        x.iter_mut().zip(corner).for_each(|(x, c)| *x = c + rng.random_range(0.0..1.0));
        class
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// mpmath, 30 digits: log(ncdf(b) - ncdf(a)) with a = -z/σ, b = (1 - z)/σ.
    #[test]
    fn tails_are_accurate() {
        for (z, sigma, expected) in EXPECTED {
            for z in [z, 1.0 - z] {
                let found = log_interval(z, sigma);
                assert!((found - expected).abs() < 1e-12 * f64::abs(expected).max(1.0), "{z}, {sigma}: {found}");
            }
        }
    }

    const EXPECTED: [(f64, f64, f64); 6] = [
        (0.3, 0.2, -0.06939276966545659),
        (-0.4, 0.1, -10.360101486527291),
        (-1.0, 0.1, -53.23128515051247),
        (-3.0, 0.05, -1805.0135606805669),
        (-3600.0, 100.0, -653.6987297269604),
        (-20.0, 1000.0, -7.826903978835965),
    ];
}
