//! Reproductions of theory.

mod nngp_finite_width;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] = &[&nngp_finite_width::NngpFiniteWidth];
