//! Adagrad.

use super::{Optimizer, Update};
use perturb_graph::Expr;

/// Adagrad (Duchi et al. 2011, in its diagonal form) with PyTorch's defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adagrad {
    /// Learning rate.
    pub learning_rate: f64,
    /// Keeps the step finite.
    pub epsilon: f64,
    /// The sum of squares to start with.
    pub initial: f64,
    /// Weight decay, as a penalty on the loss.
    pub weight_decay: f64,
}

impl Default for Adagrad {
    fn default() -> Self {
        Adagrad { learning_rate: 1e-2, epsilon: 1e-10, initial: 0.0, weight_decay: 0.0 }
    }
}

impl Optimizer for Adagrad {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn update(&self, at: &mut Update) -> Expr {
        let g = at.decayed_gradient();
        let sum = at.state("sum", self.initial, |s| s.add(&g.square()));
        at.parameter.sub(&g.div(&sum.sqrt().offset(self.epsilon)).mul(&at.rate))
    }
}
