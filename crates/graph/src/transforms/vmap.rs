//! Batching: the same graph on many examples at once.

use crate::expr::check_size;
use crate::{Body, Expr, GraphError, Op, Result, dependents, topological};
use std::collections::HashMap;

/// `outputs` with each input of `pairs` replaced by its partner, which carries a new leading axis of length `size`.
/// All results carry it; what does not depend on a batched input is repeated.
///
/// # Errors
/// If a partner's shape is not `[size, …shape of the input]`, or a batched tensor would be too large.
pub fn vmap(outputs: &[Expr], pairs: &[(Expr, Expr)], size: usize) -> Result<Vec<Expr>> {
    for (from, to) in pairs {
        if *to.shape() != from.shape().prepend(size) || to.dtype() != from.dtype() {
            let reason = format!("the batched input must be {}{}", from.dtype(), from.shape().prepend(size));
            return Err(GraphError::Shape { op: "vmap".into(), reason, shapes: vec![to.shape().clone()] });
        }
    }
    let sources: Vec<Expr> = pairs.iter().map(|(from, _)| from.clone()).collect();
    let varying = dependents(outputs, &sources);
    let mut map: HashMap<u64, Expr> = pairs.iter().map(|(from, to)| (from.id(), to.clone())).collect();
    for node in topological(outputs) {
        if !varying.contains(&node.id()) || map.contains_key(&node.id()) {
            continue;
        }
        let batched: Vec<bool> = node.inputs().iter().map(|i| map.contains_key(&i.id())).collect();
        let operands: Vec<Expr> = node.inputs().iter().map(|i| map.get(&i.id()).unwrap_or(i).clone()).collect();
        check_size("vmap", &node.shape().prepend(size), node.dtype())?;
        if let (Op::MaxPool(_), Some(x)) = (node.op(), node.inputs().first()) {
            // Its images are repeated when only the values that move are batched.
            check_size("vmap", &x.shape().prepend(size), x.dtype())?;
        }
        if let Op::Scan(scan) = node.op() {
            check_body(&scan.body, size)?;
        }
        if let Some(rules) = node.op().primitive() {
            map.insert(node.id(), rules.batch(&node, &operands, &batched, size));
        }
    }
    let repeat = |o: &Expr| check_size("vmap", &o.shape().prepend(size), o.dtype()).map(|()| o.repeat(size));
    outputs.iter().map(|o| map.get(&o.id()).map_or_else(|| repeat(o), |b| Ok(b.clone()))).collect()
}

// The body of a loop is batched when the loop is.
fn check_body(body: &Body, size: usize) -> Result<()> {
    for node in topological(&body.results()) {
        check_size("vmap", &node.shape().prepend(size), node.dtype())?;
        if let Op::Scan(inner) = node.op() {
            check_body(&inner.body, size)?;
        }
    }
    Ok(())
}
