//! Integrated gradients.

use super::quadrature::Quadrature;
use crate::{Attribution, Baseline, Model, Result};
use perturb_graph::Tensor;

/// `(x − x′) ⊙ ∫₀¹ ∂f(x′ + α(x − x′)) dα` for the target's logit f and the baseline x′ (Sundararajan et al. 2017, eq. 1).
/// Up to the error of the quadrature, an example's attributions sum to `f(x) − f(x′)`: see
/// [`completeness_gaps`](crate::completeness_gaps).
#[derive(Clone, Debug, PartialEq)]
pub struct IntegratedGradients {
    /// Points at which the gradient is evaluated.
    pub steps: usize,
    /// x′.
    pub baseline: Baseline,
    /// Where the points are.
    pub rule: Quadrature,
}

impl Default for IntegratedGradients {
    /// 50 Gauss–Legendre points from a zero baseline, as in Captum 0.9; the paper (section 5) finds 20 to 300 points
    /// enough.
    fn default() -> Self {
        IntegratedGradients { steps: 50, baseline: Baseline::Zero, rule: Quadrature::GaussLegendre }
    }
}

impl Attribution for IntegratedGradients {
    fn name(&self) -> &'static str {
        "integrated gradients"
    }

    fn attribute(&self, model: &Model, inputs: &Tensor, targets: &[usize]) -> Result<Tensor> {
        let (points, weights): (Vec<f64>, Vec<f64>) = self.rule.rule(self.steps)?.into_iter().unzip();
        let examples = model.targeted(inputs, targets)?;
        let baselines = self.baseline.of(model, examples)?;
        let width = model.example_shape().count();
        let mut maps = model.weighted_gradients(targets, &weights, |example, step, row| {
            let alpha = points[step] as f32;
            let ends = baselines[example * width..].iter().zip(examples.row(example));
            row.iter_mut().zip(ends).for_each(|(row, (from, to))| *row = from + alpha * (to - from));
        })?;
        let ends = baselines.iter().zip(examples.values());
        maps.iter_mut().zip(ends).for_each(|(map, (from, to))| *map *= to - from);
        Ok(Tensor::new(inputs.shape(), maps)?)
    }
}
