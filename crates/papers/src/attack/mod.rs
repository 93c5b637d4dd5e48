//! Reproductions of attacks.

mod fgsm;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] = &[&fgsm::Fgsm];
