//! Reproductions of attacks.

mod contrast_sets;
mod deepfool;
mod fgsm;
mod harmless_perturbations;
mod learning_from_perturbations;
mod subjects;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] = &[
    &contrast_sets::ContrastSets,
    &deepfool::DeepFool,
    &fgsm::Fgsm,
    &harmless_perturbations::HarmlessPerturbations,
    &learning_from_perturbations::LearningFromPerturbations,
];
