//! Mixtures of Gaussians with any covariances.

use super::{Density, log_sum_exp};
use crate::worlds::error::WorldError;
use faer::{Mat, Side};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use std::f64::consts::TAU;

/// Σ wₖ N(μₖ, Σₖ).
///
/// Each covariance is kept as its eigenvectors and eigenvalues, so that Σₖ + σ²I is inverted for every σ at the cost of
/// a product.
#[derive(Clone, Debug)]
pub struct GaussianMixture {
    dimension: usize,
    components: Vec<Component>,
    classes: usize,
}

#[derive(Clone, Debug)]
struct Component {
    log_weight: f64,
    /// Sum of the weights up to and including this one.
    cumulative: f64,
    mean: Vec<f64>,
    /// Rows are eigenvectors; `None` for multiples of the identity.
    axes: Option<Vec<f64>>,
    /// Variance along each axis.
    variances: Vec<f64>,
    class: usize,
}

impl GaussianMixture {
    /// A mixture of `(weight, mean, covariance)`, covariances row-major `[d, d]`; the class of a sample is the index of
    /// its component. Weights are divided by their sum.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] for no components, weights that are not positive, lengths that do not agree, and
    /// covariances that are not symmetric or not positive definite.
    pub fn new(components: &[(f64, Vec<f64>, Vec<f64>)]) -> Result<GaussianMixture, WorldError> {
        let fail = |parameter, value: String, expected: String| {
            Err(WorldError::parameter("mixtures", parameter, value, expected))
        };
        let Some((_, first, _)) = components.first() else {
            return fail("components", "empty".to_string(), "give at least one".to_string());
        };
        let d = first.len();
        let total: f64 = components.iter().map(|c| c.0).sum();
        let mut made = Vec::new();
        let mut cumulative = 0.0;
        for (class, (weight, mean, covariance)) in components.iter().enumerate() {
            if !(*weight > 0.0 && total.is_finite()) {
                return fail("weight", weight.to_string(), format!("component {class} needs a positive finite one"));
            }
            if d == 0 || mean.len() != d || covariance.len() != d * d || mean.iter().any(|m| !m.is_finite()) {
                let sizes = format!("{} values with a covariance of {}", mean.len(), covariance.len());
                return fail(
                    "mean",
                    sizes,
                    format!("component {class} needs {d} finite values (at least one) and {d}×{d}"),
                );
            }
            let (axes, variances) = principal_axes(covariance, d, class)?;
            cumulative += weight / total;
            let log_weight = (weight / total).ln();
            made.push(Component { log_weight, cumulative, mean: mean.clone(), axes: Some(axes), variances, class });
        }
        Ok(GaussianMixture { dimension: d, classes: made.len(), components: made })
    }

    /// Equally likely means with one standard deviation in all directions, and the class of each.
    pub(super) fn isotropic<const D: usize>(means: &[([f64; D], usize)], deviation: f64) -> GaussianMixture {
        let weight = 1.0 / means.len() as f64;
        let component = |(k, (mean, class)): (usize, &([f64; D], usize))| Component {
            log_weight: weight.ln(),
            cumulative: weight * (k + 1) as f64,
            mean: mean.to_vec(),
            axes: None,
            variances: vec![deviation * deviation; D],
            class: *class,
        };
        let classes = means.iter().map(|m| m.1 + 1).max().unwrap_or(0);
        GaussianMixture { dimension: D, components: means.iter().enumerate().map(component).collect(), classes }
    }

    /// Number of components.
    pub fn components(&self) -> usize {
        self.components.len()
    }

    /// Mean of the component `k`.
    pub fn mean(&self, k: usize) -> &[f64] {
        &self.components[k].mean
    }

    /// log wₖ N(x; μₖ, Σₖ + σ²I) of every component.
    fn log_terms(&self, x: &[f64], sigma: f64) -> Vec<f64> {
        self.components.iter().map(|c| c.log_weight + c.log_normal(x, sigma)).collect()
    }
}

