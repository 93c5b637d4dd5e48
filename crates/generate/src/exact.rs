//! The best possible denoiser, where it is known.

use crate::{At, Denoiser, GenerateError, Prediction, Result};
use perturb_graph::{DType, Expr, Tensor};

/// A mixture of Gaussians with diagonal covariances as data, and the denoiser with the least error on it:
/// `E[ε | x] = σ·Σ_k r_k·(x − α·μ_k)/v_k` with `v_k = α²·s_k² + σ²·(1 + γ²)` and responsibilities r of the components.
///
/// With γ it is the best predictor of ε where inputs are `α·x₀ + σ·(ε + γ·ξ)`, as
/// [`InputPerturbation`](crate::train::perturb::InputPerturbation) makes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    log_weights: Vec<f64>,
    means: Vec<f64>,
    variances: Vec<f64>,
    gamma: f64,
}

impl Mixture {
    /// A mixture of `(weight, mean, variances)`; weights are divided by their sum.
    ///
    /// # Errors
    /// If there are no components, a weight or variance is not positive, or lengths do not agree.
    pub fn new(components: &[(f64, Vec<f64>, Vec<f64>)]) -> Result<Mixture> {
        GenerateError::check(!components.is_empty(), "components", "empty", "at least one")?;
        let (width, total) = (components[0].1.len(), components.iter().map(|c| c.0).sum::<f64>());
        for (weight, mean, variances) in components {
            GenerateError::check(*weight > 0.0 && total.is_finite(), "weight", weight, "positive and finite")?;
            let sizes = format!("of {} and {}", mean.len(), variances.len());
            let fit = width > 0 && mean.len() == width && variances.len() == width;
            GenerateError::check(fit, "mean and variances", sizes, "of one length in all components, at least 1")?;
            GenerateError::check(mean.iter().all(|m| m.is_finite()), "mean", format!("{mean:?}"), "finite")?;
            let positive = variances.iter().all(|v| *v > 0.0 && v.is_finite());
            GenerateError::check(positive, "variances", format!("{variances:?}"), "positive")?;
        }
        Ok(Mixture {
            log_weights: components.iter().map(|c| (c.0 / total).ln()).collect(),
            means: components.iter().flat_map(|c| c.1.clone()).collect(),
            variances: components.iter().flat_map(|c| c.2.clone()).collect(),
            gamma: 0.0,
        })
    }

    /// The best denoiser of inputs whose noise was perturbed by `gamma`.
    pub fn perturbed(self, gamma: f64) -> Mixture {
        Mixture { gamma, ..self }
    }

    fn constant(&self, values: &[f64], dtype: DType) -> Expr {
        let (k, d) = (self.log_weights.len(), self.means.len() / self.log_weights.len());
        let value = Tensor::from_f64([1, k, d], dtype, values.to_vec()).expect("one value for each component and axis");
        Expr::constant(value)
    }
}

impl Denoiser for Mixture {
    fn prediction(&self) -> Prediction {
        Prediction::Epsilon
    }

    /// For `x [batch, d]`.
    fn predict(&self, x: &Expr, at: &At) -> Expr {
        let (batch, d, k) = (x.shape()[0], x.shape()[1], self.log_weights.len());
        let each = |values: &Expr| values.reshape([batch, 1, 1]);
        let (alpha, sigma) = (each(&at.alpha), each(&at.sigma));
        let noise = sigma.square().scale(1.0 + self.gamma * self.gamma);
        let variances = self.constant(&self.variances, x.dtype()).mul(&alpha.square()).add(&noise);
        let away = x.reshape([batch, 1, d]).sub(&self.constant(&self.means, x.dtype()).mul(&alpha));
        let weights =
            Tensor::from_f64([1, k], x.dtype(), self.log_weights.clone()).expect("one weight for each component");
        let exponents = away.square().div(&variances).add(&variances.log()).reduce_sum(&[2], false).scale(-0.5);
        let shares = Expr::constant(weights).add(&exponents).softmax(1).reshape([batch, k, 1]);
        away.div(&variances).mul(&shares).reduce_sum(&[1], false).mul(&sigma.reshape([batch, 1]))
    }
}
