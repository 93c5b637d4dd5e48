//! In which operands a loop is linear.

use super::Body;
use super::body::chosen;
use crate::{Expr, Op, dependents, topological};
use std::collections::HashSet;

/// The placeholders (a superset of `varying`) in which all results of the loop are jointly linear.
///
/// A step that is linear in some placeholders makes the loop linear in them once every state that depends on them is
/// among them; what is added to something that varies has to join the group too.
pub(super) fn group(body: &Body, varying: &[bool]) -> Option<Vec<bool>> {
    let mut mask = varying.to_vec();
    loop {
        let joined = joined(body, &body.spread(&mask))?;
        if joined == mask {
            return Some(mask);
        }
        mask = joined;
    }
}

// `mask` and the placeholders that must join it so that the step's results are linear without a constant part; none if
// no placeholders would make them so.
fn joined(body: &Body, mask: &[bool]) -> Option<Vec<bool>> {
    let (placeholders, results) = (body.placeholders(), body.results());
    let sources = chosen(&placeholders, mask);
    let varies = dependents(&results, &sources);
    let mut joined = mask.to_vec();
    let mut wanted: HashSet<u64> = results.iter().map(Expr::id).collect();
    for node in topological(&results).into_iter().rev() {
        if !wanted.contains(&node.id()) || is_zero(&node) {
            continue;
        }
        if let Some(position) = placeholders.iter().position(|p| p.id() == node.id()) {
            joined[position] = true;
            continue;
        }
        let operands: Vec<bool> = node.inputs().iter().map(|i| varies.contains(&i.id())).collect();
        let group = node.op().primitive()?.linear_in(&operands)?;
        if !group.contains(&true) {
            return None;
        }
        wanted.extend(node.inputs().iter().zip(&group).filter(|(_, g)| **g).map(|(i, _)| i.id()));
    }
    Some(joined)
}

fn is_zero(node: &Expr) -> bool {
    match node.op() {
        Op::Constant(value) => value.to_f64_vec().iter().all(|&v| v == 0.0),
        _ => node.uniform_value() == Some(0.0),
    }
}
