//! Measures of models and of perturbations.

mod robustness;

pub use robustness::rho_adv;
