//! Convolutions on graphs.

use super::Layers;
use crate::Init;
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
    /// Sums of `messages [E, …]` at the ends of the edges: `[nodes, …]`.
    ///
    /// # Panics
    /// If there is not one message for each edge.
    #[track_caller]
    pub fn sum_at_targets(&self, messages: &Expr, nodes: usize) -> Expr {
        messages.scatter_add(0, &self.target, nodes)
    }

    /// The features `[nodes, …]` of the nodes that the edges start from: `[E, …]`.
    ///
    /// # Panics
    /// If `x` is a scalar.
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

    /// Graph attention (Veličković et al. 2018, eq. 1–5) on `x [nodes, in]` with `heads` heads of `out` features each:
    /// `[nodes, heads·out]`. Every node also attends to itself; weights of edges do not count. Names are PyTorch
    /// Geometric's: `lin.weight`, `att_src`, `att_dst`, `bias`.
    ///
    /// # Panics
    /// If `x` is no matrix.
    #[track_caller]
    pub fn gat(&self, x: &Expr, edges: &Edges, heads: usize, out: usize) -> Expr {
        let nodes = x.shape()[0];
        let h = self.at("lin").linear_without_bias(x, heads * out).reshape([nodes, heads, out]);
        let score = |name: &str| {
            let direction = self.parameter(name, [1, heads, out], Init::XavierUniform);
            h.mul(&direction).reduce_sum(&[2], false)
        };
        let (from, to) = (score("att_src"), score("att_dst"));
        let logit = |from: &Expr, to: &Expr| from.add(to).leaky_relu(0.2);
        // No less than any logit of the node, so that no exponential overflows; the softmax does not see it.
        let shift = logit(&from.reduce_max(&[0], true), &to).stop_gradient();
        let at_target = |e: &Expr| e.gather(0, &edges.target);
        let weight = logit(&edges.at_sources(&from), &at_target(&to)).sub(&at_target(&shift)).exp();
        let own = logit(&from, &to).sub(&shift).exp();
        let column = |e: &Expr| e.reshape([e.shape()[0], heads, 1]);
        let sum = edges.sum_at_targets(&edges.at_sources(&h).mul(&column(&weight)), nodes).add(&h.mul(&column(&own)));
        let mixed = sum.div(&column(&edges.sum_at_targets(&weight, nodes).add(&own)));
        mixed.reshape([nodes, heads * out]).add(&self.parameter("bias", [heads * out], Init::Constant(0.0)))
    }
}
