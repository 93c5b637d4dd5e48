//! Reproductions of certificates.

mod attribution_deviation_bound;
mod digits;
mod ibp;
mod sandwich_layers;
mod text_vectorizers;
mod uniform_smoothed_attributions;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] = &[
    &attribution_deviation_bound::AttributionDeviationBound,
    &ibp::Ibp,
    &sandwich_layers::SandwichLayers,
    &text_vectorizers::TextVectorizers,
    &uniform_smoothed_attributions::UniformSmoothedAttributions,
];
