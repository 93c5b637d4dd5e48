//! The transforms: from expressions to expressions, so that they compose.

mod domain;
mod interval;
mod jvp;
mod linear_bounds;
mod prepare;
mod pull_back;
mod total;
mod vjp;
mod vmap;

pub use domain::{Domain, Norm};
pub use interval::{interval, intervals};
pub use jvp::jvp;
pub use linear_bounds::{Bounder, Intermediate, LinearBoundsOptions, linear_bounds};
pub use vjp::{grad, vjp};
pub use vmap::vmap;
