//! Tensors, primitives, and the transforms of perturb's graph.

mod dtype;
mod error;
mod shape;
mod tensor;

pub use dtype::DType;
pub use error::{GraphError, Result};
pub use shape::Shape;
pub use tensor::{Data, Element, Tensor};
