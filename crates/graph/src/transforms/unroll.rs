//! Loops written out, for walks that cannot loop.

use crate::{Expr, Op, Result, dependents, topological};
use std::collections::HashMap;

/// `outputs` with every loop that depends on `variables` replaced by one copy of its body for each step, loops within
/// loops included. The variables may be any nodes; what they depend on stays as it is.
///
/// # Errors
/// If a tensor would be too large.
pub fn unroll(outputs: &[Expr], variables: &[Expr]) -> Result<Vec<Expr>> {
    let mut outputs = outputs.to_vec();
    // Each pass writes out one level of nesting.
    loop {
        let varying = dependents(&outputs, variables);
        let is_variable = |n: &Expr| variables.iter().any(|v| v.id() == n.id());
        let mut map: HashMap<u64, Expr> = HashMap::new();
        for node in topological(&outputs) {
            if !varying.contains(&node.id()) || node.op().is_leaf() || is_variable(&node) {
                continue;
            }
            let changed = node.inputs().iter().any(|i| map.contains_key(&i.id()));
            let operands: Vec<Expr> = node.inputs().iter().map(|i| map.get(&i.id()).unwrap_or(i).clone()).collect();
            let same = if changed { Expr::apply(node.op().clone(), &operands)? } else { node.clone() };
            match same.op() {
                Op::Scan(scan) => map.insert(node.id(), scan.unroll(&same)?),
                _ if changed => map.insert(node.id(), same),
                _ => None,
            };
        }
        if map.is_empty() {
            return Ok(outputs);
        }
        outputs = outputs.iter().map(|o| map.get(&o.id()).unwrap_or(o).clone()).collect();
    }
}
