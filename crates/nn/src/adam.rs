//! Adam as a graph: new parameters and moments from old ones.

use perturb_graph::{Expr, Tensor};

/// Adam (Kingma and Ba 2015, algorithm 1), with the paper's defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Step size α.
    pub learning_rate: f64,
    /// Decay β₁ of the first moment.
    pub beta1: f64,
    /// Decay β₂ of the second moment.
    pub beta2: f64,
    /// ε, which keeps the step finite.
    pub epsilon: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Adam { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

/// One parameter's tensors between steps.
#[derive(Clone, Debug)]
pub struct AdamState {
    /// First moment m.
    pub first: Tensor,
    /// Second moment v.
    pub second: Tensor,
}

impl AdamState {
    /// Zero moments for a parameter.
    pub fn new(param: &Expr) -> AdamState {
        let zero = Tensor::full(param.shape().clone(), 0.0f32);
        AdamState { first: zero.clone(), second: zero }
    }
}

impl Adam {
    /// `(parameter, m, v)` after one step. `correction` is a scalar expression for `√(1 − β₂ᵗ)/(1 − β₁ᵗ)`, fed for
    /// step t by [`Adam::correction`].
    pub fn update(&self, param: &Expr, gradient: &Expr, m: &Expr, v: &Expr, correction: &Expr) -> (Expr, Expr, Expr) {
        let m = m.scale(self.beta1).add(&gradient.scale(1.0 - self.beta1));
        let v = v.scale(self.beta2).add(&gradient.square().scale(1.0 - self.beta2));
        // The paper's efficient form (end of §2): ε is not corrected; at these sizes the difference vanishes.
        let step = m.div(&v.sqrt().offset(self.epsilon)).mul(&correction.broadcast_to(m.shape()));
        (param.sub(&step.scale(self.learning_rate)), m, v)
    }

    /// Bias correction of step `t`, counted from 1.
    pub fn correction(&self, t: u32) -> f64 {
        (1.0 - self.beta2.powi(t as i32)).sqrt() / (1.0 - self.beta1.powi(t as i32))
    }
}
