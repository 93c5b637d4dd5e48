//! Graphs whose labels have known reasons.

use super::graph::Graph;
use super::laws::{barabasi_albert, random_tree};
use crate::worlds::error::WorldError;
use crate::worlds::stream::stream;
use rand::RngExt;
use rand::seq::SliceRandom;

/// A graph with labels and the edges that are the reason for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedGraph {
    /// The graph.
    pub graph: Graph,
    /// Label of every node.
    pub labels: Vec<usize>,
    /// Class of the whole graph, where graphs are classified.
    pub class: usize,
    /// Edges of every motif: the explanation of its nodes' labels, or of the graph's class.
    pub motifs: Vec<Vec<(usize, usize)>>,
}

/// BA-Shapes (Ying et al. 2019): houses attached to a Barabási–Albert graph, and random edges as noise. A node's label
/// is 0 in the base, 1 at the middle of a house, 2 at its bottom, 3 at its top; the house explains it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BaShapes {
    /// Nodes of the base.
    pub base: usize,
    /// Edges per new node of the base.
    pub attached: usize,
    /// Number of houses.
    pub houses: usize,
    /// Number of random edges, as a share of the number of nodes.
    pub noise: f64,
}

/// BA-2Motifs (Luo et al. 2020): a Barabási–Albert tree of `base` nodes with a house (class 0) or a cycle of five nodes
/// (class 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MotifGraphs {
    /// Nodes of the base.
    pub base: usize,
}

/// Two graphs that differ in one edge: a ring with random trees on it, and the same without one of the ring's edges.
/// The first has a cycle, the second is a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CyclePairs {
    /// Nodes of the ring.
    pub ring: usize,
    /// Nodes in all.
    pub nodes: usize,
}

/// Edges and roles of a house on five nodes: bottom 0, 1, middle 2, 3, top 4.
const HOUSE: [(usize, usize); 6] = [(0, 1), (0, 2), (1, 3), (2, 3), (2, 4), (3, 4)];
const HOUSE_ROLES: [usize; 5] = [2, 2, 1, 1, 3];

impl Default for BaShapes {
    /// 300 nodes with 5 edges each, 80 houses, a tenth of the number of nodes in random edges: 700 nodes.
    fn default() -> Self {
        BaShapes { base: 300, attached: 5, houses: 80, noise: 0.1 }
    }
}

impl BaShapes {
    /// The graph of a seed.
    ///
    /// # Errors
    /// As [`barabasi_albert`]; [`WorldError::Parameter`] for noise that is negative or more than the graph has room for.
    pub fn sample(&self, seed: u64) -> Result<ExplainedGraph, WorldError> {
        let base = barabasi_albert(self.base, self.attached, seed)?;
        let mut rng = stream("graphs houses", seed, 0);
        let nodes = self.base + 5 * self.houses;
        let mut edges = base.edges().to_vec();
        let (mut labels, mut motifs) = (vec![0; self.base], Vec::new());
        for house in 0..self.houses {
            let start = self.base + 5 * house;
            let motif: Vec<(usize, usize)> = HOUSE.iter().map(|&(a, b)| (start + a, start + b)).collect();
            edges.extend(&motif);
            // A house stands on the base with one of its bottom corners.
            edges.push((rng.random_range(0..self.base), start));
            motifs.push(motif);
            labels.extend(HOUSE_ROLES);
        }
        let wanted = self.noise * nodes as f64;
        if !(0.0..=0.1 * (nodes * nodes) as f64).contains(&wanted) {
            return Err(WorldError::parameter(
                "graphs",
                "noise",
                self.noise,
                "it must not be negative nor fill the graph",
            ));
        }
        for _ in 0..wanted as usize {
            // Not within one house, whose edges are the explanation.
            let [a, b] = loop {
                let pair = [0; 2].map(|_| rng.random_range(0..nodes));
                let house = |node: usize| (node >= self.base).then(|| (node - self.base) / 5);
                let together = house(pair[0]).is_some() && house(pair[0]) == house(pair[1]);
                if pair[0] != pair[1] && !together && !edges.contains(&(pair[0].min(pair[1]), pair[0].max(pair[1]))) {
                    break pair;
                }
            };
            edges.push((a.min(b), a.max(b)));
        }
        Ok(ExplainedGraph { graph: Graph::new(nodes, edges), labels, class: 0, motifs })
    }
}

impl MotifGraphs {
    /// Graph `index` of `seed`, which depends on nothing else; node labels are 1 on the motif.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] for a base of fewer than two nodes.
    pub fn sample(&self, seed: u64, index: u64) -> Result<ExplainedGraph, WorldError> {
        let mut rng = stream("graphs motifs", seed, index);
        let base = barabasi_albert(self.base, 1, rng.random())?;
        let class = usize::from(rng.random::<bool>());
        let ring = [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)];
        let shape: &[(usize, usize)] = if class == 0 { &HOUSE } else { &ring };
        let motif: Vec<(usize, usize)> = shape.iter().map(|&(a, b)| (self.base + a, self.base + b)).collect();
        let bridge = (rng.random_range(0..self.base), self.base);
        let edges = base.edges().iter().copied().chain(motif.clone()).chain([bridge]);
        let graph = Graph::new(self.base + 5, edges);
        let labels = (0..self.base + 5).map(|node| usize::from(node >= self.base)).collect();
        Ok(ExplainedGraph { graph, labels, class, motifs: vec![motif] })
    }
}

impl CyclePairs {
    /// Pair `index` of `seed`, which depends on nothing else: the graph with the cycle, the one without, and the edge
    /// between them. Nodes are numbered at random.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] unless 3 ≤ `ring` ≤ `nodes`.
    pub fn sample(&self, seed: u64, index: u64) -> Result<(Graph, Graph, (usize, usize)), WorldError> {
        if self.ring < 3 || self.ring > self.nodes {
            let expected = format!("a ring has from 3 to all {} nodes", self.nodes);
            return Err(WorldError::parameter("graphs", "ring", self.ring, expected));
        }
        let mut rng = stream("graphs cycles", seed, index);
        let mut names: Vec<usize> = (0..self.nodes).collect();
        names.shuffle(&mut rng);
        // A random tree on the other nodes and one that stands for the ring, whose edges then go to any of the ring.
        let tree = random_tree(self.nodes - self.ring + 1, rng.random());
        let mut node = |tree_node: usize| {
            names[if tree_node == 0 { rng.random_range(0..self.ring) } else { self.ring + tree_node - 1 }]
        };
        let branches: Vec<(usize, usize)> = tree.edges().iter().map(|&(a, b)| (node(a), node(b))).collect();
        let ring: Vec<(usize, usize)> = (0..self.ring).map(|i| (names[i], names[(i + 1) % self.ring])).collect();
        let (a, b) = ring[rng.random_range(0..self.ring)];
        let closed = Graph::new(self.nodes, ring.iter().chain(&branches).copied());
        let cut = (a.min(b), a.max(b));
        let open = Graph::new(self.nodes, closed.edges().iter().copied().filter(|&edge| edge != cut));
        Ok((closed, open, cut))
    }
}
