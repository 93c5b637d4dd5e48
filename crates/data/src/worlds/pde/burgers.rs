//! The viscous Burgers equation, with the exact solution of Cole and Hopf.

use super::etdrk4::{convection, solve};
use super::series::{FourierSeries, SeriesLaw};
use super::spectral::{Coefficient, Spectral};
use super::trajectory::{Evolution, Trajectory, positive};
use crate::worlds::error::WorldError;
use std::f64::consts::TAU;

/// u_t + u u_x = ν u_xx on [0, L).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burgers {
    /// Number of points.
    pub n: usize,
    /// L.
    pub length: f64,
    /// ν. A shock of height 2a is about 4ν/a wide: n should resolve it.
    pub viscosity: f64,
    /// Largest step in time.
    pub step: f64,
    /// Law of the initial condition.
    pub law: SeriesLaw,
}

impl Default for Burgers {
    /// 128 points on [0, 2π), ν = 0.1, steps of 0.005, three modes of root mean square 0.7.
    fn default() -> Self {
        let law = SeriesLaw { modes: 3, decay: 1.0, amplitude: 0.7 };
        Burgers { n: 128, length: TAU, viscosity: 0.1, step: 0.005, law }
    }
}

impl Burgers {
    /// The initial condition of a sample as a function.
    pub fn initial_series(&self, seed: u64, index: u64) -> FourierSeries {
        self.law.draw("burgers", seed, index, 1, self.length)
    }

    /// The exact solution at (x, t), t ≥ 0, from a series (Hopf 1950, Cole 1951):
    /// u = ∫ (x − y)/t · w dy / ∫ w dy, w = exp(−[∫₀ʸ u₀ + (x − y)²/(2t)] / (2ν)).
    ///
    /// The integrals are taken by the trapezoidal rule with steps an eighth of the integrand's width, where its error
    /// is below rounding; the terms of both are of one scale, so there is no cancellation however small ν is.
    pub fn cole_hopf(&self, initial: &FourierSeries, x: f64, t: f64) -> f64 {
        if t == 0.0 {
            return initial.at([x, 0.0]);
        }
        let [largest, steepest] = initial.bounds();
        let width = (2.0 * self.viscosity / (steepest + 1.0 / t)).sqrt();
        // All of the weight but e^−50 lies within ten standard deviations of some characteristic.
        let reach = largest * t + 10.0 * (2.0 * self.viscosity * t).sqrt();
        let h = width / 8.0;
        let n = (reach / h).ceil() as i64;
        let exponent = |y: f64| -(initial.integral(y) + (x - y) * (x - y) / (2.0 * t)) / (2.0 * self.viscosity);
        let logs: Vec<(f64, f64)> = (-n..=n).map(|i| h * i as f64).map(|s| (s, exponent(x + s))).collect();
        let max = logs.iter().fold(f64::NEG_INFINITY, |m, l| m.max(l.1));
        let (mut above, mut below) = (0.0, 0.0);
        for (s, log) in logs {
            let w = (log - max).exp();
            above -= s / t * w;
            below += w;
        }
        above / below
    }
}

impl Evolution for Burgers {
    fn shape(&self) -> Vec<usize> {
        vec![1, self.n]
    }

    fn initial(&self, seed: u64, index: u64) -> Vec<f64> {
        self.initial_series(seed, index).on_line(self.n)
    }

    fn solve(&self, initial: &[f64], times: &[f64]) -> Result<Trajectory, WorldError> {
        positive(&[("viscosity", self.viscosity), ("step", self.step)])?;
        let spectral = Spectral::new(self.n, 1, self.length)?;
        let linear: Vec<Coefficient> =
            spectral.wavenumbers().map(|[k, _]| Coefficient::new(-self.viscosity * k * k, 0.0)).collect();
        solve(&spectral, &self.shape(), &linear, convection(&spectral, 1.0), initial, times, self.step)
    }
}
