//! The catalogue of methods, and their measured reproductions.
//!
//! [`catalogue`] lists all systems from one table. A [`Reproduction`] is a short file with a fixed shape: the arms of an
//! experiment, rules that its measurements must meet, one run of one seed, and pictures. The harness runs the seeds,
//! stores each as it finishes ([`Store`]), evaluates the rules with intervals over seeds, and gives the [`Verdict`].
//!
//! A claim that nothing could refute is refused before it runs ([`Rejection`]):
//!
//! ```
//! use perturb_papers::{Claim, Estimator, Quantity, Rejection};
//!
//! const ERROR: Quantity = Quantity::share("test error");
//! let effect = Estimator::Difference(ERROR.of("attack"), ERROR.of("random noise"));
//! let claim = Claim {
//!     method: "attack",
//!     baselines: &["random noise"],
//!     seeds: 5,
//!     preconditions: vec![],
//!     rules: vec![effect.at_least(0.4)],
//! };
//! assert!(claim.check(5).is_ok());
//! assert_eq!(claim.check(1), Err(Rejection::TooFewSeeds { seeds: 1 }));
//! let empty = Claim { rules: vec![effect.at_least(-1.0)], ..claim };
//! assert!(matches!(empty.check(5), Err(Rejection::CannotFail { .. })));
//! ```
//!
//! To add a reproduction, write `src/<family>/<slug>.rs` and add it to the list in `src/<family>/mod.rs`.

pub mod attack;
pub mod catalogue;
pub mod certify;
mod claim;
mod curves;
pub mod defend;
pub mod embed;
pub mod explain;
pub mod generate;
mod harness;
mod measurement;
mod page;
pub mod registry;
mod reproduction;
mod results;
mod rule;
pub mod science;
pub mod ssl;
mod store;
pub mod theory;
mod training;

pub use claim::{Claim, Finding, Rejection, Verdict};
pub use harness::{Build, Progress, Report, SeedResult, reproduce};
pub use measurement::{Curve, Image, Measure, Measurements, Quantity, Value};
pub use page::write_page;
pub use reproduction::{Figure, Reproduction, Run, RunError, Tier};
pub use results::results_page;
pub use rule::{Estimate, Estimator, Outcome, Rule};
pub use store::{Store, StoreError};
