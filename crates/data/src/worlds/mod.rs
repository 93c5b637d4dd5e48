//! Worlds: data that are computed, each example with the truth about itself.
//!
//! A world's sample depends on its seed and index alone, so any part of a world can be computed anywhere, in any
//! order and on any number of threads, and comes out the same. Truth means masks, factors, captions, exact densities,
//! exact moments, exact solutions: what a method claims about a sample can be compared with what is so.
//!
//! | world | one sample | truth |
//! |---|---|---|
//! | [`shapes`] | a picture of figures, or a clip | factors, masks, captions, scene graph, answers, velocities |

mod error;
pub mod grammar;
pub mod mixtures;
pub mod pde;
pub mod sem;
pub mod shapes;
mod stream;

pub use error::WorldError;
pub use shapes::{Factors, Sample, ShapeKind, Shapes, ShapesSet, Texture};
