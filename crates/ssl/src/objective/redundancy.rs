//! Redundancy reduction: collapse is prevented by moments over the batch.

use super::{Objective, off_diagonal, sizes};
use crate::{Result, SslError};
use perturb_graph::Expr;

/// Which cross moments of the two views a [`BarlowTwins`] loss brings to the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrossMoment {
    /// Correlations: columns of both views are brought to mean 0 and variance 1 over the batch.
    Correlation,
    /// Covariances: columns are brought to mean 0 only.
    Covariance,
    /// Second moments, `½·E[f f′ᵀ + f′fᵀ]`, of the embeddings as they are, whose learning has a closed form (Simon et al. 2023).
    Plain,
}

/// Barlow Twins (Zbontar et al. 2021, eq. 1): `Σᵢ (1 − Cᵢᵢ)² + λ·Σ_{i≠j} Cᵢⱼ²` of the cross moments C `[width, width]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BarlowTwins {
    /// Weight λ of the elements off the diagonal.
    pub lambda: f64,
    /// What C is.
    pub moment: CrossMoment,
}

impl Default for BarlowTwins {
    /// λ = 0.005 on correlations.
    fn default() -> Self {
        BarlowTwins { lambda: 0.005, moment: CrossMoment::Correlation }
    }
}

impl BarlowTwins {
    /// `‖C − I‖²` of the plain moments: λ = 1.
    pub const PLAIN: BarlowTwins = BarlowTwins { lambda: 1.0, moment: CrossMoment::Plain };
}

impl Objective for BarlowTwins {
    fn loss(&self, first: &Expr, second: &Expr) -> Result<Expr> {
        let (batch, _) = sizes(first, second)?;
        SslError::check(self.lambda >= 0.0 && self.lambda.is_finite(), "lambda", self.lambda, "at least 0")?;
        let moment = |a: &Expr, b: &Expr| a.transpose(&[1, 0]).matmul(b).scale(1.0 / batch as f64);
        let symmetrised = |a: &Expr, b: &Expr| moment(a, b).add(&moment(b, a)).scale(0.5);
        let c = match self.moment {
            CrossMoment::Correlation => moment(&standardised(first), &standardised(second)),
            CrossMoment::Covariance => symmetrised(&centred(first), &centred(second)),
            CrossMoment::Plain => symmetrised(first, second),
        };
        let diagonal = c.diagonal().neg().offset(1.0).square().sum();
        Ok(diagonal.add(&off_diagonal(&c).scale(self.lambda)))
    }
}

/// Columns of mean 0 and variance 1 over the batch, as batch normalisation makes them.
fn standardised(z: &Expr) -> Expr {
    const EPSILON: f64 = 1e-5;
    let centred = centred(z);
    centred.div(&centred.square().reduce_mean(&[0], true).offset(EPSILON).sqrt())
}

fn centred(z: &Expr) -> Expr {
    z.sub(&z.reduce_mean(&[0], true))
}

/// VICReg (Bardes et al. 2022, eq. 6): the invariance of pairs, a hinge on the standard deviation of each column, and the
/// squared covariances of different columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VicReg {
    /// Weight of the mean squared difference of the two views.
    pub invariance: f64,
    /// Weight of `mean max(0, 1 − √(Var + 10⁻⁴))`, averaged over the views.
    pub variance: f64,
    /// Weight of `Σ_{i≠j} Covᵢⱼ²/width`, summed over the views.
    pub covariance: f64,
}

impl Default for VicReg {
    /// 25, 25 and 1.
    fn default() -> Self {
        VicReg { invariance: 25.0, variance: 25.0, covariance: 1.0 }
    }
}

impl Objective for VicReg {
    fn loss(&self, first: &Expr, second: &Expr) -> Result<Expr> {
        let (batch, width) = sizes(first, second)?;
        let weights = [self.invariance, self.variance, self.covariance];
        SslError::check(
            weights.iter().all(|w| *w >= 0.0 && w.is_finite()),
            "weights",
            format!("{weights:?}"),
            "at least 0",
        )?;
        let mut loss = first.sub(second).square().reduce_mean(&[0, 1], false).scale(self.invariance);
        for z in [first, second] {
            let centred = centred(z);
            let covariance = centred.transpose(&[1, 0]).matmul(&centred).scale(1.0 / (batch - 1) as f64);
            let hinge = covariance.diagonal().offset(1e-4).sqrt().neg().offset(1.0).relu().reduce_mean(&[0], false);
            loss = loss.add(&hinge.scale(0.5 * self.variance));
            loss = loss.add(&off_diagonal(&covariance).scale(self.covariance / width as f64));
        }
        Ok(loss)
    }
}
