//! The Poisson equation on the torus.

use super::series::{FourierSeries, SeriesLaw};
use super::spectral::{Coefficient, Spectral};
use super::trajectory::check;
use crate::worlds::error::WorldError;

/// −Δu = f on [0, L)², both of mean zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Poisson {
    /// Number of points per axis.
    pub n: usize,
    /// L.
    pub length: f64,
    /// Law of f.
    pub law: SeriesLaw,
}

impl Default for Poisson {
    /// 64×64 points on [0, 1)², modes up to 6 of root mean square 1, falling as 1/|k|.
    fn default() -> Self {
        Poisson { n: 64, length: 1.0, law: SeriesLaw { modes: 6, decay: 1.0, amplitude: 1.0 } }
    }
}

impl Poisson {
    /// The source f of a sample as a function.
    pub fn source(&self, seed: u64, index: u64) -> FourierSeries {
        self.law.draw("poisson", seed, index, 2, self.length)
    }

    /// u, f64 `[n, n]` row-major, for f of the same form; the mean of f is ignored, that of u is 0.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] for a field of another size or with values that are not finite.
    pub fn solve(&self, source: &[f64]) -> Result<Vec<f64>, WorldError> {
        let spectral = Spectral::new(self.n, 2, self.length)?;
        check(source, spectral.count(), &[])?;
        let divide = |(f, [x, y]): (Coefficient, [f64; 2])| {
            let square = x * x + y * y;
            if square == 0.0 { Coefficient::ZERO } else { f / square }
        };
        let u: Vec<Coefficient> =
            spectral.transform(source).into_iter().zip(spectral.wavenumbers()).map(divide).collect();
        Ok(spectral.field(&u))
    }
}
