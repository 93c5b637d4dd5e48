//! Reproductions of embeddings.

mod poincare;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] = &[&poincare::PoincareEmbeddings];
