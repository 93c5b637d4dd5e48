//! Statistics and measures with confidence intervals.
//!
//! Plain functions over slices, so that every other room can use them without conversion:
//!
//! | module | what it measures |
//! |---|---|
//! | [`accuracy`] | predictions, accuracy, top-k accuracy, confusion matrix from logits |
//! | [`bootstrap`](mod@bootstrap) | percentile bootstrap of any statistic |
//! | [`curve`] | area under a sampled curve (deletion and insertion scores) |
//! | [`interval`] | Clopper–Pearson and Wilson intervals of a proportion |
//! | [`normal`] | the standard normal distribution function and its inverse |
//! | [`rank`] | Pearson, Spearman and Kendall correlations |
//! | [`summary`] | mean, standard deviation, quantiles |
//!
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
mod beta;
pub mod bootstrap;
pub mod curve;
mod error;
pub mod interval;
pub mod normal;
pub mod rank;
pub mod summary;

pub use bootstrap::bootstrap;
pub use error::{MetricError, Result};
pub use interval::Interval;
