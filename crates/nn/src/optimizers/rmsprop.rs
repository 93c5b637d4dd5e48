//! RMSProp.

use super::{Optimizer, Update};
use perturb_graph::Expr;

/// RMSProp (Hinton 2012, lecture 6e) with PyTorch's defaults and order of operations (ε outside of the root).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp {
    /// Learning rate.
    pub learning_rate: f64,
    /// Decay of the mean square.
    pub alpha: f64,
    /// Keeps the step finite.
    pub epsilon: f64,
    /// Share of the velocity that is kept; 0 for none.
    pub momentum: f64,
    /// Whether to divide by the standard deviation instead of the root mean square (Graves 2013).
    pub centered: bool,
    /// Weight decay, as a penalty on the loss.
    pub weight_decay: f64,
}

impl Default for RmsProp {
    fn default() -> Self {
        RmsProp { learning_rate: 1e-2, alpha: 0.99, epsilon: 1e-8, momentum: 0.0, centered: false, weight_decay: 0.0 }
    }
}

impl Optimizer for RmsProp {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn update(&self, at: &mut Update) -> Expr {
        let g = at.decayed_gradient();
        let average = |old: &Expr, new: &Expr| old.scale(self.alpha).add(&new.scale(1.0 - self.alpha));
        let mut square = at.state("square_avg", 0.0, |s| average(s, &g.square()));
        if self.centered {
            let mean = at.state("grad_avg", 0.0, |m| average(m, &g));
            square = square.sub(&mean.square());
        }
        let mut direction = g.div(&square.sqrt().offset(self.epsilon));
        if self.momentum > 0.0 {
            direction = at.state("momentum_buffer", 0.0, |v| v.scale(self.momentum).add(&direction));
        }
        at.parameter.sub(&direction.mul(&at.rate))
    }
}
