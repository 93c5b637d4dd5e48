//! Taking parts of tensors and putting them together.

use super::Group;
use crate::error::{NodeError, invalid};
use crate::host;
use crate::node::{Node, Outputs, axis, sizes};
use crate::value::Value;
use perturb_graph::Shape;

pub(super) const OPS: Group = &[("Concat", concat), ("Gather", gather), ("Slice", slice), ("Split", split)];

fn concat(node: &Node) -> Outputs {
    let values: Vec<Value> = node.values()?.into_iter().cloned().collect();
    let axis = node.axis("axis", 0, values[0].rank())?;
    Ok(vec![Value::concat(&values, axis, node.dtype)?])
}

/// Indices must be constants; they may count from the end.
fn gather(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let axis = node.axis("axis", 0, x.rank())?;
    let Some(indices) = node.known_ints(1, "indices")? else { return invalid("indices are missing") };
    let size = x.shape()[axis];
    let positions = indices.iter().map(|&i| crate::node::axis(i, size)).collect::<Result<Vec<_>, _>>();
    let Ok(positions) = positions else { return invalid(format!("an index is outside the {size} of axis {axis}")) };
    let index_shape = node.value(1)?.shape();
    let shape: Shape = [&x.shape()[..axis], index_shape, &x.shape()[axis + 1..]].concat().into();
    Ok(vec![x.gather(axis, &positions, node.dtype)?.reshape(shape)?])
}

/// Bounds are attributes before operator set 10 and operands from then on.
fn slice(node: &Node) -> Outputs {
    let mut x = node.value(0)?.clone();
    let (Some(starts), Some(ends)) = (node.ints_or_input("starts", 1)?, node.ints_or_input("ends", 2)?) else {
        return invalid("starts or ends are missing");
    };
    let along = node.ints_or_input("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = node.known_ints(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    if ends.len() != starts.len() || along.len() != starts.len() || steps.len() != starts.len() {
        return invalid("starts, ends, axes and steps have different lengths");
    }
    for (i, &a) in along.iter().enumerate() {
        let axis = axis(a, x.rank())?;
        let (start, count) = range(starts[i], ends[i], steps[i], x.shape()[axis])?;
        x = x.slice(axis, start, steps[i], count)?;
    }
    Ok(vec![x])
}

/// First position and number of positions of `start:end:step` on an axis of `size`, clamped as in NumPy.
fn range(start: i64, end: i64, step: i64, size: usize) -> Result<(usize, usize), NodeError> {
    let size = size as i64;
    let from_end = |i: i64| if i < 0 { i.saturating_add(size) } else { i };
    let (start, end) = (from_end(start), from_end(end));
    let (first, distance) = match step {
        0 => return invalid("a step is 0"),
        1.. => (start.clamp(0, size), end.clamp(0, size) - start.clamp(0, size)),
        _ => (start.clamp(-1, size - 1), start.clamp(-1, size - 1) - end.clamp(-1, size - 1)),
    };
    let count = if distance <= 0 { 0 } else { (distance as u64).div_ceil(step.unsigned_abs()) as usize };
    Ok((first.max(0) as usize, count))
}

/// Equal parts, or parts of the sizes that an attribute (before operator set 13) or an operand gives.
fn split(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let axis = node.axis("axis", 0, x.rank())?;
    let size = x.shape()[axis];
    let parts = match node.ints_or_input("split", 1)? {
        Some(parts) => sizes(&parts, 0, "split")?,
        None => {
            let outputs = node.proto.output.len();
            let count = usize::try_from(node.int("num_outputs", outputs as i64)).unwrap_or(0);
            if count == 0 || count < outputs || count > size.max(outputs) {
                return invalid(format!("axis {axis} of size {size} cannot be split into {count} parts"));
            }
            // The last part may be smaller.
            let each = size.div_ceil(count);
            (0..count).map(|i| size.saturating_sub(i * each).min(each)).collect()
        }
    };
    if parts.iter().try_fold(0usize, |n, &p| n.checked_add(p)) != Some(size) {
        return invalid(format!("parts {parts:?} do not add up to the {size} of axis {axis}"));
    }
    let mut start = 0;
    let mut outputs = Vec::new();
    for count in parts {
        outputs.push(x.slice(axis, start, 1, count)?);
        start += count;
    }
    host::check_count(&[outputs.len()].into())?;
    Ok(outputs)
}
