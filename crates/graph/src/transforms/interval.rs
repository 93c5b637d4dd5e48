//! Interval bound propagation (Gowal et al. 2018): pushes a box through a graph.

use crate::{Expr, Interval, Rounding, dependents, topological};
use std::collections::HashMap;

/// Intervals that hold `outputs` while every input stays in its interval. Where nothing is known, such as about a
/// quotient by an interval with 0 in it, the ends are infinite.
pub fn interval(outputs: &[Expr], inputs: &[(Expr, Interval)], rounding: Rounding) -> Vec<Interval> {
    let all = intervals(outputs, inputs, rounding);
    outputs.iter().map(|o| all.get(&o.id()).map_or_else(|| Interval::point(o), Interval::or_infinite)).collect()
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
