//! Exact moments of linear models.

use super::mechanism::Mechanism;
use super::model::{Equation, Sem};
use crate::worlds::error::WorldError;

/// Mean and covariance of a linear model.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// E x.
    pub mean: Vec<f64>,
    /// Cov x, row-major.
    pub covariance: Vec<f64>,
}

impl Sem {
    /// (I − B)⁻¹, row-major: entry (j, i) is the total effect of a unit of noise at i on x_j, the sum over all directed
    /// paths of the products of their weights.
    ///
    /// # Errors
    /// [`WorldError::NoExactAnswer`] if a mechanism is not linear.
    pub fn total_effects(&self) -> Result<Vec<f64>, WorldError> {
        let d = self.dag().nodes();
        let mut effects = vec![0.0; d * d];
        for &node in self.dag().order() {
            let Mechanism::Linear { weights, .. } = &self.equation(node).mechanism else {
                let reason =
                    format!("node {node} is not linear, so effects and moments have no closed form; draw samples");
                return Err(WorldError::NoExactAnswer { world: "sem", reason });
            };
            effects[node * d + node] = 1.0;
            for (&parent, weight) in self.dag().parents(node).iter().zip(weights) {
                for i in 0..d {
                    effects[node * d + i] += weight * effects[parent * d + i];
                }
            }
        }
        Ok(effects)
    }

    /// Mean and covariance: (I − B)⁻¹ c and (I − B)⁻¹ D (I − B)⁻ᵀ with the intercepts c and the noise's variances D. Of
    /// an interventional model, they are the interventional ones.
    ///
    /// # Errors
    /// [`WorldError::NoExactAnswer`] if a mechanism is not linear.
    pub fn moments(&self) -> Result<Moments, WorldError> {
        let d = self.dag().nodes();
        let effects = self.total_effects()?;
        let row = |j: usize| &effects[j * d..][..d];
        let intercept = |i: usize| match &self.equation(i).mechanism {
            Mechanism::Linear { intercept, .. } => *intercept,
            _ => unreachable!("effects exist, so all mechanisms are linear"),
        };
        let variance: Vec<f64> = (0..d).map(|i| self.equation(i).noise.deviation.powi(2)).collect();
        let mean = (0..d).map(|j| row(j).iter().enumerate().map(|(i, e)| e * intercept(i)).sum()).collect();
        let product = |k: usize| row(k / d).iter().zip(row(k % d)).zip(&variance).map(|((a, b), v)| a * b * v).sum();
        Ok(Moments { mean, covariance: (0..d * d).map(product).collect() })
    }

    /// The same model with every variable centred and scaled to variance 1, so that neither means nor variances tell the
    /// order of the nodes (Reisach et al. 2021). Variables without variance stay as they are.
    ///
    /// # Errors
    /// [`WorldError::NoExactAnswer`] if a mechanism is not linear.
    pub fn standardized(&self) -> Result<Sem, WorldError> {
        let (d, Moments { covariance, .. }) = (self.dag().nodes(), self.moments()?);
        let scale = |i: usize| if covariance[i * d + i] > 0.0 { covariance[i * d + i].sqrt() } else { 1.0 };
        let mut sem = self.clone();
        for (node, Equation { mechanism, noise }) in sem.equations.iter_mut().enumerate() {
            if let Mechanism::Linear { weights, intercept } = mechanism {
                let parents = self.dag().parents(node);
                weights.iter_mut().zip(parents).for_each(|(w, &parent)| *w *= scale(parent) / scale(node));
                *intercept = 0.0;
            }
            noise.deviation /= scale(node);
        }
        Ok(sem)
    }
}
