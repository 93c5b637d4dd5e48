//! Forward mode: pushes tangents of inputs through a graph.

use crate::{Expr, dependents, topological};
use std::collections::HashMap;

/// Tangents of `outputs` when each of `inputs` moves by its tangent; `None` is zero, on both sides.
///
/// The inputs may be any nodes, not only leaves: the graph is cut there.
pub fn jvp(outputs: &[Expr], inputs: &[Expr], tangents: &[Option<Expr>]) -> Vec<Option<Expr>> {
    let mut map: HashMap<u64, Option<Expr>> = inputs.iter().map(Expr::id).zip(tangents.iter().cloned()).collect();
    let varying = dependents(outputs, inputs);
    for node in topological(outputs) {
        if !varying.contains(&node.id()) || map.contains_key(&node.id()) {
            continue;
        }
        let operands: Vec<Option<Expr>> = node.inputs().iter().map(|i| map.get(&i.id()).cloned().flatten()).collect();
        let tangent = match node.op().primitive() {
            Some(rules) if operands.iter().any(Option::is_some) => rules.jvp(&node, &operands),
            _ => None,
        };
        map.insert(node.id(), tangent);
    }
    outputs.iter().map(|o| map.get(&o.id()).cloned().flatten()).collect()
}
