//! Reproductions of attacks.

mod c_pgc;
mod captioner;
mod contrast_sets;
mod deepfool;
mod dual_encoder;
mod embedding_map;
mod etu;
mod fgsm;
mod gray_box_captioning;
mod harmless_perturbations;
mod learning_from_perturbations;
mod m_attack;
mod quadattack;
mod retrieval;
mod sentence_encoder;
mod subjects;
mod vec2text;
mod visual_questions;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] = &[
    &c_pgc::CPgc,
    &contrast_sets::ContrastSets,
    &deepfool::DeepFool,
    &etu::Etu,
    &fgsm::Fgsm,
    &gray_box_captioning::GrayBoxCaptioning,
    &harmless_perturbations::HarmlessPerturbations,
    &learning_from_perturbations::LearningFromPerturbations,
    &m_attack::MAttack,
    &quadattack::QuadAttack,
    &vec2text::Vec2Text,
];
