//! Reproductions of attacks.

mod deepfool;
mod fgsm;
mod subjects;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] = &[
    &deepfool::DeepFool,
    &fgsm::Fgsm,
];
