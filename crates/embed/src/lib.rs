//! Embeddings of symbols in spaces whose geometry fits them.
//!
//! - [`geometry`]: the spaces, as [`Manifold`](geometry::Manifold)s.
//! - [`hierarchy`]: embeddings of hierarchies ([`Poincare`]).
//! - [`kernels`]: what decides throughput: rows that threads share, sampling, lock-free descent.
//! - [`evaluation`]: how well an embedding recovers its relations.
//!
//! An embedding is a [`Table`]: a name and a point for each item.
//!
//! ```
//! use perturb_data::graphs::Taxonomy;
//! use perturb_embed::{Poincare, evaluation::reconstruction, geometry::PoincareBall};
//!
//! let is_a = [("cat", "feline"), ("lion", "feline"), ("dog", "canine"), ("feline", "mammal"), ("canine", "mammal")];
//! let taxonomy = Taxonomy::from_pairs(is_a).closure();
//! let table = Poincare { epochs: 300, ..Poincare::default() }.fit(PoincareBall { dim: 2 }, &taxonomy)?;
//! assert!(reconstruction(&table, &taxonomy)?.mean_average_precision > 0.9);
//! # Ok::<(), perturb_embed::EmbedError>(())
//! ```

mod error;
pub mod evaluation;
pub mod geometry;
pub mod hierarchy;
pub mod kernels;
mod relations;
mod table;

pub use error::{EmbedError, Result};
pub use hierarchy::poincare::{Epoch, Poincare};
pub use relations::Relations;
pub use table::{Neighbor, Table};
