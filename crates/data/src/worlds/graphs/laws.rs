//! Laws of random graphs, and regular ones.

use super::graph::Graph;
use crate::worlds::error::WorldError;
use crate::worlds::stream::stream;
use rand::RngExt;
use std::collections::BTreeSet;

fn probability(name: &'static str, value: f64) -> Result<f64, WorldError> {
    if (0.0..=1.0).contains(&value) {
        return Ok(value);
    }
    Err(WorldError::parameter("graphs", name, value, "a probability must lie between 0 and 1"))
}

/// Every pair is joined with one probability, independently (Gilbert 1959).
///
/// # Errors
/// [`WorldError::Parameter`] for what is no probability.
pub fn erdos_renyi(nodes: usize, edge_probability: f64, seed: u64) -> Result<Graph, WorldError> {
    Ok(stochastic_block(&[nodes], &[vec![edge_probability]], seed)?.0)
}

/// Nodes lie in blocks, one after the other, of the given sizes; nodes of the blocks i and j are joined with probability
/// `edge_probabilities[i][j]`, independently (Holland et al. 1983). Returns the graph and the block of every node.
///
/// # Errors
/// [`WorldError::Parameter`] for a matrix of another size, what is no probability, or a matrix that is not symmetric.
pub fn stochastic_block(
    sizes: &[usize],
    edge_probabilities: &[Vec<f64>],
    seed: u64,
) -> Result<(Graph, Vec<usize>), WorldError> {
    let k = sizes.len();
    if edge_probabilities.len() != k || edge_probabilities.iter().any(|row| row.len() != k) {
        let expected = format!("{k} blocks need a matrix of {k}×{k}");
        return Err(WorldError::parameter("graphs", "edge_probabilities", format!("{edge_probabilities:?}"), expected));
    }
    for (i, row) in edge_probabilities.iter().enumerate() {
        for (j, &p) in row.iter().enumerate() {
            if probability("edge probability", p)? != edge_probabilities[j][i] {
                return Err(WorldError::parameter(
                    "graphs",
                    "edge probability",
                    p,
                    format!("({i}, {j}) and ({j}, {i}) must agree"),
                ));
            }
        }
    }
    let blocks: Vec<usize> =
        sizes.iter().enumerate().flat_map(|(block, &size)| std::iter::repeat_n(block, size)).collect();
    let mut rng = stream("graphs block", seed, 0);
    let n = blocks.len();
    let pairs = (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b)));
    let edges = pairs.filter(|&(a, b)| rng.random_bool(edge_probabilities[blocks[a]][blocks[b]])).collect::<Vec<_>>();
    Ok((Graph::new(n, edges), blocks))
}

/// Starts from a star of `attached` + 1 nodes; each new node is joined to `attached` different ones, chosen with
/// probability proportional to their degrees (Barabási and Albert 1999).
///
/// # Errors
/// [`WorldError::Parameter`] unless 1 ≤ `attached` < `nodes`.
pub fn barabasi_albert(nodes: usize, attached: usize, seed: u64) -> Result<Graph, WorldError> {
    if attached == 0 || attached >= nodes {
        let expected = format!("it must lie between 1 and {} (exclusive)", nodes);
        return Err(WorldError::parameter("graphs", "attached", attached, expected));
    }
    let mut rng = stream("graphs attached", seed, 0);
    let mut edges: Vec<(usize, usize)> = (1..=attached).map(|leaf| (0, leaf)).collect();
    // Every node stands here once per edge: a uniform draw is a draw by degree.
    let mut ends: Vec<usize> = edges.iter().flat_map(|&(a, b)| [a, b]).collect();
    for node in attached + 1..nodes {
        let mut chosen = BTreeSet::new();
        while chosen.len() < attached {
            chosen.insert(ends[rng.random_range(0..ends.len())]);
        }
        edges.extend(chosen.iter().map(|&other| (other, node)));
        ends.extend(chosen.iter().flat_map(|&other| [other, node]));
    }
    Ok(Graph::new(nodes, edges))
}

/// A tree, uniform among all nⁿ⁻² labelled ones (Prüfer 1918).
pub fn random_tree(nodes: usize, seed: u64) -> Graph {
    let mut rng = stream("graphs tree", seed, 0);
    let code: Vec<usize> = (2..nodes).map(|_| rng.random_range(0..nodes)).collect();
    let mut degree = vec![1; nodes];
    code.iter().for_each(|&node| degree[node] += 1);
    let mut leaves: BTreeSet<usize> = (0..nodes).filter(|&node| degree[node] == 1).collect();
    let mut edges = Vec::new();
    for &node in &code {
        let leaf = leaves.pop_first().expect("a tree has leaves");
        edges.push((leaf, node));
        degree[node] -= 1;
        if degree[node] == 1 {
            leaves.insert(node);
        }
    }
    if let (Some(&a), Some(&b)) = (leaves.first(), leaves.last()) {
        edges.push((a, b));
    }
    Graph::new(nodes, edges)
}

/// The tree in which every node above the last level has `branching` children; node 0 is the root, levels follow.
pub fn balanced_tree(branching: usize, depth: u32) -> Graph {
    let nodes = (0..=depth).map(|level| branching.pow(level)).sum();
    Graph::new(nodes, (1..nodes).map(|node| ((node - 1) / branching, node)))
}

/// A grid of rows and columns, row-major; a `torus` is joined at its borders.
pub fn grid(rows: usize, columns: usize, torus: bool) -> Graph {
    let at = |row: usize, column: usize| row * columns + column;
    let mut edges = Vec::new();
    for row in 0..rows {
        for column in 0..columns {
            if torus || column + 1 < columns {
                edges.push((at(row, column), at(row, (column + 1) % columns)));
            }
            if torus || row + 1 < rows {
                edges.push((at(row, column), at((row + 1) % rows, column)));
            }
        }
    }
    Graph::new(rows * columns, edges)
}

/// Nodes uniform in the unit square, joined if they are nearer than `radius`; their positions.
pub fn geometric(nodes: usize, radius: f64, seed: u64) -> (Graph, Vec<[f64; 2]>) {
    let mut rng = stream("graphs geometric", seed, 0);
    let places: Vec<[f64; 2]> = (0..nodes).map(|_| [0; 2].map(|_| rng.random_range(0.0..1.0))).collect();
    let near = |a: usize, b: usize| (places[a][0] - places[b][0]).hypot(places[a][1] - places[b][1]) < radius;
    let pairs = (0..nodes).flat_map(|a| (a + 1..nodes).map(move |b| (a, b)));
    (Graph::new(nodes, pairs.filter(|&(a, b)| near(a, b))), places)
}
