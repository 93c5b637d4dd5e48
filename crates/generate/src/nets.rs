//! Networks that denoise.

use crate::{At, Denoiser, Prediction};
use perturb_graph::Expr;
use perturb_nn::{Layers, sinusoidal_features};

/// A perceptron on points `[batch, d]` and sinusoidal features of the time, with SiLU.
#[derive(Clone, Debug)]
pub struct Perceptron {
    /// Where its parameters live.
    pub layers: Layers,
    /// Widths of the hidden layers.
    pub widths: Vec<usize>,
    /// Number of features of the time, even and at least 4.
    pub features: usize,
    /// What it predicts.
    pub prediction: Prediction,
}

impl Perceptron {
    /// Three hidden layers of 128 and 32 features of the time; it predicts ε.
    pub fn new(layers: Layers) -> Perceptron {
        Perceptron { layers, widths: vec![128; 3], features: 32, prediction: Prediction::Epsilon }
    }
}

impl Denoiser for Perceptron {
    fn prediction(&self) -> Prediction {
        self.prediction
    }

    fn predict(&self, x: &Expr, at: &At) -> Expr {
        let input = Expr::concat(&[x.clone(), sinusoidal_features(&at.time, self.features)], 1);
        let widths = [&self.widths[..], &[x.shape()[1]]].concat();
        self.layers.mlp(&input, &widths, Expr::silu)
    }
}
