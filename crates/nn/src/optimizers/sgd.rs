//! Stochastic gradient descent.

use super::{Optimizer, Update};
use perturb_graph::Expr;

/// Stochastic gradient descent, with momentum as PyTorch defines it: `v ← momentum·v + g`, `p ← p − rate·v`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// Learning rate.
    pub learning_rate: f64,
    /// Share of the velocity that is kept; 0 for none.
    pub momentum: f64,
    /// Steps along `g + momentum·v` (Nesterov 1983, in the form of Sutskever et al. 2013).
    pub nesterov: bool,
    /// Weight decay, as a penalty on the loss.
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Sgd { learning_rate: 1e-2, momentum: 0.0, nesterov: false, weight_decay: 0.0 }
    }
}

impl Optimizer for Sgd {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn update(&self, at: &mut Update) -> Expr {
        let g = at.decayed_gradient();
        let direction = if self.momentum == 0.0 {
            g
        } else {
            // From a velocity of 0 the first is the gradient itself.
            let velocity = at.state("momentum_buffer", 0.0, |v| v.scale(self.momentum).add(&g));
            if self.nesterov { g.add(&velocity.scale(self.momentum)) } else { velocity }
        };
        at.parameter.sub(&direction.mul(&at.rate))
    }
}
