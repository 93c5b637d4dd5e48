//! Measures of models and of perturbations.

pub mod harmless;
pub mod perturbation_learning;
mod robustness;

pub use robustness::rho_adv;
