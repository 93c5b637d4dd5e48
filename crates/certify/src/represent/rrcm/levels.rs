//! Levels of noise.

use crate::{CertifyError, Result};
use perturb_graph::Expr;

/// Standard deviations from the largest to the smallest, `σ_i = (σ_max^{1/ρ} + i/(N−1)·(σ_min^{1/ρ} − σ_max^{1/ρ}))^ρ`
/// (Karras et al. 2022, eq. 5), in units of the input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseLevels {
    /// σ_0.
    pub largest: f64,
    /// σ_{N−1}, above 0.
    pub smallest: f64,
    /// ρ: the larger, the more levels are small.
    pub rho: f64,
}

impl Default for NoiseLevels {
    /// From 80 to 0.002 with ρ = 7.
    fn default() -> NoiseLevels {
        NoiseLevels { largest: 80.0, smallest: 0.002, rho: 7.0 }
    }
}

impl NoiseLevels {
    /// The levels at `positions` i/(N−1) in [0, 1].
    pub fn at(&self, positions: &Expr) -> Expr {
        let (first, last) = (self.largest.powf(1.0 / self.rho), self.smallest.powf(1.0 / self.rho));
        let root = positions.scale(last - first).offset(first);
        root.log().scale(self.rho).exp()
    }

    /// # Errors
    /// If levels are not positive and descending, or ρ is not positive.
    pub(super) fn check(&self) -> Result<()> {
        let (largest, smallest, rho) = (self.largest, self.smallest, self.rho);
        if !(smallest > 0.0 && smallest.is_finite()) {
            return Err(CertifyError::Parameter {
                name: "smallest",
                range: "a finite number above 0",
                value: smallest,
            });
        }
        if !(largest > smallest && largest.is_finite()) {
            return Err(CertifyError::Parameter { name: "largest", range: "above the smallest level", value: largest });
        }
        if !(rho > 0.0 && rho.is_finite()) {
            return Err(CertifyError::Parameter { name: "rho", range: "a finite number above 0", value: rho });
        }
        Ok(())
    }
}
