//! Bounds and certificates over sets of inputs.
//!
//! - [`Certifier`]: bounds that hold for every point of a ball, by interval propagation or CROWN, compiled once and run
//!   for many centres, radii and limits.
//! - [`Smoothed`]: certificates of a classifier under Gaussian noise, which hold with a stated probability.

pub mod attribution;
mod batched;
mod certifier;
mod error;
mod known;
pub mod lipschitz;
mod problem;
pub mod proof;
mod region;
mod rows;
mod smoothing;
mod stage;
pub mod text;
pub mod train;
mod verdict;
mod window;

pub use certifier::{Bounds, Certifier, Method, Settings};
pub use error::{CertifyError, Result};
pub use region::Region;
pub use smoothing::{Certificate, NoisyClassifier, Smoothed};
