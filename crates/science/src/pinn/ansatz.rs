//! Functions to be fitted.

use super::Domain;
use perturb_graph::Expr;
use perturb_nn::Layers;

/// A function of points with trained parameters.
pub trait Ansatz {
    /// The value `[n, 1]` at points `x [n, d]`, row by row. Parameters are f64.
    fn value(&self, layers: &Layers, x: &Expr) -> Expr;
}

/// The usual network of physics-informed solvers: tanh layers on the coordinates, brought to `[−1, 1]`, with random Fourier
/// features beside them where wanted (Tancik et al. 2020; Wang et al. 2021 for differential equations).
#[derive(Clone, Debug, PartialEq)]
pub struct Perceptron {
    /// Widths of the hidden layers.
    pub widths: Vec<usize>,
    /// Number of random frequencies and their standard deviation, in periods over half of the domain's width.
    pub fourier: Option<(usize, f64)>,
    /// The domain.
    pub domain: Domain,
}

impl Ansatz for Perceptron {
    fn value(&self, layers: &Layers, x: &Expr) -> Expr {
        let x = self.domain.normalised(x);
        let input = match self.fourier {
            Some((count, deviation)) => {
                let waves = layers.at("fourier").random_fourier_features(&x, count, deviation);
                Expr::concat(&[x, waves], 1)
            }
            None => x,
        };
        layers.mlp(&input, &[&self.widths[..], &[1]].concat(), Expr::tanh)
    }
}
