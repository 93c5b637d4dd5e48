//! Reproductions of attacks.

mod adversarial_parameters;
mod adversarial_sparsity;
mod agreement;
mod attacking_perceptual_metrics;
mod c_pgc;
mod captioner;
mod cifar_networks;
mod colorizer;
mod contrast_sets;
mod deepfool;
mod diffattack;
mod dual_encoder;
mod embedding_map;
mod etu;
mod fgsm;
mod figure_diffusion;
mod figure_networks;
mod gd_uap;
mod gray_box_captioning;
mod harmless_perturbations;
mod lasi;
mod learning_from_perturbations;
mod linear_worst_case;
mod m_attack;
mod maxout;
mod padding_robustness;
mod perceivers;
mod photographs;
mod quadattack;
mod recoloring;
mod retrieval;
mod robust_features_ib;
mod segmenter;
mod semantic_manipulation;
mod sentence_encoder;
mod shallow;
mod sparse_singular_vectors;
mod subjects;
mod triplets;
mod vec2text;
mod visual_questions;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] = &[
    &adversarial_parameters::AdversarialParameters,
    &adversarial_sparsity::AdversarialSparsity,
    &attacking_perceptual_metrics::AttackingPerceptualMetrics,
    &c_pgc::CPgc,
    &contrast_sets::ContrastSets,
    &deepfool::DeepFool,
    &diffattack::DiffAttack,
    &etu::Etu,
    &fgsm::Fgsm,
    &gd_uap::GdUap,
    &gray_box_captioning::GrayBoxCaptioning,
    &harmless_perturbations::HarmlessPerturbations,
    &lasi::Lasi,
    &learning_from_perturbations::LearningFromPerturbations,
    &m_attack::MAttack,
    &padding_robustness::PaddingRobustness,
    &quadattack::QuadAttack,
    &robust_features_ib::RobustFeaturesIb,
    &semantic_manipulation::SemanticManipulation,
    &sparse_singular_vectors::SparseSingularVectors,
    &vec2text::Vec2Text,
];
