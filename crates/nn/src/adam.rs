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

impl Adam {
    /// What one step replaces: pairs of a variable and its next value, three for each parameter (a leaf with a value):
    /// itself and its two moments; and the number of the step. The variables' values are where training starts, as [`perturb_engine::Executable::compile_with_state`] takes them.
    ///
    /// [`perturb_engine::Executable::compile_with_state`]: perturb_engine::Executable::compile_with_state
    pub fn updates(&self, params: &[Expr], gradients: &[Expr]) -> Vec<(Expr, Expr)> {
        let Some(dtype) = params.first().map(Expr::dtype) else { return Vec::new() };
        let variable = |name: &str, like: &Expr, value: f64| {
            let values = vec![value; like.shape().count()];
            Expr::param(name, Tensor::from_f64(like.shape(), dtype, values).expect("one value for each element"))
        };
        let step = variable("step", &Expr::scalar(0.0, dtype), 0.0);
        let next_step = step.offset(1.0);
        // √(1 − β₂ᵗ)/(1 − β₁ᵗ): the paper's efficient form (end of §2), in which ε is not corrected.
        let rest = |beta: f64| next_step.scale(beta.ln()).expm1().neg();
        let correction = rest(self.beta2).sqrt().div(&rest(self.beta1)).scale(self.learning_rate);
        let mut updates = Vec::with_capacity(3 * params.len() + 1);
        for (param, gradient) in params.iter().zip(gradients) {
            let (m, v) = (variable("first moment", param, 0.0), variable("second moment", param, 0.0));
            let next_m = m.scale(self.beta1).add(&gradient.scale(1.0 - self.beta1));
            let next_v = v.scale(self.beta2).add(&gradient.square().scale(1.0 - self.beta2));
            let change = next_m.div(&next_v.sqrt().offset(self.epsilon)).mul(&correction.broadcast_to(param.shape()));
            updates.push((param.clone(), param.sub(&change)));
            updates.extend([(m, next_m), (v, next_v)]);
        }
        updates.push((step, next_step));
        updates
    }
}
