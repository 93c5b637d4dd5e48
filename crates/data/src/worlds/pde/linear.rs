//! Heat, advection and waves: solved exactly by decay and phase of each Fourier coefficient.

use super::series::{FourierSeries, SeriesLaw};
use super::spectral::{Coefficient, Spectral};
use super::trajectory::{Evolution, Trajectory, check, positive};
use crate::worlds::error::WorldError;

/// u_t = ν u_xx on [0, L).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heat {
    /// Number of points.
    pub n: usize,
    /// L.
    pub length: f64,
    /// ν.
    pub diffusivity: f64,
    /// Law of the initial condition.
    pub law: SeriesLaw,
}

/// u_t + c u_x = 0 on [0, L).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Advection {
    /// Number of points.
    pub n: usize,
    /// L.
    pub length: f64,
    /// c, of either sign.
    pub speed: f64,
    /// Law of the initial condition.
    pub law: SeriesLaw,
}

/// u_tt = c² u_xx on [0, L); a state is u followed by u_t.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wave {
    /// Number of points.
    pub n: usize,
    /// L.
    pub length: f64,
    /// c.
    pub speed: f64,
    /// Law of the initial u; it starts at rest.
    pub law: SeriesLaw,
}

/// Eight modes, coefficients falling as 1/|k|, root mean square 1.
const LAW: SeriesLaw = SeriesLaw { modes: 8, decay: 1.0, amplitude: 1.0 };

impl Default for Heat {
    /// 64 points on [0, 1), ν = 0.01.
    fn default() -> Self {
        Heat { n: 64, length: 1.0, diffusivity: 0.01, law: LAW }
    }
}

impl Default for Advection {
    /// 64 points on [0, 1), c = 1.
    fn default() -> Self {
        Advection { n: 64, length: 1.0, speed: 1.0, law: LAW }
    }
}

impl Default for Wave {
    /// 64 points on [0, 1), c = 1.
    fn default() -> Self {
        Wave { n: 64, length: 1.0, speed: 1.0, law: LAW }
    }
}

impl Heat {
    /// The initial condition of a sample as a function.
    pub fn initial_series(&self, seed: u64, index: u64) -> FourierSeries {
        self.law.draw("heat", seed, index, 1, self.length)
    }
}

impl Advection {
    /// The initial condition of a sample as a function.
    pub fn initial_series(&self, seed: u64, index: u64) -> FourierSeries {
        self.law.draw("advection", seed, index, 1, self.length)
    }
}

impl Wave {
    /// The initial u of a sample as a function.
    pub fn initial_series(&self, seed: u64, index: u64) -> FourierSeries {
        self.law.draw("wave", seed, index, 1, self.length)
    }
}

impl Evolution for Heat {
    fn shape(&self) -> Vec<usize> {
        vec![1, self.n]
    }

    fn initial(&self, seed: u64, index: u64) -> Vec<f64> {
        self.initial_series(seed, index).on_line(self.n)
    }

    fn solve(&self, initial: &[f64], times: &[f64]) -> Result<Trajectory, WorldError> {
        positive(&[("diffusivity", self.diffusivity)])?;
        let symbol = |[k, _]: [f64; 2]| Coefficient::new(-self.diffusivity * k * k, 0.0);
        Spectral::new(self.n, 1, self.length)?.solve_linear(symbol, initial, times, &self.shape())
    }
}

impl Evolution for Advection {
    fn shape(&self) -> Vec<usize> {
        vec![1, self.n]
    }

    fn initial(&self, seed: u64, index: u64) -> Vec<f64> {
        self.initial_series(seed, index).on_line(self.n)
    }

    fn solve(&self, initial: &[f64], times: &[f64]) -> Result<Trajectory, WorldError> {
        positive(&[("size of the speed", self.speed.abs())])?;
        let symbol = |[k, _]: [f64; 2]| Coefficient::new(0.0, -self.speed * k);
        Spectral::new(self.n, 1, self.length)?.solve_linear(symbol, initial, times, &self.shape())
    }
}

impl Evolution for Wave {
    fn shape(&self) -> Vec<usize> {
        vec![2, self.n]
    }

    fn initial(&self, seed: u64, index: u64) -> Vec<f64> {
        let mut state = self.initial_series(seed, index).on_line(self.n);
        state.resize(2 * self.n, 0.0);
        state
    }

    fn solve(&self, initial: &[f64], times: &[f64]) -> Result<Trajectory, WorldError> {
        positive(&[("speed", self.speed)])?;
        let spectral = Spectral::new(self.n, 1, self.length)?;
        check(initial, 2 * self.n, times)?;
        let (u, v) = (spectral.transform(&initial[..self.n]), spectral.transform(&initial[self.n..]));
        let mut states = Vec::with_capacity(times.len() * 2 * self.n);
        for t in times {
            let (mut now, mut slope) = (Vec::with_capacity(self.n), Vec::with_capacity(self.n));
            for ((u, v), [k, _]) in u.iter().zip(&v).zip(spectral.wavenumbers()) {
                let omega = self.speed * k;
                let (sin, cos) = (omega * t).sin_cos();
                // The mean moves with constant speed.
                now.push(u * cos + v * if omega == 0.0 { *t } else { sin / omega });
                slope.push(v * cos - u * (omega * sin));
            }
            states.extend(spectral.field(&now));
            states.extend(spectral.field(&slope));
        }
        Ok(Trajectory::new(times, &self.shape(), states))
    }
}
