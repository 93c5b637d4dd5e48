//! Embeddings of hierarchies.

pub mod poincare;
