//! Directed acyclic graphs.

use crate::worlds::error::WorldError;
use crate::worlds::stream::stream;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

/// A directed acyclic graph on the nodes 0 to d − 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dag {
    parents: Vec<Vec<usize>>,
    order: Vec<usize>,
}

impl Dag {
    /// The graph of the given edges, `(from, to)`; repeated edges count once.
    ///
    /// # Errors
    /// [`WorldError::Parameter`] for an edge to a node that does not exist, and for cycles, one of whose nodes is named.
    pub fn from_edges(nodes: usize, edges: &[(usize, usize)]) -> Result<Dag, WorldError> {
        let mut parents = vec![Vec::new(); nodes];
        for &(from, to) in edges {
            if from >= nodes || to >= nodes {
                let expected = format!("nodes are 0 to {nodes} (exclusive)");
                return Err(WorldError::parameter("sem", "edge", format!("{from} → {to}"), expected));
            }
            parents[to].push(from);
        }
        parents.iter_mut().for_each(|p| {
            p.sort_unstable();
            p.dedup();
        });
        // Kahn's algorithm, smallest node first, so that the order is a function of the graph.
        let mut missing: Vec<usize> = parents.iter().map(Vec::len).collect();
        let mut order = Vec::with_capacity(nodes);
        let mut placed = vec![false; nodes];
        while let Some(next) = (0..nodes).find(|&j| !placed[j] && missing[j] == 0) {
            placed[next] = true;
            order.push(next);
            (0..nodes).filter(|&j| parents[j].contains(&next)).for_each(|j| missing[j] -= 1);
        }
        match placed.iter().position(|p| !p) {
            Some(node) => {
                Err(WorldError::parameter("sem", "node", node, "it lies on or behind a cycle; remove one of the edges"))
            }
            None => Ok(Dag { parents, order }),
        }
    }

    /// Every edge from an earlier to a later node of a random order, independently with the one probability that gives
    /// `in_degree` parents on average (at most all).
    pub fn erdos_renyi(nodes: usize, in_degree: f64, seed: u64) -> Dag {
        let mut rng = stream("sem dag", seed, 0);
        let order = random_order(nodes, &mut rng);
        let probability = (2.0 * in_degree / (nodes.max(2) - 1) as f64).clamp(0.0, 1.0);
        Dag::along(order, |later| (0..later).filter(|_| rng.random_bool(probability)).collect())
    }

    /// Each node of a random order takes `in_degree` earlier ones as parents (all, where there are fewer), with
    /// probability proportional to 1 + the number of their edges so far (Barabási and Albert 1999): few causes with
    /// many effects, and no node with more than `in_degree` parents.
    pub fn scale_free(nodes: usize, in_degree: usize, seed: u64) -> Dag {
        let mut rng = stream("sem dag", seed, 1);
        let order = random_order(nodes, &mut rng);
        let mut degree = vec![0usize; nodes];
        Dag::along(order, |later| {
            let mut chosen: Vec<usize> = Vec::new();
            while chosen.len() < in_degree.min(later) {
                let free = |i: &usize| !chosen.contains(i);
                let total: usize = (0..later).filter(free).map(|i| 1 + degree[i]).sum();
                let mut place = rng.random_range(0..total);
                let pick = (0..later).filter(free).find(|&i| {
                    let weight = 1 + degree[i];
                    let found = place < weight;
                    place = place.saturating_sub(weight);
                    found
                });
                chosen.push(pick.expect("the place is below the total"));
            }
            chosen.iter().for_each(|&i| degree[i] += 1);
            degree[later] += chosen.len();
            chosen
        })
    }

    /// A graph whose nodes take parents, given as places in the order, one after the other.
    fn along(order: Vec<usize>, mut choose: impl FnMut(usize) -> Vec<usize>) -> Dag {
        let mut edges = Vec::new();
        for place in 0..order.len() {
            edges.extend(choose(place).into_iter().map(|earlier| (order[earlier], order[place])));
        }
        Dag::from_edges(order.len(), &edges).expect("edges go forward along an order")
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.parents.len()
    }

    /// The parents of a node, ascending.
    pub fn parents(&self, node: usize) -> &[usize] {
        &self.parents[node]
    }

    /// All nodes, parents before children.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// All edges, `(from, to)`.
    pub fn edges(&self) -> Vec<(usize, usize)> {
        (0..self.nodes()).flat_map(|to| self.parents[to].iter().map(move |&from| (from, to))).collect()
    }

    /// Whether a node can be reached from another by a directed path of at least one edge.
    pub fn is_ancestor(&self, ancestor: usize, node: usize) -> bool {
        self.parents[node].iter().any(|&parent| parent == ancestor || self.is_ancestor(ancestor, parent))
    }

    /// The graph without the edges into a node.
    pub(super) fn without_parents(&self, node: usize) -> Dag {
        let mut dag = self.clone();
        dag.parents[node].clear();
        dag
    }
}

fn random_order(nodes: usize, rng: &mut impl Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..nodes).collect();
    order.shuffle(rng);
    order
}
