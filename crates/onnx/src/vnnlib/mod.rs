//! VNN-LIB 1.0 properties (Demarchi et al. 2023): what a network's inputs may be, and which outputs would be a
//! counterexample.
//!
//! ```
//! use perturb_onnx::vnnlib::Property;
//!
//! let property = Property::parse(
//!     "(declare-const X_0 Real) (declare-const Y_0 Real) (declare-const Y_1 Real)
//!      (assert (>= X_0 -0.5)) (assert (<= X_0 0.5)) (assert (<= Y_0 Y_1))",
//! )?;
//! assert_eq!((property.inputs, property.outputs, property.cases.len()), (1, 2, 1));
//! # Ok::<(), perturb_onnx::vnnlib::VnnLibError>(())
//! ```
//!
//! Numbers are kept as exact fractions of the decimals in the file: whether a point is a counterexample does not depend on
//! how they round.

mod error;
mod formula;
mod property;
mod syntax;
#[cfg(test)]
mod tests;

pub use error::VnnLibError;
pub use formula::{Constraint, Variable};
pub use property::{Case, Property};

/// Largest file that is read.
pub const MAX_BYTES: u64 = 256 << 20;
