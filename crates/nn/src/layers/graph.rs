//! Convolutions on graphs.

use super::Layers;
use perturb_graph::{DType, Expr};

/// Directed edges of a graph, as lists of nodes; an undirected edge is two. Multiple edges count as often as they are.
#[derive(Clone, Debug)]
pub struct Edges {
    /// Where each edge starts, i64 `[E]`.
    pub source: Expr,
    /// Where each edge ends, i64 `[E]`.
    pub target: Expr,
    /// Weight of each edge `[E]`, if not 1.
    pub weight: Option<Expr>,
}

impl Edges {
    /// Sums of `messages [E, width]` at the ends of the edges: `[nodes, width]`.
    ///
    /// # Panics
    /// If there is not one message for each edge.
    #[track_caller]
    pub fn sum_at_targets(&self, messages: &Expr, nodes: usize) -> Expr {
        messages.scatter_add(0, &self.target, nodes)
    }

    /// The features `[nodes, width]` of the nodes that the edges start from: `[E, width]`.
    ///
    /// # Panics
    /// If `x` is no matrix.
    #[track_caller]
    pub fn at_sources(&self, x: &Expr) -> Expr {
        x.gather(0, &self.source)
    }

    fn weights(&self, dtype: DType) -> Expr {
        self.weight.clone().unwrap_or_else(|| Expr::full(self.source.shape(), 1.0, dtype))
    }
}

impl Layers {
    /// Graph convolution (Kipf and Welling 2017, eq. 2) of the nodes' features `x [nodes, in]`:
    /// `D^(−½)(A + I)D^(−½)·x·Wᵀ + b`, `[nodes, out]`, with D the degrees of A + I. Names are PyTorch Geometric's:
    /// `lin.weight`, `bias`. Give each edge of the graph in both directions, and no loops.
    ///
    /// # Panics
    /// If `x` is no matrix.
    #[track_caller]
    pub fn gcn(&self, x: &Expr, edges: &Edges, out: usize) -> Expr {
        let nodes = x.shape()[0];
        let weights = edges.weights(x.dtype());
        let degree = edges.sum_at_targets(&weights, nodes).offset(1.0);
        let inverse_root = degree.sqrt().reciprocal();
        let column = |v: &Expr| v.reshape([v.shape()[0], 1]);
        let h = self.at("lin").linear_without_bias(x, out).mul(&column(&inverse_root));
        let neighbours = edges.sum_at_targets(&edges.at_sources(&h).mul(&column(&weights)), nodes);
        let mixed = neighbours.add(&h).mul(&column(&inverse_root));
        mixed.add(&self.bias(out, &[out, x.shape()[1]]))
    }

    /// Graph isomorphism layer (Xu et al. 2019, eq. 4.1) on `x [nodes, in]` with ε = 0: a perceptron with ReLU and layers
    /// `widths` wide, of each node's features plus the sum of its neighbours'.
    ///
    /// # Panics
    /// If `x` is no matrix.
    #[track_caller]
    pub fn gin(&self, x: &Expr, edges: &Edges, widths: &[usize]) -> Expr {
        let weights = edges.weights(x.dtype());
        let messages = edges.at_sources(x).mul(&weights.reshape([weights.shape()[0], 1]));
        let sums = edges.sum_at_targets(&messages, x.shape()[0]);
        self.at("nn").mlp(&x.add(&sums), widths, Expr::relu)
    }
}
