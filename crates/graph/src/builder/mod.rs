//! Building graphs as one writes formulas: methods and operators over the primitives.
//!
//! Every method that can fail on shapes comes twice: `try_name` returns an error, `name` panics with its message.

mod composite;
mod convolution;
mod elementwise;
mod fourier;
mod indexing;
mod linear;
mod linear_algebra;
mod operators;
mod scan;
mod structure;

pub use convolution::{Conv, Pool};
