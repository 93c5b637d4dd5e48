//! The Allen–Cahn equation: phases that separate.

use super::etdrk4::solve;
use super::series::{FourierSeries, SeriesLaw};
use super::spectral::{Coefficient, Spectral};
use super::trajectory::{Evolution, Trajectory, positive};
use crate::worlds::error::WorldError;

/// u_t = ε² u_xx + u − u³ on [0, L).
///
/// Exact solutions: uniform states u₀ / √(u₀² + (1 − u₀²) e^(−2t)) and the kink tanh(x / (√2 ε)) at rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AllenCahn {
    /// Number of points.
    pub n: usize,
    /// L.
    pub length: f64,
    /// ε: the width of interfaces, √2 ε, should be some points.
    pub epsilon: f64,
    /// Largest step in time.
    pub step: f64,
    /// Law of the initial condition.
    pub law: SeriesLaw,
}

impl Default for AllenCahn {
    /// 128 points on [0, 2), ε = 0.05, steps of 0.02, six modes of root mean square 0.5.
    fn default() -> Self {
        let law = SeriesLaw { modes: 6, decay: 1.0, amplitude: 0.5 };
        AllenCahn { n: 128, length: 2.0, epsilon: 0.05, step: 0.02, law }
    }
}

impl AllenCahn {
    /// The initial condition of a sample as a function.
    pub fn initial_series(&self, seed: u64, index: u64) -> FourierSeries {
        self.law.draw("allen-cahn", seed, index, 1, self.length)
    }
}

impl Evolution for AllenCahn {
    fn shape(&self) -> Vec<usize> {
        vec![1, self.n]
    }

    fn initial(&self, seed: u64, index: u64) -> Vec<f64> {
        self.initial_series(seed, index).on_line(self.n)
    }

    fn solve(&self, initial: &[f64], times: &[f64]) -> Result<Trajectory, WorldError> {
        positive(&[("epsilon", self.epsilon), ("step", self.step)])?;
        let spectral = Spectral::new(self.n, 1, self.length)?;
        let symbol = |[k, _]: [f64; 2]| Coefficient::new(-(self.epsilon * k).powi(2), 0.0);
        let linear: Vec<Coefficient> = spectral.wavenumbers().map(symbol).collect();
        let kept = spectral.kept(0.5);
        let reaction = |u: &[Coefficient]| -> Vec<Coefficient> {
            let only = |u: &[Coefficient]| -> Vec<Coefficient> {
                u.iter().zip(&kept).map(|(u, &k)| if k { *u } else { Coefficient::ZERO }).collect()
            };
            let cube: Vec<f64> = spectral.field(&only(u)).into_iter().map(|u| u * u * u).collect();
            only(&spectral.transform(&cube)).into_iter().zip(u).map(|(cube, u)| u - cube).collect()
        };
        solve(&spectral, &self.shape(), &linear, reaction, initial, times, self.step)
    }
}
