//! Reproductions of certificates.

mod text_vectorizers;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] = &[&text_vectorizers::TextVectorizers];
