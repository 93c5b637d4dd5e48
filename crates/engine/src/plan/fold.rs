//! Constant folding: what does not depend on any input is computed once, by a plan of its own.

use super::{build, steps::is_view};
use crate::executable::{State, run_plan};
use crate::float::Float;
use crate::lower::{Kind, Lowered};
use perturb_graph::Tensor;

/// Replaces every largest constant subgraph by its value. Views of constants stay views: they cost nothing.
pub(crate) fn fold_constants<T: Float>(graph: &mut Lowered) {
    let mut constant = vec![false; graph.nodes.len()];
    for (i, node) in graph.nodes.iter().enumerate() {
        constant[i] = match &node.kind {
            Kind::Feed(_) => false,
            Kind::Const(_) | Kind::Uniform(_) => true,
            Kind::Op(_) => node.inputs.iter().all(|&x| constant[x]),
        };
    }
    let worth = |i: usize| constant[i] && matches!(&graph.nodes[i].kind, Kind::Op(op) if !is_view(op));
    // The frontier: constant work whose value something that varies, an output, or a view of a constant needs.
    let mut needed = vec![false; graph.nodes.len()];
    for (i, node) in graph.nodes.iter().enumerate() {
        let consumer_keeps = !constant[i] || matches!(&node.kind, Kind::Op(op) if is_view(op));
        if consumer_keeps {
            node.inputs.iter().for_each(|&x| needed[x] |= worth(x));
        }
    }
    graph.outputs.iter().for_each(|&o| needed[o] |= worth(o));
    let frontier: Vec<usize> = (0..graph.nodes.len()).filter(|&i| needed[i]).collect();
    if frontier.is_empty() {
        return;
    }
    let part = Lowered { nodes: graph.nodes.clone(), outputs: frontier.clone() };
    let plan = build::<T>(&prune(part));
    let mut state = State::new(&plan);
    let values = run_plan(&plan, &mut state, &[]);
    for (&node, value) in frontier.iter().zip(values) {
        let shape = graph.nodes[node].shape.clone();
        if let Ok(tensor) = Tensor::new(shape, value) {
            graph.nodes[node].kind = Kind::Const(tensor);
            graph.nodes[node].inputs.clear();
        }
    }
}

/// Drops what no output needs.
pub(crate) fn prune(graph: Lowered) -> Lowered {
    let mut live = vec![false; graph.nodes.len()];
    graph.outputs.iter().for_each(|&o| live[o] = true);
    for i in (0..graph.nodes.len()).rev() {
        if live[i] {
            graph.nodes[i].inputs.iter().for_each(|&x| live[x] = true);
        }
    }
    let mut place = vec![usize::MAX; graph.nodes.len()];
    let mut nodes = Vec::new();
    for (i, mut node) in graph.nodes.into_iter().enumerate() {
        if live[i] {
            node.inputs.iter_mut().for_each(|x| *x = place[*x]);
            place[i] = nodes.len();
            nodes.push(node);
        }
    }
    Lowered { nodes, outputs: graph.outputs.into_iter().map(|o| place[o]).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::lower;
    use perturb_graph::{DType, Expr, Op};

    #[test]
    fn constant_subgraphs_become_one_value() {
        let x = Expr::input("x", [2], DType::F64);
        let a = Expr::constant(Tensor::new([2], vec![1.0, 4.0]).unwrap());
        let y = x.mul(&a.sqrt().add(&a));
        let mut graph = lower(&[y], &[x], DType::F64).unwrap();
        fold_constants::<f64>(&mut graph);
        let graph = prune(graph);
        let ops = graph.nodes.iter().filter(|n| matches!(n.kind, Kind::Op(_))).count();
        assert_eq!(ops, 1, "only the product is left");
        let folded = graph.nodes.iter().find_map(|n| match &n.kind {
            Kind::Const(v) => Some(v.as_slice::<f64>().to_vec()),
            _ => None,
        });
        assert_eq!(folded, Some(vec![2.0, 6.0]));
        assert!(graph.nodes.iter().all(|n| !matches!(&n.kind, Kind::Op(Op::Unary(_)))));
    }
}
