//! The Korteweg–de Vries equation and its solitons.

use super::etdrk4::{convection, solve};
use super::series::{FourierSeries, SeriesLaw};
use super::spectral::{Coefficient, Spectral};
use super::trajectory::{Evolution, Trajectory, positive};
use crate::worlds::error::WorldError;

/// u_t + 6 u u_x + u_xxx = 0 on [0, L).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kdv {
    /// Number of points.
    pub n: usize,
    /// L.
    pub length: f64,
    /// Largest step in time.
    pub step: f64,
    /// Law of the initial condition.
    pub law: SeriesLaw,
}

impl Default for Kdv {
    /// 128 points on [0, 32), steps of 0.002, four modes of root mean square 0.3.
    fn default() -> Self {
        Kdv { n: 128, length: 32.0, step: 0.002, law: SeriesLaw { modes: 4, decay: 1.0, amplitude: 0.3 } }
    }
}

impl Kdv {
    /// The initial condition of a sample as a function.
    pub fn initial_series(&self, seed: u64, index: u64) -> FourierSeries {
        self.law.draw("kdv", seed, index, 1, self.length)
    }

    /// The soliton 2κ² sech²(κ(x − x₀ − 4κ²t)), nearest copy on the periodic line: the exact solution up to its tail
    /// 8κ² e^(−κL) at half the period's distance.
    pub fn soliton(&self, kappa: f64, start: f64, x: f64, t: f64) -> f64 {
        let offset = x - start - 4.0 * kappa * kappa * t;
        let nearest = offset - self.length * (offset / self.length).round();
        2.0 * kappa * kappa / (kappa * nearest).cosh().powi(2)
    }
}

impl Evolution for Kdv {
    fn shape(&self) -> Vec<usize> {
        vec![1, self.n]
    }

    fn initial(&self, seed: u64, index: u64) -> Vec<f64> {
        self.initial_series(seed, index).on_line(self.n)
    }

    fn solve(&self, initial: &[f64], times: &[f64]) -> Result<Trajectory, WorldError> {
        positive(&[("step", self.step)])?;
        let spectral = Spectral::new(self.n, 1, self.length)?;
        let linear: Vec<Coefficient> = spectral.wavenumbers().map(|[k, _]| Coefficient::new(0.0, k * k * k)).collect();
        solve(&spectral, &self.shape(), &linear, convection(&spectral, 6.0), initial, times, self.step)
    }
}
