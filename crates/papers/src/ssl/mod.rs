//! Reproductions of self-supervised learning.

mod stepwise;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] = &[&stepwise::Stepwise];
