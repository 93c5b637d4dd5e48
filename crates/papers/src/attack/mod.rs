//! Reproductions of attacks.

mod adversarial_parameters;
mod captioner;
mod cifar_networks;
mod contrast_sets;
mod deepfool;
mod dual_encoder;
mod etu;
mod fgsm;
mod gd_uap;
mod gray_box_captioning;
mod harmless_perturbations;
mod learning_from_perturbations;
mod retrieval;
mod robust_features_ib;
mod segmenter;
mod sparse_singular_vectors;
mod subjects;
mod visual_questions;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] = &[
    &adversarial_parameters::AdversarialParameters,
    &contrast_sets::ContrastSets,
    &deepfool::DeepFool,
    &etu::Etu,
    &fgsm::Fgsm,
    &gd_uap::GdUap,
    &gray_box_captioning::GrayBoxCaptioning,
    &harmless_perturbations::HarmlessPerturbations,
    &learning_from_perturbations::LearningFromPerturbations,
    &robust_features_ib::RobustFeaturesIb,
    &sparse_singular_vectors::SparseSingularVectors,
];
