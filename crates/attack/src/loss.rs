//! Losses whose input gradient an attack follows.

use perturb_graph::Expr;

/// A loss of one example, of its logits z and a class y; attacks raise it for a label and lower it for a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Loss {
    /// `log Σᵢ exp(zᵢ) − z_y`.
    #[default]
    CrossEntropy,
    /// `max_{i≠y} zᵢ − z_y` (Carlini and Wagner 2017, f₆ without its floor): its gradient does not vanish where the
    /// cross-entropy saturates.
    Margin,
}

impl Loss {
    /// Sum over the batch; `logits` and `one_hot` (1 at the class) are `[batch, classes]`.
    pub(crate) fn total(self, logits: &Expr, one_hot: &Expr) -> Expr {
        let chosen = |z: &Expr| z.mul(one_hot).sum();
        match self {
            Loss::CrossEntropy => chosen(&logits.log_softmax(1)).neg(),
            Loss::Margin => {
                let others = Expr::select(one_hot, &logits.like(f64::from(f32::MIN)), logits);
                others.reduce_max(&[1], false).sum().sub(&chosen(logits))
            }
        }
    }
}
