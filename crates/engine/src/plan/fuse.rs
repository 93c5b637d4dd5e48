//! Which elementwise nodes are computed inside which others.

use crate::lower::{Kind, Lowered};
use perturb_graph::{Op, Unary};
use std::collections::HashMap;

/// Instructions of one fused program, at most: longer ones spill from the cache.
const MAX_INSTRUCTIONS: usize = 40;

/// Where both the rectified value of a node and its sign are needed, the sign is taken of the rectified value: the two
/// are equal, also for NaN, and the node itself need not be kept.
pub(crate) fn share_signs(graph: &mut Lowered) {
    let mut relu: HashMap<usize, usize> = HashMap::new();
    for i in 0..graph.nodes.len() {
        let node = &graph.nodes[i];
        match &node.kind {
            Kind::Op(Op::Unary(Unary::Relu)) => {
                relu.insert(node.inputs[0], i);
            }
            Kind::Op(Op::Unary(Unary::Step)) => {
                if let Some(&rectified) = relu.get(&node.inputs[0]) {
                    graph.nodes[i].inputs[0] = rectified;
                }
            }
            _ => {}
        }
    }
}

pub(super) fn is_elementwise(kind: &Kind) -> bool {
    matches!(kind, Kind::Op(Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_)))
}

/// For every node the elementwise node that computes it: itself, or the one node that all its users belong to. Nodes that
/// are `apart` count as not elementwise.
pub(super) fn roots(graph: &Lowered, apart: &[bool]) -> Vec<usize> {
    let n = graph.nodes.len();
    let mut root: Vec<usize> = (0..n).collect();
    let mut size = vec![1usize; n];
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); n];
    for (i, node) in graph.nodes.iter().enumerate() {
        node.inputs.iter().for_each(|&x| users[x].push(i));
    }
    let joins = |i: usize| is_elementwise(&graph.nodes[i].kind) && !apart[i];
    let mut is_output = vec![false; n];
    graph.outputs.iter().for_each(|&o| is_output[o] = true);
    // Users come later, so walking backwards their roots are settled.
    for i in (0..n).rev() {
        let node = &graph.nodes[i];
        if is_output[i] || users[i].is_empty() || !joins(i) {
            continue;
        }
        let target = root[users[i][0]];
        let all_inside = users[i].iter().all(|&u| joins(u) && graph.nodes[u].shape == node.shape && root[u] == target);
        if all_inside && size[target] < MAX_INSTRUCTIONS {
            root[i] = target;
            size[target] += 1;
        }
    }
    root
}
