//! Statistics and measures with confidence intervals.
//!
//! Plain functions over slices, so that every other room can use them without conversion:
//!
//! | module | what it measures |
//! |---|---|
//! | [`accuracy`] | predictions, accuracy, top-k accuracy, confusion matrix, precision, recall, F₁ |
//! | [`beta`] | the regularised incomplete beta function |
//! | [`bootstrap`](mod@bootstrap) | percentile, BCa, paired and hierarchical bootstrap |
//! | [`calibration`] | reliability, calibration errors, Brier score, temperature scaling |
//! | [`curve`] | area under a sampled curve (deletion and insertion scores) |
//! | [`distance`] | cosine similarity |
//! | [`distribution`] | Fréchet distance, MMD and KID, precision, recall, density, coverage, energy distance |
//! | [`effect_size`] | Cohen's d, Cliff's δ |
//! | [`image`] | PSNR, SSIM, multi-scale SSIM, distances of feature maps |
//! | [`interval`] | Clopper–Pearson and Wilson intervals of a proportion |
//! | [`neighbors`] | nearest neighbours and their vote |
//! | [`normal`] | the standard normal distribution function and its inverse |
//! | [`paired_test`] | permutation, sign and Wilcoxon tests of paired runs |
//! | [`probe`] | logistic, ridge and lasso regression on frozen features |
//! | [`rank`] | Pearson, Spearman and Kendall correlations |
//! | [`ranking`] | ROC-AUC, average precision, NDCG, reciprocal ranks |
//! | [`reconstruction`](mod@reconstruction) | how well embeddings recover a graph |
//! | [`representation`] | rank, intrinsic dimension, CKA, Procrustes, uniformity, disentanglement |
//! | [`summary`] | mean, standard deviation, quantiles |
//! | [`transport`] | Wasserstein distances, assignment, Sinkhorn |
//!
//! Several rows of numbers are a [`Matrix`].
//! Every function returns a [`MetricError`] for input that has no meaningful answer (empty, NaN, lengths that
//! differ), never a silent NaN.
//!
//! ```
//! use perturb_metrics::interval::clopper_pearson;
//! let accuracy = clopper_pearson(970, 1000, 0.05)?;
//! assert!(accuracy.lower < 0.97 && 0.97 < accuracy.upper);
//! # Ok::<(), perturb_metrics::MetricError>(())
//! ```

pub mod accuracy;
pub mod beta;
pub mod bootstrap;
pub mod calibration;
pub mod curve;
pub mod distance;
pub mod distribution;
pub mod effect_size;
mod error;
pub mod image;
pub mod interval;
mod linear_algebra;
mod matrix;
pub mod neighbors;
pub mod normal;
pub mod paired_test;
pub mod probe;
pub mod rank;
pub mod ranking;
pub mod reconstruction;
pub mod representation;
pub mod summary;
pub mod transport;

pub use bootstrap::bootstrap;
pub use error::{MetricError, Result};
pub use interval::Interval;
pub use matrix::Matrix;
