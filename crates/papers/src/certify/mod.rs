//! Reproductions of certificates.

mod attribution_deviation_bound;
mod auto_lirpa;
mod digits;
mod ibp;
mod lipschitz_classifiers;
mod random_graphs;
mod rrcm;
mod sandwich_layers;
mod text_vectorizers;
mod uniform_smoothed_attributions;

use crate::Reproduction;

/// All of them.
pub const REPRODUCTIONS: &[&dyn Reproduction] = &[
    &attribution_deviation_bound::AttributionDeviationBound,
    &auto_lirpa::AutoLirpa,
    &ibp::Ibp,
    &rrcm::Rrcm,
    &sandwich_layers::SandwichLayers,
    &text_vectorizers::TextVectorizers,
    &uniform_smoothed_attributions::UniformSmoothedAttributions,
];
