//! Reproductions of attacks.

mod deepfool;
mod fgsm;
mod harmless_perturbations;
mod learning_from_perturbations;
mod subjects;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] = &[
    &deepfool::DeepFool,
    &fgsm::Fgsm,
    &harmless_perturbations::HarmlessPerturbations,
    &learning_from_perturbations::LearningFromPerturbations,
];
