//! Adam and its relatives.

use super::{Optimizer, Update};
use perturb_graph::Expr;

/// Adam (Kingma and Ba 2015, algorithm 1), with the paper's defaults; AdamW and AMSGrad are settings of it.
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
    /// Weight decay.
    pub weight_decay: f64,
    /// Whether weights decay by `rate·weight_decay` of themselves beside the step (AdamW, Loshchilov and Hutter 2019),
    /// not through a penalty on the loss.
    pub decoupled: bool,
    /// Whether the second moment never shrinks (Reddi et al. 2018).
    pub amsgrad: bool,
}

impl Default for Adam {
    fn default() -> Self {
        Adam {
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
            amsgrad: false,
        }
    }
}

impl Adam {
    /// AdamW with PyTorch's weight decay of 0.01.
    pub fn w() -> Adam {
        Adam { weight_decay: 1e-2, decoupled: true, ..Adam::default() }
    }
}

impl Optimizer for Adam {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn update(&self, at: &mut Update) -> Expr {
        let (parameter, g) = if self.decoupled && at.weight_decay != 0.0 {
            let kept = at.rate.scale(-at.weight_decay).offset(1.0);
            (at.parameter.mul(&kept), at.gradient.clone())
        } else {
            (at.parameter.clone(), at.decayed_gradient())
        };
        let m = at.state("exp_avg", 0.0, |m| m.scale(self.beta1).add(&g.scale(1.0 - self.beta1)));
        let v = at.state("exp_avg_sq", 0.0, |v| v.scale(self.beta2).add(&g.square().scale(1.0 - self.beta2)));
        let v = if self.amsgrad { at.state("max_exp_avg_sq", 0.0, |largest| largest.maximum(&v)) } else { v };
        // 1 − βᵗ: what moments that start at 0 have seen.
        let seen = |beta: f64| at.step.scale(beta.ln()).expm1().neg();
        let size = at.rate.div(&seen(self.beta1));
        let scale = v.sqrt().mul(&seen(self.beta2).sqrt().reciprocal()).offset(self.epsilon);
        parameter.sub(&m.div(&scale).mul(&size))
    }
}
