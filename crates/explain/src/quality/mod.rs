//! Judges of attributions: one value for each example, for the caller to average and to bootstrap.

mod completeness;
mod infidelity;
mod localisation;
mod removal_curve;
mod sensitivity;

pub use completeness::completeness_gaps;
pub use infidelity::{Infidelity, InfidelityScores, Perturbation};
pub use localisation::{Localisation, localise};
pub use removal_curve::{Curve, RemovalCurve, Route};
pub use sensitivity::MaxSensitivity;
