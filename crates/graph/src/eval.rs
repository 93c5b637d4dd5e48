//! The reference evaluator: every primitive by its definition. Slow; the oracle of the engine.

use crate::{Expr, Tensor};
use std::collections::{HashMap, HashSet};

/// Values of `outputs` when inputs are fed with `feeds`, computed node by node with each primitive's definition in
/// `f64`, every result rounded to its type. A feed also overrides a parameter or any inner node.
///
/// # Errors
/// The name of an input that is not fed, or of a feed whose shape or type does not fit.
pub fn eval(outputs: &[Expr], feeds: &[(Expr, Tensor)]) -> Result<Vec<Tensor>, EvalError> {
    let mut values: HashMap<u64, Tensor> = HashMap::new();
    for (expr, value) in feeds {
        if value.shape() != expr.shape() || value.dtype() != expr.dtype() {
            let (expr, got) = (format!("{expr:?}"), format!("{}{}", value.dtype(), value.shape()));
            return Err(EvalError::Feed { expr, got });
        }
        values.insert(expr.id(), value.clone());
    }
    for node in needed(outputs, &values) {
        let value = match (node.value(), node.op().primitive()) {
            (Some(value), _) => value.clone(),
            (None, Some(rules)) => {
                let operands: Vec<&Tensor> = node.inputs().iter().map(|i| &values[&i.id()]).collect();
                rules.eval(&node, &operands)
            }
            (None, None) => return Err(EvalError::Missing(node.name().unwrap_or("unnamed").to_string())),
        };
        values.insert(node.id(), value);
    }
    Ok(outputs.iter().map(|o| values[&o.id()].clone()).collect())
}

// Nodes that have to be computed, operands first: the walk from the outputs stops at what is fed.
fn needed(outputs: &[Expr], fed: &HashMap<u64, Tensor>) -> Vec<Expr> {
    let mut seen: HashSet<u64> = fed.keys().copied().collect();
    let mut pending: Vec<Expr> = outputs.to_vec();
    let mut nodes = Vec::new();
    while let Some(node) = pending.pop() {
        if seen.insert(node.id()) {
            pending.extend(node.inputs().iter().cloned());
            nodes.push(node);
        }
    }
    nodes.sort_unstable_by_key(Expr::id);
    nodes
}

/// Why a graph cannot be evaluated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EvalError {
    /// An input has no value.
    #[error("input '{0}' is not fed")]
    Missing(String),
    /// A value does not fit its node.
    #[error("a feed of {got} does not fit {expr}")]
    Feed {
        /// The node.
        expr: String,
        /// Type and shape of the value.
        got: String,
    },
}
