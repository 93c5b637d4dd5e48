//! Reproductions of generative models.

mod input_perturbation;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] = &[&input_perturbation::InputPerturbation];
