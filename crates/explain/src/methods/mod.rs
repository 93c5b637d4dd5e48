//! The attribution methods, one file for each.

mod gradient;
mod integrated_gradients;
mod occlusion;
mod quadrature;
mod smooth_grad;

pub use gradient::{Gradient, InputTimesGradient};
pub use integrated_gradients::IntegratedGradients;
pub use occlusion::Occlusion;
pub use quadrature::Quadrature;
pub use smooth_grad::SmoothGrad;
