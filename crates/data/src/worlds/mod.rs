//! Worlds: data that are computed, each example with the truth about itself.
//!
//! A world's sample depends on its seed and index alone, so any part of a world can be computed anywhere, in any
//! order, and comes out the same.

mod background;
mod outline;
mod shapes;

pub use background::Texture;
pub use outline::ShapeKind;
pub use shapes::{Factors, Sample, Shapes, ShapesSet};
