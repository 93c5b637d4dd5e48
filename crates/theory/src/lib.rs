//! Laws of wide networks: what theory predicts, and samplers to measure it.
//!
//! All arithmetic is in double precision, outside of the graph.
//!
//! - [`gaussian`]: expectations under a Gaussian.
//! - [`activation`]: the nonlinearities that the laws are about.
//! - [`finite_width`]: how far the outputs of a finite random network are from a Gaussian process.

pub mod activation;
pub mod finite_width;
pub mod gaussian;

/// Why a law does not apply.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TheoryError {
    /// A moment that the law needs is infinite.
    #[error("{law} weights have no finite {moment}, so the expansion does not exist; use a law with lighter tails")]
    InfiniteMoment {
        /// The law of the weights.
        law: &'static str,
        /// The moment.
        moment: &'static str,
    },
    /// An argument is outside the domain.
    #[error("{what}: {reason}")]
    Domain {
        /// The argument.
        what: &'static str,
        /// What it must satisfy.
        reason: &'static str,
    },
}
