//! The shape of representations: rank, intrinsic dimension, similarity of two of them, disentanglement.
//!
//! Rows are examples, columns are features.

mod dimension;
mod disentanglement;
mod kernel_alignment;
mod procrustes;
mod spectrum;
mod sphere;

pub use dimension::{levina_bickel, local_dimensions, mackay_ghahramani, two_nn};
pub use disentanglement::{Correlation, Dci, MatchedCorrelation, affine_r_squared, dci, mean_correlation};
pub use kernel_alignment::{Estimator, cka};
pub use procrustes::{Procrustes, procrustes};
pub use spectrum::{effective_rank, participation_ratio};
pub use sphere::{alignment, uniformity};
