//! Forward mode: pushes tangents of inputs through a graph.

use super::like_inputs;
use crate::{Expr, GraphError, Result, dependents, topological};
use std::collections::HashMap;

/// Tangents of `outputs` when each of `inputs` moves by its tangent; `None` is zero, on both sides.
///
/// The inputs may be any nodes, not only leaves: the graph is cut there. Integers and truth values have no tangents: one
/// that is given for such an input counts as zero.
///
/// # Errors
/// If there is not one tangent for each input, of its shape and type.
pub fn try_jvp(outputs: &[Expr], inputs: &[Expr], tangents: &[Option<Expr>]) -> Result<Vec<Option<Expr>>> {
    if inputs.len() != tangents.len() {
        let reason = format!("needs a tangent, or none, for each of {} inputs, not {}", inputs.len(), tangents.len());
        let shapes = inputs.iter().map(|x| x.shape().clone()).collect();
        return Err(GraphError::Shape { op: "jvp".into(), reason, shapes });
    }
    for (x, tangent) in inputs.iter().zip(tangents) {
        tangent.as_ref().map_or(Ok(()), |t| like_inputs("jvp", x, t))?;
    }
    Ok(push_forward(outputs, inputs, tangents))
}

/// See [`try_jvp`].
///
/// # Panics
/// If there is not one tangent for each input, of its shape and type.
#[track_caller]
pub fn jvp(outputs: &[Expr], inputs: &[Expr], tangents: &[Option<Expr>]) -> Vec<Option<Expr>> {
    try_jvp(outputs, inputs, tangents).unwrap_or_else(|e| panic!("{e}"))
}

fn push_forward(outputs: &[Expr], inputs: &[Expr], tangents: &[Option<Expr>]) -> Vec<Option<Expr>> {
    let moves = |(x, t): (&Expr, &Option<Expr>)| (x.id(), t.clone().filter(|_| x.dtype().is_float()));
    let mut map: HashMap<u64, Option<Expr>> = inputs.iter().zip(tangents).map(moves).collect();
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
