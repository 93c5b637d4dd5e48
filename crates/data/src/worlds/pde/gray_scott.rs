//! The Gray–Scott model: reaction and diffusion in the plane.

use super::etdrk4::solve;
use super::spectral::{Coefficient, Spectral};
use super::trajectory::{Evolution, Trajectory, positive};
use crate::worlds::error::WorldError;
use crate::worlds::stream::stream;
use rand::RngExt;

/// u_t = D_u Δu − u v² + F (1 − u), v_t = D_v Δv + u v² − (F + k) v on [0, L)² (Pearson 1993). A state is u followed by
/// v.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GrayScott {
    /// Number of points per axis; patterns need about 100 per unit of length at the default diffusion.
    pub n: usize,
    /// L.
    pub length: f64,
    /// D_u.
    pub diffusion_u: f64,
    /// D_v.
    pub diffusion_v: f64,
    /// F.
    pub feed: f64,
    /// k.
    pub kill: f64,
    /// Largest step in time.
    pub step: f64,
    /// Number of seeds of v in the initial state.
    pub spots: usize,
}

impl Default for GrayScott {
    /// 128×128 points on [0, 1)², D = 2·10⁻⁵ and 10⁻⁵, F = 0.037, k = 0.06 (worms), steps of 1, eight spots.
    fn default() -> Self {
        GrayScott {
            n: 128,
            length: 1.0,
            diffusion_u: 2e-5,
            diffusion_v: 1e-5,
            feed: 0.037,
            kill: 0.06,
            step: 1.0,
            spots: 8,
        }
    }
}

impl Evolution for GrayScott {
    fn shape(&self) -> Vec<usize> {
        vec![2, self.n, self.n]
    }

    /// u = 1 − s/2, v = s/4 with s the largest of some Gaussian bumps of standard deviation L/25 at uniform places.
    fn initial(&self, seed: u64, index: u64) -> Vec<f64> {
        let mut rng = stream("gray-scott", seed, index);
        let centres: Vec<[f64; 2]> = (0..self.spots).map(|_| [0, 1].map(|_| rng.random_range(0.0..1.0))).collect();
        let bump = |i: usize| {
            let at = [i % self.n, i / self.n].map(|i| i as f64 / self.n as f64);
            let square = |c: &[f64; 2]| [0, 1].map(|a| at[a] - c[a]).map(|d: f64| (d - d.round()).powi(2)).iter().sum();
            centres.iter().map(square).map(|s: f64| (-s * 0.5 * 625.0).exp()).fold(0.0, f64::max)
        };
        let bumps: Vec<f64> = (0..self.n * self.n).map(bump).collect();
        bumps.iter().map(|s| 1.0 - 0.5 * s).chain(bumps.iter().map(|s| 0.25 * s)).collect()
    }

    fn solve(&self, initial: &[f64], times: &[f64]) -> Result<Trajectory, WorldError> {
        positive(&[("diffusion_u", self.diffusion_u), ("diffusion_v", self.diffusion_v), ("step", self.step)])?;
        let spectral = Spectral::new(self.n, 2, self.length)?;
        let count = spectral.count();
        let symbol = |diffusion: f64, decay: f64| {
            spectral.wavenumbers().map(move |[x, y]| Coefficient::new(-diffusion * (x * x + y * y) - decay, 0.0))
        };
        let linear: Vec<Coefficient> =
            symbol(self.diffusion_u, self.feed).chain(symbol(self.diffusion_v, self.feed + self.kill)).collect();
        let kept = spectral.kept(0.5);
        let reaction = |state: &[Coefficient]| -> Vec<Coefficient> {
            let only = |u: &[Coefficient]| -> Vec<Coefficient> {
                u.iter().zip(&kept).map(|(u, &k)| if k { *u } else { Coefficient::ZERO }).collect()
            };
            let (u, v) = (spectral.field(&only(&state[..count])), spectral.field(&only(&state[count..])));
            let product: Vec<f64> = u.iter().zip(&v).map(|(u, v)| u * v * v).collect();
            let gain = only(&spectral.transform(&product));
            let mut change: Vec<Coefficient> = gain.iter().map(|g| -g).chain(gain.iter().copied()).collect();
            // Coefficients are not normalized: a constant 1 has the coefficient n².
            change[0] += self.feed * count as f64;
            change
        };
        solve(&spectral, &self.shape(), &linear, reaction, initial, times, self.step)
    }
}
