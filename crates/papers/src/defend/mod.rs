//! Reproductions of defences.

mod rwp;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] = &[&rwp::Rwp];
