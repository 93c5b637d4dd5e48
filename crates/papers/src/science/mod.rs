//! Reproductions of scientific models.

mod pig;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] = &[&pig::PhysicsInformedGaussians];
