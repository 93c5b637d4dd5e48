//! Multinomial logistic regression.

use super::lbfgs::minimize;
use super::linear::{LinearMap, check_penalty};
use crate::accuracy::check_labels;
use crate::distance::dot;
use crate::error::{MetricError, Result, check_lengths};
use crate::matrix::Matrix;

/// Multinomial logistic regression on frozen features, by L-BFGS: the linear probe (Alain & Bengio 2016).
///
/// Minimises `Σ_i cross_entropy(W·x_i + b, y_i) + l2/2·‖W‖²`; the bias is not penalised. That is scikit-learn's
/// `LogisticRegression` with `C = 1 / l2`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogisticProbe {
    /// Penalty on the weights. With 0 and separable classes there is no minimum.
    pub l2: f64,
    /// Largest entry of the gradient of the objective, divided by the number of examples, at which the search ends.
    pub tolerance: f64,
    /// Most iterations of L-BFGS.
    pub max_iterations: usize,
}

impl Default for LogisticProbe {
    /// `l2 = 1`, gradient 1e-4, at most 1000 iterations.
    fn default() -> Self {
        LogisticProbe { l2: 1.0, tolerance: 1e-4, max_iterations: 1000 }
    }
}

/// A probe that was fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedProbe {
    /// From features to logits.
    pub map: LinearMap,
    /// Iterations that were made.
    pub iterations: usize,
    /// Whether the gradient reached the tolerance; if not, standardise the features or allow more iterations.
    pub converged: bool,
}

impl LogisticProbe {
    /// Fits features `x`, `[n, d]`, with labels below `classes`.
    ///
    /// # Errors
    /// [`MetricError::Length`]; [`MetricError::Domain`] for a label that is no class, fewer than two classes, or a
    /// negative penalty.
    pub fn fit(&self, x: &Matrix, labels: &[usize], classes: usize) -> Result<FittedProbe> {
        check_lengths("rows and labels", x.rows(), labels.len())?;
        check_labels(labels, classes)?;
        check_penalty("l2", self.l2)?;
        if classes < 2 {
            return Err(MetricError::Domain { what: "classes", reason: format!("needs at least two, got {classes}") });
        }
        let count = classes * x.columns();
        let objective = |parameters: &[f64], gradient: &mut [f64]| self.objective(x, labels, parameters, gradient);
        let start = vec![0.0; count + classes];
        let found = minimize(objective, start, self.tolerance, self.max_iterations);
        let (weights, bias) = found.point.split_at(count);
        let map = LinearMap { weights: weights.to_vec(), bias: bias.to_vec() };
        Ok(FittedProbe { map, iterations: found.iterations, converged: found.converged })
    }

    /// The mean objective at weights followed by biases, and its gradient.
    fn objective(&self, x: &Matrix, labels: &[usize], parameters: &[f64], gradient: &mut [f64]) -> f64 {
        let (d, n) = (x.columns(), x.rows() as f64);
        let classes = parameters.len() / (d + 1);
        let (weights, bias) = parameters.split_at(classes * d);
        let (weight_gradient, bias_gradient) = gradient.split_at_mut(classes * d);
        weight_gradient.iter_mut().zip(weights).for_each(|(g, w)| *g = self.l2 * w / n);
        bias_gradient.fill(0.0);
        let mut loss = 0.5 * self.l2 * dot(weights, weights) / n;
        let mut logits = vec![0.0; classes];
        for (row, &label) in x.iter().zip(labels) {
            for (class, logit) in logits.iter_mut().enumerate() {
                *logit = dot(&weights[class * d..(class + 1) * d], row) + bias[class];
            }
            let largest = logits.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v));
            let total: f64 = logits.iter().map(|z| (z - largest).exp()).sum();
            loss += (total.ln() + largest - logits[label]) / n;
            for (class, logit) in logits.iter().enumerate() {
                let residual = ((logit - largest).exp() / total - f64::from(u8::from(class == label))) / n;
                bias_gradient[class] += residual;
                let slots = &mut weight_gradient[class * d..(class + 1) * d];
                slots.iter_mut().zip(row).for_each(|(g, v)| *g += residual * v);
            }
        }
        loss
    }
}
