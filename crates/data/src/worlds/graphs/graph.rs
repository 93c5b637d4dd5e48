//! Undirected graphs.

use perturb_graph::Tensor;

/// An undirected graph without loops and multiple edges on the nodes 0 to n − 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    nodes: usize,
    edges: Vec<(usize, usize)>,
}

impl Graph {
    /// A graph; edges may come in any order and direction, repeated ones and loops are dropped.
    pub(super) fn new(nodes: usize, edges: impl IntoIterator<Item = (usize, usize)>) -> Graph {
        let ordered = edges.into_iter().filter(|(a, b)| a != b).map(|(a, b)| (a.min(b), a.max(b)));
        let mut edges: Vec<(usize, usize)> = ordered.collect();
        edges.sort_unstable();
        edges.dedup();
        debug_assert!(edges.iter().all(|e| e.1 < nodes));
        Graph { nodes, edges }
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    /// Every edge once, the smaller node first, in ascending order.
    pub fn edges(&self) -> &[(usize, usize)] {
        &self.edges
    }

    /// Whether there is an edge.
    pub fn has_edge(&self, a: usize, b: usize) -> bool {
        self.edges.binary_search(&(a.min(b), a.max(b))).is_ok()
    }

    /// Neighbours of every node, ascending.
    pub fn neighbours(&self) -> Vec<Vec<usize>> {
        let mut neighbours = vec![Vec::new(); self.nodes];
        for &(a, b) in &self.edges {
            neighbours[a].push(b);
            neighbours[b].push(a);
        }
        neighbours.iter_mut().for_each(|list| list.sort_unstable());
        neighbours
    }

    /// Number of neighbours of every node.
    pub fn degrees(&self) -> Vec<usize> {
        self.neighbours().iter().map(Vec::len).collect()
    }

    /// Component of every node, numbered from 0 on in the order of their smallest nodes.
    pub fn components(&self) -> Vec<usize> {
        let neighbours = self.neighbours();
        let mut component = vec![usize::MAX; self.nodes];
        let mut count = 0;
        for start in 0..self.nodes {
            if component[start] != usize::MAX {
                continue;
            }
            component[start] = count;
            let mut open = vec![start];
            while let Some(node) = open.pop() {
                for &next in &neighbours[node] {
                    if component[next] != usize::MAX {
                        continue;
                    }
                    component[next] = count;
                    open.push(next);
                }
            }
            count += 1;
        }
        component
    }

    /// Number of independent cycles: edges − nodes + components.
    pub fn cycles(&self) -> usize {
        let components = self.components().into_iter().max().map_or(0, |c| c + 1);
        self.edges.len() + components - self.nodes
    }

    /// The adjacency matrix, f32 `[n, n]`.
    pub fn adjacency(&self) -> Tensor {
        let mut matrix = vec![0.0f32; self.nodes * self.nodes];
        for &(a, b) in &self.edges {
            matrix[a * self.nodes + b] = 1.0;
            matrix[b * self.nodes + a] = 1.0;
        }
        Tensor::new([self.nodes, self.nodes], matrix).expect("n·n values")
    }
}
