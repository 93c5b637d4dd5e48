//! The Navier–Stokes equations in the plane, for the vorticity.

use super::etdrk4::solve;
use super::series::{FourierSeries, SeriesLaw};
use super::spectral::{Coefficient, Spectral};
use super::trajectory::{Evolution, Trajectory, positive};
use crate::worlds::error::WorldError;
use std::f64::consts::TAU;

/// ω_t + u·∇ω = ν Δω + A cos(m·2πy/L) on [0, L)², u = (ψ_y, −ψ_x), −Δψ = ω, no mean flow.
///
/// Exact solutions: the Taylor–Green vortex 2 cos x cos y e^(−2νt) (L = 2π, A = 0), every other sum of modes of one
/// wavelength decaying in the same way, and the laminar Kolmogorov flow A/(νk²)·(1 − e^(−νk²t)) cos(ky), k = 2πm/L.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NavierStokes {
    /// Number of points per axis.
    pub n: usize,
    /// L.
    pub length: f64,
    /// ν.
    pub viscosity: f64,
    /// A and m of the (Kolmogorov) forcing.
    pub forcing: (f64, u32),
    /// Largest step in time.
    pub step: f64,
    /// Law of the initial vorticity.
    pub law: SeriesLaw,
}

impl Default for NavierStokes {
    /// 64×64 points on [0, 2π)², ν = 0.005, no forcing, steps of 0.02, modes up to 6 of root mean square 2.
    fn default() -> Self {
        let law = SeriesLaw { modes: 6, decay: 1.0, amplitude: 2.0 };
        NavierStokes { n: 64, length: TAU, viscosity: 0.005, forcing: (0.0, 4), step: 0.02, law }
    }
}

impl NavierStokes {
    /// The initial vorticity of a sample as a function.
    pub fn initial_series(&self, seed: u64, index: u64) -> FourierSeries {
        self.law.draw("navier-stokes", seed, index, 2, self.length)
    }

    /// Velocity `[2, n, n]` (along x, along y) of a vorticity `[n, n]`.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] for a field of another size.
    pub fn velocity(&self, vorticity: &[f64]) -> Result<Vec<f64>, WorldError> {
        let spectral = Spectral::new(self.n, 2, self.length)?;
        super::trajectory::check(vorticity, spectral.count(), &[])?;
        let omega = spectral.transform(vorticity);
        Ok(velocities(&spectral, &omega).iter().flat_map(|u| spectral.field(u)).collect())
    }
}

/// Coefficients of the velocity: those of the vorticity times (i k_y, −i k_x) / |k|².
fn velocities(spectral: &Spectral, omega: &[Coefficient]) -> [Vec<Coefficient>; 2] {
    let along = |axis: usize, sign: f64| {
        let multiplier = move |k: [f64; 2]| {
            let square = k[0] * k[0] + k[1] * k[1];
            if square == 0.0 { Coefficient::ZERO } else { Coefficient::new(0.0, sign * k[axis] / square) }
        };
        omega.iter().zip(spectral.wavenumbers()).map(|(w, k)| w * multiplier(k)).collect()
    };
    [along(1, 1.0), along(0, -1.0)]
}

impl Evolution for NavierStokes {
    fn shape(&self) -> Vec<usize> {
        vec![1, self.n, self.n]
    }

    fn initial(&self, seed: u64, index: u64) -> Vec<f64> {
        self.initial_series(seed, index).on_plane(self.n)
    }

    fn solve(&self, initial: &[f64], times: &[f64]) -> Result<Trajectory, WorldError> {
        positive(&[("step", self.step)])?;
        if !(self.viscosity >= 0.0 && self.viscosity.is_finite() && self.forcing.0.is_finite()) {
            let value = format!("{} with forcing {}", self.viscosity, self.forcing.0);
            return Err(WorldError::parameter(
                "pde",
                "viscosity",
                value,
                "both must be finite, the first not negative",
            ));
        }
        let spectral = Spectral::new(self.n, 2, self.length)?;
        let symbol = |[x, y]: [f64; 2]| Coefficient::new(-self.viscosity * (x * x + y * y), 0.0);
        let linear: Vec<Coefficient> = spectral.wavenumbers().map(symbol).collect();
        let wave = |i: usize| {
            let phase = TAU * f64::from(self.forcing.1) * (i / self.n) as f64 / self.n as f64;
            self.forcing.0 * phase.cos()
        };
        let force = spectral.transform(&(0..spectral.count()).map(wave).collect::<Vec<f64>>());
        let kept = spectral.kept(2.0 / 3.0);
        let advection = |omega: &[Coefficient]| -> Vec<Coefficient> {
            let low: Vec<Coefficient> =
                omega.iter().zip(&kept).map(|(w, &k)| if k { *w } else { Coefficient::ZERO }).collect();
            let derivative = |axis: usize| -> Vec<Coefficient> {
                low.iter().zip(spectral.wavenumbers()).map(|(w, k)| w * Coefficient::new(0.0, k[axis])).collect()
            };
            let [u, v] = velocities(&spectral, &low).map(|u| spectral.field(&u));
            let [x, y] = [0, 1].map(|axis| spectral.field(&derivative(axis)));
            let product: Vec<f64> = (0..u.len()).map(|i| -u[i] * x[i] - v[i] * y[i]).collect();
            let product = spectral.transform(&product).into_iter().zip(&kept).zip(&force);
            product.map(|((p, &k), f)| if k { p + f } else { *f }).collect()
        };
        solve(&spectral, &self.shape(), &linear, advection, initial, times, self.step)
    }
}
