//! Bounds and certificates over sets of inputs.
//!
//! - [`Certifier`]: bounds that hold for every point of a ball, by interval propagation, CROWN or α-CROWN, compiled once and
//!   run for many centres, radii and limits.
//! - [`train`]: losses that are bounds over perturbed inputs or weights; [`represent`]: representations that noise does not
//!   change, for smoothing.
//! - [`Smoothed`]: certificates of a classifier under Gaussian noise, which hold with a stated probability.
//! - [`check()`]: whether a [`proof`] that a property holds is right, by arithmetic of its own with error bounds.
//! - [`confirm`]: whether an input is a counterexample, in exact arithmetic.

mod adam;
mod alpha;
pub mod attribution;
mod batched;
mod certifier;
pub mod check;
mod error;
mod exact;
mod known;
pub mod lipschitz;
mod problem;
pub mod proof;
mod region;
pub mod represent;
mod rows;
mod smoothing;
mod stage;
pub mod text;
pub mod train;
mod verdict;
pub mod verify;
mod window;

pub use certifier::{Bounds, Certifier, Method, Settings};
pub use check::{CheckError, CheckSummary, MAX_PROOF_BYTES, Place, ProofFileError, check, read_proof, write_proof};
pub use error::{CertifyError, Result};
pub use exact::{Confirmation, ExactError, confirm, evaluate};
pub use region::Region;
pub use smoothing::{Certificate, NoisyClassifier, Smoothed};
