//! Gradients of limited size.

use super::{Gradient, Hook, Step};
use crate::TrainError;
use perturb_graph::Expr;

/// Limits the gradients, of all parameters together or of each element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClipGradients {
    /// Scales all gradients so that their joint ℓ₂ norm is at most this (Pascanu et al. 2013, algorithm 1), as PyTorch's
    /// `clip_grad_norm_` does: by `limit/(norm + 10⁻⁶)`, at most 1.
    Norm(f64),
    /// Cuts each element off at ± this.
    Value(f64),
}

impl Hook for ClipGradients {
    fn apply(&self, step: &mut Step) -> Result<(), TrainError> {
        let clip = *self;
        let (ClipGradients::Norm(limit) | ClipGradients::Value(limit)) = clip;
        if limit.is_nan() || limit <= 0.0 {
            return Err(TrainError::Setting(format!("gradients are clipped to a positive limit, not {limit}")));
        }
        step.map_gradients(move |_, gradients| {
            match clip {
                ClipGradients::Norm(limit) => {
                    let Some(norm) = joint_norm(gradients) else { return Ok(()) };
                    let factor = norm.like(limit).div(&norm.offset(1e-6)).minimum(&norm.like(1.0));
                    for g in gradients {
                        g.value = g.value.mul(&factor.cast(g.value.dtype()));
                    }
                }
                ClipGradients::Value(limit) => gradients.iter_mut().for_each(|g| g.value = g.value.clip(-limit, limit)),
            }
            Ok(())
        });
        Ok(())
    }
}

/// The ℓ₂ norm of all gradients together; `None` if there are none.
fn joint_norm(gradients: &[Gradient]) -> Option<Expr> {
    let dtype = gradients.first()?.value.dtype();
    let squares = gradients.iter().map(|g| g.value.square().sum().cast(dtype));
    Some(squares.reduce(|a, b| a.add(&b))?.sqrt())
}
