//! Undirected graphs.

use super::SparseMatrix;

/// An undirected graph on the nodes 0 to n − 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UndirectedGraph {
    /// Number of nodes.
    pub nodes: usize,
    /// Each edge once, `[u, v]` with `u ≤ v`; as published, so possibly with loops and repetitions.
    pub edges: Vec<[usize; 2]>,
}

impl UndirectedGraph {
    /// Number of loops, edges from a node to itself.
    pub fn loops(&self) -> usize {
        self.edges.iter().filter(|[u, v]| u == v).count()
    }

    /// The same graph with sorted edges, none repeated and no loops.
    pub fn simple(&self) -> UndirectedGraph {
        let mut edges: Vec<[usize; 2]> = self.edges.iter().filter(|[u, v]| u != v).copied().collect();
        edges.sort_unstable();
        edges.dedup();
        UndirectedGraph { nodes: self.nodes, edges }
    }

    /// Number of edge ends at each node; a loop counts twice.
    pub fn degrees(&self) -> Vec<usize> {
        let mut degrees = vec![0; self.nodes];
        self.edges.iter().flatten().for_each(|&node| degrees[node] += 1);
        degrees
    }

    /// The symmetric adjacency matrix `[N, N]` with an entry 1 wherever there is an edge, loops on the diagonal.
    pub fn adjacency(&self) -> SparseMatrix {
        let entries = self.edges.iter().flat_map(|&[u, v]| [(u, v, 1.0), (v, u, 1.0)]);
        let mut matrix = SparseMatrix::from_entries(self.nodes, self.nodes, entries);
        // Repeated edges were added up.
        matrix.values.fill(1.0);
        matrix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_and_repetitions() {
        let graph = UndirectedGraph { nodes: 4, edges: vec![[1, 3], [0, 1], [2, 2], [0, 1]] };
        assert_eq!((graph.loops(), graph.degrees()), (1, vec![2, 3, 2, 1]));
        assert_eq!(graph.simple().edges, [[0, 1], [1, 3]]);
        let dense = graph.adjacency().to_dense();
        assert_eq!(dense.as_slice::<f32>(), [0., 1., 0., 0., 1., 0., 0., 1., 0., 0., 1., 0., 0., 1., 0., 0.]);
    }
}
