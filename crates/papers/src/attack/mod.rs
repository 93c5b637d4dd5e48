//! Reproductions of attacks.

mod captioner;
mod contrast_sets;
mod deepfool;
mod dual_encoder;
mod etu;
mod fgsm;
mod gray_box_captioning;
mod harmless_perturbations;
mod learning_from_perturbations;
mod retrieval;
mod subjects;
mod visual_questions;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] = &[
    &contrast_sets::ContrastSets,
    &deepfool::DeepFool,
    &etu::Etu,
    &fgsm::Fgsm,
    &gray_box_captioning::GrayBoxCaptioning,
    &harmless_perturbations::HarmlessPerturbations,
    &learning_from_perturbations::LearningFromPerturbations,
];