/// Eigenvectors as rows and eigenvalues of a covariance.
fn principal_axes(covariance: &[f64], d: usize, component: usize) -> Result<(Vec<f64>, Vec<f64>), WorldError> {
    let fail = |value: String| {
        let expected = format!("that of component {component} must be symmetric and positive definite");
        Err(WorldError::parameter("mixtures", "covariance", value, expected))
    };
    let scale = covariance.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    for i in 0..d {
        for j in 0..i {
            let (a, b) = (covariance[i * d + j], covariance[j * d + i]);
            if (a - b).abs() > 1e-12 * scale {
                return fail(format!("{a} at ({i}, {j}) and {b} at ({j}, {i})"));
            }
        }
    }
    let matrix = Mat::from_fn(d, d, |i, j| covariance[i * d + j]);
    let Ok(eigen) = matrix.self_adjoint_eigen(Side::Lower) else {
        return fail("without eigenvalues".to_string());
    };
    let variances: Vec<f64> = eigen.S().column_vector().iter().copied().collect();
    if let Some(variance) = variances.iter().find(|&&v| v.is_nan() || v <= 0.0) {
        return fail(format!("of eigenvalue {variance}"));
    }
    let axes = (0..d * d).map(|i| eigen.U()[(i % d, i / d)]).collect();
    Ok((axes, variances))
}

impl Component {
    /// x − μ along principal axis `i`.
    fn along(&self, x: &[f64], i: usize) -> f64 {
        match &self.axes {
            None => x[i] - self.mean[i],
            Some(axes) => {
                let axis = &axes[i * x.len()..][..x.len()];
                axis.iter().zip(x).zip(&self.mean).map(|((a, x), m)| a * (x - m)).sum()
            }
        }
    }

    fn log_normal(&self, x: &[f64], sigma: f64) -> f64 {
        let term = |(i, variance): (usize, &f64)| {
            let (y, variance) = (self.along(x, i), variance + sigma * sigma);
            y * y / variance + (TAU * variance).ln()
        };
        -0.5 * self.variances.iter().enumerate().map(term).sum::<f64>()
    }

    /// Adds `share`·∇ log N(x; μ, Σ + σ²I).
    fn add_score(&self, x: &[f64], sigma: f64, share: f64, score: &mut [f64]) {
        for (i, variance) in self.variances.iter().enumerate() {
            let pull = -share * self.along(x, i) / (variance + sigma * sigma);
            match &self.axes {
                None => score[i] += pull,
                Some(axes) => {
                    let axis = &axes[i * x.len()..][..x.len()];
                    score.iter_mut().zip(axis).for_each(|(s, a)| *s += pull * a);
                }
            }
        }
    }
}

impl Density for GaussianMixture {
    fn dimension(&self) -> usize {
        self.dimension
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn log_prob(&self, x: &[f64], sigma: f64) -> f64 {
        log_sum_exp(self.log_terms(x, sigma).iter().copied())
    }

    fn score(&self, x: &[f64], sigma: f64, score: &mut [f64]) {
        let terms = self.log_terms(x, sigma);
        let total = log_sum_exp(terms.iter().copied());
        score.fill(0.0);
        for (component, term) in self.components.iter().zip(terms) {
            component.add_score(x, sigma, (term - total).exp(), score);
        }
    }

    fn posterior(&self, x: &[f64], sigma: f64, posterior: &mut [f64]) {
        let terms = self.log_terms(x, sigma);
        let total = log_sum_exp(terms.iter().copied());
        posterior.fill(0.0);
        for (component, term) in self.components.iter().zip(terms) {
            posterior[component.class] += (term - total).exp();
        }
    }

    fn draw(&self, rng: &mut ChaCha8Rng, x: &mut [f64]) -> usize {
        let place: f64 = rng.random_range(0.0..1.0);
        let k = self.components.partition_point(|c| c.cumulative <= place).min(self.components.len() - 1);
        let component = &self.components[k];
        x.copy_from_slice(&component.mean);
        for (i, variance) in component.variances.iter().enumerate() {
            let step = variance.sqrt() * rng.sample::<f64, _>(StandardNormal);
            match &component.axes {
                None => x[i] += step,
                Some(axes) => {
                    let axis = &axes[i * x.len()..][..x.len()];
                    x.iter_mut().zip(axis).for_each(|(x, a)| *x += step * a);
                }
            }
        }
        component.class
    }
}
