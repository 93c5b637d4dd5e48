//! Constant folding: what does not depend on any input is computed once, by a plan of its own.

use super::{build, steps::is_view};
use crate::EngineError;
use crate::lower::{Kind, Lowered, constant};
use crate::run::Runner;

/// Replaces every largest constant subgraph by its value. Views of constants stay views: they cost nothing.
pub(crate) fn fold_constants(graph: &mut Lowered) -> Result<(), EngineError> {
    let mut fixed = vec![false; graph.nodes.len()];
    for (i, node) in graph.nodes.iter().enumerate() {
        fixed[i] = match &node.kind {
            Kind::Feed(_) | Kind::Variable(_) => false,
            Kind::Const(_) | Kind::Uniform(_) | Kind::Integer(_) => true,
            Kind::Op(_) | Kind::Loop(..) => node.inputs.iter().all(|&x| fixed[x]),
        };
    }
    let worth = |i: usize| match &graph.nodes[i].kind {
        Kind::Op(op) => fixed[i] && !is_view(op),
        Kind::Loop(..) => fixed[i],
        _ => false,
    };
    // The frontier: constant work whose value something that varies, an output, or a view of a constant needs.
    let mut needed = vec![false; graph.nodes.len()];
    for (i, node) in graph.nodes.iter().enumerate() {
        let consumer_keeps = !fixed[i] || matches!(&node.kind, Kind::Op(op) if is_view(op));
        if consumer_keeps {
            node.inputs.iter().for_each(|&x| needed[x] |= worth(x));
        }
    }
    graph.outputs.iter().for_each(|&o| needed[o] |= worth(o));
    let frontier: Vec<usize> = (0..graph.nodes.len()).filter(|&i| needed[i]).collect();
    if frontier.is_empty() {
        return Ok(());
    }
    let part = Lowered { nodes: graph.nodes.clone(), outputs: frontier.clone(), ..Lowered::default() };
    let values = Runner::new(build(&prune(part))).run_once()?;
    for (&node, value) in frontier.iter().zip(&values) {
        graph.nodes[node].kind = constant(value);
        graph.nodes[node].inputs.clear();
    }
    Ok(())
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
    Lowered { nodes, outputs: graph.outputs.into_iter().map(|o| place[o]).collect(), ..graph }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::lower;
    use perturb_graph::{DType, Expr, Op, Tensor};

    #[test]
    fn constant_subgraphs_become_one_value() {
        let x = Expr::input("x", [2], DType::F64);
        let a = Expr::constant(Tensor::new([2], vec![1.0, 4.0]).unwrap());
        let y = x.mul(&a.sqrt().add(&a));
        let mut graph = lower(&[y], &[x], &[]).unwrap();
        fold_constants(&mut graph).unwrap();
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
