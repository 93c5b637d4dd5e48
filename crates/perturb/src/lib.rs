//! The perturbation engine for learned models
