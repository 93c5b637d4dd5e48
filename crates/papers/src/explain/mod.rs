//! Reproductions of explanations.

mod integrated_gradients;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] = &[&integrated_gradients::IntegratedGradients];
