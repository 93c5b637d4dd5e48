//! The transforms: from expressions to expressions, so that they compose.

mod interval;
mod jvp;
mod linear_bounds;
mod pull_back;
mod unroll;
mod vjp;
mod vmap;

pub use interval::{interval, intervals};
pub use jvp::jvp;
pub use linear_bounds::{Bounder, Domain, Intermediate, LinearBoundsOptions, Norm, Slopes, linear_bounds};
pub(crate) use pull_back::transpose;
pub use unroll::unroll;
pub use vjp::{grad, vjp};
pub use vmap::vmap;
