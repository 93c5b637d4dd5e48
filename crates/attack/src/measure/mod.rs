//! Measures of models and of perturbations.

pub mod harmless;
pub mod padding;
pub mod perturbation_learning;
mod robustness;
pub mod sparsity;

pub use robustness::rho_adv;
