//! The hidden layers of a network.

use crate::AttackError;
use perturb_graph::{Expr, Graph, Op, Unary, dependents, topological};

/// The graph from the inputs of `model` to what each of its rectifiers lets through, from the input on: hidden layers for
/// whoever has no handles to them, as after loading a file. Outputs are named `relu1`, `relu2` and so on.
///
/// # Errors
/// If there are none.
pub fn rectified(model: &Graph) -> Result<Graph, AttackError> {
    let outputs = model.output_exprs();
    let varying = dependents(&outputs, &model.inputs);
    let is_relu = |node: &Expr| matches!(node.op(), Op::Unary(Unary::Relu)) && varying.contains(&node.id());
    let layers: Vec<Expr> = topological(&outputs).into_iter().filter(is_relu).collect();
    if layers.is_empty() {
        return Err(AttackError::Model { reason: "it has no rectifiers".into() });
    }
    let outputs = layers.into_iter().enumerate().map(|(i, layer)| (format!("relu{}", i + 1), layer));
    Ok(Graph::new(model.inputs.clone(), outputs.collect())?)
}
