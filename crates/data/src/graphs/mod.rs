//! Graphs as data: citation and web networks, collections of small graphs, hypergraphs, taxonomies.
//!
//! ```no_run
//! use perturb_data::graphs::Planetoid;
//! use perturb_data::registry;
//! let cora = Planetoid::load(&registry::locate("cora")?)?;
//! let propagate = cora.graph.adjacency().with_self_loops().symmetrically_normalized();
//! assert_eq!((propagate.rows, cora.split.train.len()), (2708, 140));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod hypergraph;
mod musae;
mod pickle;
mod planetoid;
mod published;
mod sparse;
mod svm;
mod taxonomy;
mod tu;
mod undirected;

pub use hypergraph::Hypergraph;
pub use musae::{Musae, NodeTarget};
pub use planetoid::{Planetoid, Split};
pub use sparse::SparseMatrix;
pub use taxonomy::Taxonomy;
pub use tu::{GraphClassification, TaggedGraph};
pub use undirected::UndirectedGraph;

/// No listed graph comes near this many nodes, features or members; a larger index is damage, and believing it would
/// reserve memory for it.
pub(crate) const MAX_INDEX: usize = 1 << 27;
