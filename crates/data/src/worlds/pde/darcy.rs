//! Darcy flow through a porous square, by finite volumes.

use super::trajectory::positive;
use crate::worlds::error::WorldError;
use crate::worlds::stream::stream;
use faer::prelude::Solve;
use faer::sparse::{SparseColMat, Triplet};
use faer::{Mat, Side};
use rand::RngExt;
use rand_distr::StandardNormal;
use std::f64::consts::PI;

/// −∇·(a ∇u) = f on the unit square, u = 0 on its border; a and f are given in the centres of n×n cells, and so is u.
///
/// Fluxes between cells use the harmonic mean of a, which is right for layers; second order for smooth a.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Darcy {
    /// Cells per axis.
    pub n: usize,
    /// Law of a.
    pub permeability: Permeability,
}

/// A law of permeability fields, made from g = Σ ξ_{jk} (π²(j² + k²) + τ²)^(−1) cos(πjx) cos(πky) with independent
/// normal ξ, j and k below `modes` and not both 0, scaled to expected mean square 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Permeability {
    /// a = exp(deviation · g).
    LogNormal {
        /// Standard deviation of ln a.
        deviation: f64,
        /// Frequencies per axis.
        modes: u32,
    },
    /// a = `high` where g ≥ 0, `low` elsewhere (Li et al. 2020 use 12 and 3).
    TwoPhase {
        /// a where g ≥ 0.
        high: f64,
        /// a where g < 0.
        low: f64,
        /// Frequencies per axis.
        modes: u32,
    },
}

/// τ² of the law.
const INVERSE_LENGTH_SQUARE: f64 = 9.0;

impl Default for Darcy {
    /// 64×64 cells, a log-normal with deviation 1 and 12 frequencies per axis.
    fn default() -> Self {
        Darcy { n: 64, permeability: Permeability::LogNormal { deviation: 1.0, modes: 12 } }
    }
}

impl Darcy {
    /// The permeability of a sample, `[n, n]` row-major (rows are y).
    pub fn permeability(&self, seed: u64, index: u64) -> Vec<f64> {
        let modes = match self.permeability {
            Permeability::LogNormal { modes, .. } | Permeability::TwoPhase { modes, .. } => modes as usize,
        };
        let mut rng = stream("darcy", seed, index);
        let mut coefficients = vec![0.0; modes * modes];
        let mut square = 0.0;
        for (i, c) in coefficients.iter_mut().enumerate().skip(1) {
            let (j, k) = ((i % modes) as f64, (i / modes) as f64);
            let size = 1.0 / (PI * PI * (j * j + k * k) + INVERSE_LENGTH_SQUARE);
            // The mean square of a cosine is ½, of the constant 1.
            square += size * size * if j == 0.0 || k == 0.0 { 0.5 } else { 0.25 };
            *c = size * rng.sample::<f64, _>(StandardNormal);
        }
        let cosines: Vec<f64> = (0..self.n * modes)
            .map(|i| (PI * (i % modes) as f64 * ((i / modes) as f64 + 0.5) / self.n as f64).cos())
            .collect();
        let row = |i: usize| &cosines[i * modes..][..modes];
        let value = |i: usize| {
            let (x, y) = (row(i % self.n), row(i / self.n));
            let sum: f64 = coefficients
                .chunks(modes)
                .zip(y)
                .map(|(c, y)| y * c.iter().zip(x).map(|(c, x)| c * x).sum::<f64>())
                .sum();
            sum / square.sqrt()
        };
        let level = |g: f64| match self.permeability {
            Permeability::LogNormal { deviation, .. } => (deviation * g).exp(),
            Permeability::TwoPhase { high, low, .. } => {
                if g >= 0.0 {
                    high
                } else {
                    low
                }
            }
        };
        (0..self.n * self.n).map(|i| level(if square > 0.0 { value(i) } else { 0.0 })).collect()
    }

    /// u for a permeability and a source, all `[n, n]` row-major in the cells' centres.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] for fields of another size, a permeability that is not positive and finite, or a
    /// source that is not finite.
    pub fn solve(&self, permeability: &[f64], source: &[f64]) -> Result<Vec<f64>, WorldError> {
        let n = self.n;
        if permeability.len() != n * n || source.len() != n * n || n == 0 {
            let value = format!("{} and {}", permeability.len(), source.len());
            return Err(WorldError::parameter(
                "pde",
                "sizes of permeability and source",
                value,
                format!("both need {n}×{n} values"),
            ));
        }
        positive(&permeability.iter().map(|&a| ("permeability", a)).collect::<Vec<_>>())?;
        super::trajectory::check(source, n * n, &[])?;
        let mut entries = Vec::with_capacity(5 * n * n);
        for cell in 0..n * n {
            let (x, y) = (cell % n, cell / n);
            let mut diagonal = 0.0;
            for (inside, next) in [
                (x > 0, cell.wrapping_sub(1)),
                (x + 1 < n, cell + 1),
                (y > 0, cell.wrapping_sub(n)),
                (y + 1 < n, cell + n),
            ] {
                let a = permeability[cell];
                if inside {
                    let flux = 2.0 * a * permeability[next] / (a + permeability[next]);
                    diagonal += flux;
                    entries.push(Triplet::new(cell, next, -flux));
                } else {
                    // The border, where u = 0, is half a cell away.
                    diagonal += 2.0 * a;
                }
            }
            entries.push(Triplet::new(cell, cell, diagonal));
        }
        let matrix = SparseColMat::<usize, f64>::try_new_from_triplets(n * n, n * n, &entries);
        let factor = matrix.ok().and_then(|matrix| matrix.sp_cholesky(Side::Lower).ok());
        let Some(factor) = factor else {
            return Err(WorldError::NoExactAnswer {
                world: "pde",
                reason: format!(
                    "the system of {n}×{n} cells cannot be factored; its permeabilities differ too much or memory is short"
                ),
            });
        };
        let area = 1.0 / (n * n) as f64;
        let solution = factor.solve(Mat::from_fn(n * n, 1, |i, _| area * source[i]));
        Ok((0..n * n).map(|i| solution[(i, 0)]).collect())
    }
}
