//! How well distances between embeddings recover a graph.

use crate::error::{MetricError, Result, check_lengths};

/// Quality of a reconstruction, over all edges.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reconstruction {
    /// Mean over edges (u, v) of the rank, from 1, of `d(u, v)` among the distances from u to nodes that are not its
    /// neighbours: 1 is perfect (Nickel & Kiela 2017).
    pub mean_rank: f64,
    /// Mean over nodes of the average precision with which rising distance finds their neighbours, in (0, 1].
    pub mean_average_precision: f64,
}

/// Ranks and average precision of `neighbors[u]` for every node u that has any, where `distances(u, out)` writes the
/// distance from u to every node. Memory is that of one row.
///
/// A node is no candidate for itself. Of equal distances each neighbour gets the average place, so that a collapsed
/// embedding is not mistaken for a good one.
///
/// # Errors
/// [`MetricError::Empty`] without edges; [`MetricError::Nan`] for a distance; [`MetricError::Domain`] for a neighbour that
/// is no node, is the node itself or occurs twice.
pub fn reconstruction(
    neighbors: &[Vec<usize>],
    mut distances: impl FnMut(usize, &mut [f64]),
) -> Result<Reconstruction> {
    let nodes = neighbors.len();
    let (mut row, mut is_neighbor) = (vec![0.0; nodes], vec![false; nodes]);
    let (mut ranks, mut edges, mut precisions, mut sources) = (0.0, 0, 0.0, 0);
    for (node, own) in neighbors.iter().enumerate().filter(|(_, own)| !own.is_empty()) {
        mark(node, own, &mut is_neighbor)?;
        distances(node, &mut row);
        check_lengths("nodes and distances", nodes, row.len())?;
        if let Some(index) = row.iter().position(|d| d.is_nan()) {
            return Err(MetricError::Nan { what: "distances of a node", index });
        }
        let of_node = |marked: bool| {
            let chosen = (0..nodes).filter(|&v| v != node && is_neighbor[v] == marked).map(|v| row[v]);
            let mut sorted: Vec<f64> = chosen.collect();
            sorted.sort_unstable_by(f64::total_cmp);
            sorted
        };
        let (near, others) = (of_node(true), of_node(false));
        let (rank_sum, precision) = score(&near, &others);
        ranks += rank_sum;
        edges += near.len();
        precisions += precision;
        sources += 1;
        own.iter().for_each(|&v| is_neighbor[v] = false);
    }
    if edges == 0 {
        return Err(MetricError::Empty { what: "edges" });
    }
    Ok(Reconstruction { mean_rank: ranks / edges as f64, mean_average_precision: precisions / f64::from(sources) })
}

/// The sum of ranks of the neighbours among others, and the average precision, from sorted distances.
fn score(near: &[f64], others: &[f64]) -> (f64, f64) {
    let (mut ranks, mut precision) = (0.0, 0.0);
    for (found, &distance) in near.iter().enumerate() {
        let closer = others.partition_point(|d| *d < distance);
        let up_to = others.partition_point(|d| *d <= distance);
        let before = (closer + up_to) as f64 / 2.0;
        ranks += 1.0 + before;
        precision += (found + 1) as f64 / ((found + 1) as f64 + before);
    }
    (ranks, precision / near.len() as f64)
}

fn mark(node: usize, own: &[usize], is_neighbor: &mut [bool]) -> Result<()> {
    let nodes = is_neighbor.len();
    for &v in own {
        let fault = match is_neighbor.get(v) {
            None => format!("{v} is not one of {nodes} nodes"),
            Some(true) => format!("{v} occurs twice"),
            Some(false) if v == node => "a node is no neighbour of itself".to_string(),
            Some(false) => {
                is_neighbor[v] = true;
                continue;
            }
        };
        return Err(MetricError::Domain { what: "neighbors", reason: format!("of node {node}: {fault}") });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes at 0, 1, 2, 4 on a line.
    fn line(node: usize, out: &mut [f64]) {
        const PLACES: [f64; 4] = [0.0, 1.0, 2.0, 4.0];
        out.iter_mut().zip(PLACES).for_each(|(d, place)| *d = (place - PLACES[node]).abs());
    }

    #[test]
    fn worked_by_hand() {
        // From 0: neighbours 1 and 3, other 2 (distance 2): ranks 1, 2; precisions 1, 2/3.
        // From 3: neighbour 0, others 2 and 1 closer: rank 3, precision 1/3.
        let found = reconstruction(&[vec![1, 3], vec![], vec![], vec![0]], line).unwrap();
        assert!((found.mean_rank - 2.0).abs() < 1e-15);
        assert!((found.mean_average_precision - ((1.0 + 2.0 / 3.0) / 2.0 + 1.0 / 3.0) / 2.0).abs() < 1e-15);
    }

    #[test]
    fn perfect_and_collapsed() {
        let path = [vec![1], vec![0, 2], vec![1], vec![2]];
        let found = reconstruction(&path, line).unwrap();
        assert_eq!((found.mean_rank, found.mean_average_precision), (1.0, 1.0));
        let collapsed = reconstruction(&path, |_, out| out.fill(0.0)).unwrap();
        // Half of the other nodes count as closer: one of two, or half of one.
        assert!((collapsed.mean_rank - (2.0 + 1.5 + 1.5 + 2.0 + 2.0) / 5.0).abs() < 1e-15, "{collapsed:?}");
    }

    #[test]
    fn refuses_what_has_no_answer() {
        assert!(matches!(reconstruction(&[vec![], vec![]], line), Err(MetricError::Empty { .. })));
        for neighbors in [vec![1], vec![7], vec![0, 0]] {
            let graph = [vec![], neighbors, vec![], vec![]];
            assert!(matches!(reconstruction(&graph, line), Err(MetricError::Domain { .. })));
        }
        let nan = |_: usize, out: &mut [f64]| out.fill(f64::NAN);
        assert!(matches!(reconstruction(&[vec![1], vec![]], nan), Err(MetricError::Nan { .. })));
    }
}
