//! Gradient and input×gradient.

use crate::{Attribution, Model, Result};
use perturb_graph::Tensor;

/// The gradient ∂f/∂x of the target's logit f (Simonyan et al. 2014, section 3), with its sign. The paper shows the
/// largest absolute value over the channels: that is a matter of drawing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gradient;

impl Attribution for Gradient {
    fn name(&self) -> &'static str {
        "gradient"
    }

    fn attribute(&self, model: &Model, inputs: &Tensor, targets: &[usize]) -> Result<Tensor> {
        model.gradients(inputs, targets)
    }
}

/// x ⊙ ∂f/∂x (Shrikumar et al. 2016, arXiv:1605.01713): integrated gradients of a model that is linear between zero
/// and x.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputTimesGradient;

impl Attribution for InputTimesGradient {
    fn name(&self) -> &'static str {
        "input times gradient"
    }

    fn attribute(&self, model: &Model, inputs: &Tensor, targets: &[usize]) -> Result<Tensor> {
        let mut product = model.gradients(inputs, targets)?;
        let gradients = product.as_mut_slice::<f32>().iter_mut();
        gradients.zip(inputs.as_slice::<f32>()).for_each(|(g, x)| *g *= x);
        Ok(product)
    }
}
