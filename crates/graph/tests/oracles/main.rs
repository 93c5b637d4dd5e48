//! The primitives and the transforms of the graph against oracles: closed forms, independent naive loops, finite
//! differences, exact rational arithmetic, and points searched for outside of claimed bounds.
//!
//! One test binary, so that the table of sample graphs is compiled once.

// `&[x.clone()]` reads as what it is, a list of one; no test needs the copy saved.
#![allow(clippy::cloned_ref_to_slice_refs)]

mod batching;
mod builders;
mod definitions;
mod derivatives;
mod errors;
mod fourier;
mod interval;
mod linear_algebra;
mod linear_bounds;
mod loops;
mod numbers;
mod random;
mod samples;
mod typed;
