//! Padding with a constant, a reflection, the edge, or the other end.

use super::Group;
use crate::error::{NodeError, invalid, unsupported};
use crate::node::{Node, Outputs, axis};
use crate::value::Value;
use perturb_graph::{Shape, Tensor};

pub(super) const OPS: Group = &[("Pad", pad)];

/// Amounts are an attribute before operator set 11 and an operand from then on; negative ones cut elements off.
fn pad(node: &Node) -> Outputs {
    let mut x = node.value(0)?.clone();
    let Some(amounts) = node.ints_or_input("pads", 1)? else { return invalid("pads are missing") };
    let axes = match node.known_ints(3, "axes")? {
        Some(list) => list.iter().map(|&a| axis(a, x.rank())).collect::<Result<Vec<_>, _>>()?,
        None => (0..x.rank()).collect(),
    };
    if amounts.len() != 2 * axes.len() {
        return invalid(format!("pads {amounts:?} must have {} entries", 2 * axes.len()));
    }
    let value = match node.known_scalar(2, "padding values")? {
        Some(value) => value,
        None => node.float("value", 0.0),
    };
    let mode = node.text("mode", "constant");
    for (i, &axis) in axes.iter().enumerate() {
        let (low, high) = (amounts[i], amounts[i + axes.len()]);
        x = cut(&x, axis, low, high)?;
        let [low, high] = [low.max(0) as usize, high.max(0) as usize];
        if low == 0 && high == 0 {
            continue;
        }
        let size = x.shape()[axis];
        x = match mode.as_str() {
            "constant" => constant(node, &x, axis, low, high, value)?,
            "reflect" if low < size && high < size => {
                let before = x.slice(axis, low, -1, low)?;
                let after = if high > 0 { x.slice(axis, size - 2, -1, high)? } else { x.slice(axis, 0, 1, 0)? };
                join(node, axis, before, x, after)?
            }
            "wrap" if low <= size && high <= size => {
                join(node, axis, x.slice(axis, size - low, 1, low)?, x.clone(), x.slice(axis, 0, 1, high)?)?
            }
            "edge" if size > 0 => {
                let repeated = |at: usize, count: usize| -> Result<Value, NodeError> {
                    let mut shape = x.shape().to_vec();
                    shape[axis] = count;
                    x.slice(axis, at, 1, 1)?.broadcast_to(&shape.into())
                };
                join(node, axis, repeated(0, low)?, x.clone(), repeated(size - 1, high)?)?
            }
            "reflect" | "wrap" | "edge" => {
                return invalid(format!("{mode} padding by {low} and {high} of axis {axis} of size {size}"));
            }
            other => return unsupported(format!("mode {other:?}")),
        };
    }
    Ok(vec![x])
}

/// Cuts off what negative amounts ask for.
fn cut(x: &Value, axis: usize, low: i64, high: i64) -> Result<Value, NodeError> {
    let size = x.shape()[axis] as i64;
    let (start, end) = (low.min(0).saturating_neg(), size.saturating_add(high.min(0)));
    if low.max(high) > 1 << 31 || start > end {
        return invalid(format!("padding by {low} and {high} of axis {axis} of size {size}"));
    }
    x.slice(axis, start as usize, 1, (end - start) as usize)
}

fn constant(node: &Node, x: &Value, axis: usize, low: usize, high: usize, value: f64) -> Result<Value, NodeError> {
    if let (Value::Expr(e) | Value::Param(e), true) = (x, value == 0.0) {
        let (mut before, mut after) = (vec![0; e.rank()], vec![0; e.rank()]);
        (before[axis], after[axis]) = (low, high);
        return Ok(e.try_pad(&before, &after)?.into());
    }
    let block = |count: usize| -> Result<Value, NodeError> {
        let mut shape = x.shape().to_vec();
        shape[axis] = count;
        let dtype = if let Value::Host(t) = x { t.dtype() } else { node.dtype };
        Value::Host(Tensor::from_f64(Shape::default(), dtype, vec![value])?).broadcast_to(&shape.into())
    };
    join(node, axis, block(low)?, x.clone(), block(high)?)
}

/// The parts that have elements, one after another.
fn join(node: &Node, axis: usize, before: Value, x: Value, after: Value) -> Result<Value, NodeError> {
    let parts: Vec<Value> = [before, x, after].into_iter().filter(|v| v.shape()[axis] > 0).collect();
    Value::concat(&parts, axis, node.dtype)
}
