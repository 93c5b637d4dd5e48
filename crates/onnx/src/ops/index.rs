//! Taking parts of tensors and putting them together.

use super::Group;
use crate::error::{NodeError, invalid};
use crate::host;
use crate::node::{Node, Outputs, axis, sizes};
use crate::value::Value;

pub(super) const OPS: Group = &[("Compress", compress), ("Concat", concat), ("Slice", slice), ("Split", split)];

fn concat(node: &Node) -> Outputs {
    let values: Vec<Value> = node.values()?.into_iter().cloned().collect();
    let axis = node.axis("axis", 0, values[0].rank())?;
    Ok(vec![Value::concat(&values, axis, node.dtype)?])
}

/// The slices for which a known condition holds, of the elements in a row if there is no axis.
fn compress(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let Some(condition) = node.known(1, "conditions")? else { return invalid("the condition is missing") };
    let kept: Vec<usize> =
        condition.to_f64_vec().iter().enumerate().filter(|(_, c)| **c != 0.0).map(|(i, _)| i).collect();
    let (x, axis) = if node.has("axis") {
        (x.clone(), node.axis("axis", 0, x.rank())?)
    } else {
        (x.reshape([x.shape().count()])?, 0)
    };
    if kept.last().is_some_and(|&i| i >= x.shape()[axis]) {
        return invalid(format!("the condition is longer than axis {axis} of size {}", x.shape()[axis]));
    }
    Ok(vec![x.gather(axis, &kept)?])
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
