//! The Kuramoto–Sivashinsky equation: chaos in one dimension.

use super::etdrk4::{convection, solve};
use super::series::{FourierSeries, SeriesLaw};
use super::spectral::{Coefficient, Spectral};
use super::trajectory::{Evolution, Trajectory, positive};
use crate::worlds::error::WorldError;
use std::f64::consts::PI;

/// u_t + u u_x + u_xx + u_xxxx = 0 on [0, L). Chaotic for L above about 22; trajectories that differ by rounding agree
/// for some tens of time units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KuramotoSivashinsky {
    /// Number of points.
    pub n: usize,
    /// L.
    pub length: f64,
    /// Largest step in time. The equation is so stiff that the order four shows below 0.03 only; above, the error
    /// falls with the third power.
    pub step: f64,
    /// Law of the initial condition.
    pub law: SeriesLaw,
}

impl Default for KuramotoSivashinsky {
    /// 128 points on [0, 32π), steps of 0.05, four modes of root mean square 1.
    fn default() -> Self {
        let law = SeriesLaw { modes: 4, decay: 0.0, amplitude: 1.0 };
        KuramotoSivashinsky { n: 128, length: 32.0 * PI, step: 0.05, law }
    }
}

impl KuramotoSivashinsky {
    /// The initial condition of a sample as a function.
    pub fn initial_series(&self, seed: u64, index: u64) -> FourierSeries {
        self.law.draw("kuramoto", seed, index, 1, self.length)
    }
}

impl Evolution for KuramotoSivashinsky {
    fn shape(&self) -> Vec<usize> {
        vec![1, self.n]
    }

    fn initial(&self, seed: u64, index: u64) -> Vec<f64> {
        self.initial_series(seed, index).on_line(self.n)
    }

    fn solve(&self, initial: &[f64], times: &[f64]) -> Result<Trajectory, WorldError> {
        positive(&[("step", self.step)])?;
        let spectral = Spectral::new(self.n, 1, self.length)?;
        let symbol = |[k, _]: [f64; 2]| Coefficient::new(k * k - k.powi(4), 0.0);
        let linear: Vec<Coefficient> = spectral.wavenumbers().map(symbol).collect();
        solve(&spectral, &self.shape(), &linear, convection(&spectral, 1.0), initial, times, self.step)
    }
}
