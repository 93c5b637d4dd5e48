//! Reproductions of certificates.

mod ibp;
mod sandwich_layers;
mod text_vectorizers;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] =
    &[&ibp::Ibp, &sandwich_layers::SandwichLayers, &text_vectorizers::TextVectorizers];
