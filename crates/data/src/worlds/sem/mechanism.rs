//! What a node does with its parents, and its noise.

use rand::{Rng, RngExt};
use rand_distr::{Exp1, StandardNormal};

/// f of x = f(parents) + noise. Vectors run over the node's parents in ascending order.
#[derive(Clone, Debug, PartialEq)]
pub enum Mechanism {
    /// c + Σ wᵢ pᵢ.
    Linear {
        /// wᵢ.
        weights: Vec<f64>,
        /// c.
        intercept: f64,
    },
    /// c + Σ wᵢ pᵢ + Σ qᵢⱼ pᵢ pⱼ.
    Quadratic {
        /// wᵢ.
        weights: Vec<f64>,
        /// qᵢⱼ, row-major, all entries counted.
        products: Vec<f64>,
        /// c.
        intercept: f64,
    },
    /// c + Σ vₕ tanh(bₕ + Σ wₕᵢ pᵢ).
    Network {
        /// wₕᵢ, row-major.
        weights: Vec<f64>,
        /// bₕ.
        biases: Vec<f64>,
        /// vₕ.
        outputs: Vec<f64>,
        /// c.
        intercept: f64,
    },
}

impl Mechanism {
    /// A constant, whatever the parents are.
    pub fn constant(value: f64) -> Mechanism {
        Mechanism::Linear { weights: Vec::new(), intercept: value }
    }

    /// Number of parents that it takes.
    pub fn parents(&self) -> usize {
        match self {
            Mechanism::Linear { weights, .. } | Mechanism::Quadratic { weights, .. } => weights.len(),
            Mechanism::Network { weights, biases, .. } => weights.len() / biases.len().max(1),
        }
    }

    /// f(parents).
    pub fn value(&self, parents: &[f64]) -> f64 {
        let dot = |w: &[f64]| w.iter().zip(parents).map(|(w, p)| w * p).sum::<f64>();
        match self {
            Mechanism::Linear { weights, intercept } => intercept + dot(weights),
            Mechanism::Quadratic { weights, products, intercept } => {
                let rows = products.chunks(parents.len().max(1)).zip(parents);
                intercept + dot(weights) + rows.map(|(row, p)| p * dot(row)).sum::<f64>()
            }
            Mechanism::Network { weights, biases, outputs, intercept } => {
                let units = weights.chunks(parents.len().max(1)).zip(biases).zip(outputs);
                intercept + units.map(|((w, b), v)| v * (b + dot(w)).tanh()).sum::<f64>()
            }
        }
    }
}

/// A node's noise: s·ε.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// Law of ε.
    pub law: NoiseLaw,
    /// s ≥ 0.
    pub deviation: f64,
}

/// Laws of mean 0 and variance 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoiseLaw {
    /// Normal.
    Gaussian,
    /// Uniform on [−√3, √3).
    Uniform,
    /// Laplace with scale √½.
    Laplace,
}

impl NoiseLaw {
    /// Draws ε.
    pub(super) fn draw(self, rng: &mut impl Rng) -> f64 {
        match self {
            NoiseLaw::Gaussian => rng.sample(StandardNormal),
            NoiseLaw::Uniform => 3.0f64.sqrt() * rng.random_range(-1.0..1.0),
            NoiseLaw::Laplace => {
                let size = 0.5f64.sqrt() * rng.sample::<f64, _>(Exp1);
                if rng.random() { size } else { -size }
            }
        }
    }
}
