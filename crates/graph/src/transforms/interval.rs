//! Interval bound propagation (Gowal et al. 2018): pushes a box through a graph.

use super::like_inputs;
use crate::{Expr, Interval, Result, Rounding, dependents, topological};
use std::collections::HashMap;

/// Intervals that hold `outputs` while every input stays in its interval. Where nothing is known, such as about a
/// quotient by an interval with 0 in it, the ends are infinite.
///
/// # Errors
/// If an end of an interval does not have its input's shape and type.
pub fn try_interval(outputs: &[Expr], inputs: &[(Expr, Interval)], rounding: Rounding) -> Result<Vec<Interval>> {
    for (x, of) in inputs {
        like_inputs("interval", x, &of.lo)?;
        like_inputs("interval", x, &of.hi)?;
    }
    let all = intervals(outputs, inputs, rounding);
    Ok(outputs.iter().map(|o| all.get(&o.id()).map_or_else(|| Interval::point(o), Interval::or_infinite)).collect())
}

/// See [`try_interval`].
///
/// # Panics
/// If an end of an interval does not have its input's shape and type.
#[track_caller]
pub fn interval(outputs: &[Expr], inputs: &[(Expr, Interval)], rounding: Rounding) -> Vec<Interval> {
    try_interval(outputs, inputs, rounding).unwrap_or_else(|e| panic!("{e}"))
}

/// The intervals of all nodes that depend on the inputs, by node id. An end that is NaN is unknown.
pub fn intervals(outputs: &[Expr], inputs: &[(Expr, Interval)], rounding: Rounding) -> HashMap<u64, Interval> {
    let sources: Vec<Expr> = inputs.iter().map(|(x, _)| x.clone()).collect();
    let varying = dependents(outputs, &sources);
    let mut map: HashMap<u64, Interval> = inputs.iter().map(|(x, i)| (x.id(), i.clone())).collect();
    for node in topological(outputs) {
        if varying.contains(&node.id()) && !map.contains_key(&node.id()) {
            let image = image(&node, &map, rounding);
            map.insert(node.id(), image);
        }
    }
    map
}

/// The interval of one node from those of its operands; operands without one are exact.
pub(crate) fn image(node: &Expr, known: &HashMap<u64, Interval>, rounding: Rounding) -> Interval {
    let operands: Vec<Interval> =
        node.inputs().iter().map(|i| known.get(&i.id()).cloned().unwrap_or_else(|| Interval::point(i))).collect();
    match node.op().primitive() {
        Some(rules) => rules.interval(node, &operands, rounding),
        None => Interval::point(node),
    }
}
