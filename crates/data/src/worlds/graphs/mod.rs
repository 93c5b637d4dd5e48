//! The `graphs` world: random graphs with exact labels and exact explanations.
//!
//! ![Graphs](https://raw.githubusercontent.com/perturb-rs/perturb/main/docs/worlds/graphs.png)
//!
//! | world | truth |
//! |---|---|
//! | [`stochastic_block`] | the block of every node, the probability of every edge |
//! | [`erdos_renyi`], [`barabasi_albert`], [`random_tree`], [`balanced_tree`], [`grid`] | their law |
//! | [`geometric`] | the position of every node |
//! | [`BaShapes`] | the role of every node, the edges that explain it |
//! | [`MotifGraphs`] | the class of every graph, the edges that explain it |
//! | [`CyclePairs`] | two graphs that differ in one edge, and in whether there is a cycle |
//!
//! Graphs are undirected, without loops and multiple edges.
//!
//! ```
//! use perturb_data::worlds::graphs::stochastic_block;
//! let (graph, blocks) = stochastic_block(&[20, 30], &[vec![0.5, 0.05], vec![0.05, 0.5]], 7)?;
//! let within = graph.edges().iter().filter(|(a, b)| blocks[*a] == blocks[*b]).count();
//! assert!(within > graph.edges().len() / 2);
//! # Ok::<(), perturb_data::worlds::WorldError>(())
//! ```

mod explained;
mod graph;
mod laws;

pub use explained::{BaShapes, CyclePairs, ExplainedGraph, MotifGraphs};
pub use graph::Graph;
pub use laws::{balanced_tree, barabasi_albert, erdos_renyi, geometric, grid, random_tree, stochastic_block};
