//! Moving, repeating and cutting.

use super::encode;
use super::error::ExportError;
use super::writer::{Stored, Writer};
use perturb_graph::{Broadcast, Concat, Expr, Pad, Reverse, Shape, Slice, Transpose};

type Result = std::result::Result<Stored, ExportError>;

/// The same elements under the node's shape.
pub(super) fn reshape(w: &mut Writer, node: &Expr) -> Result {
    let x = &node.inputs()[0];
    let stored = w.stored(x)?;
    if stored.shape.count() == 1 {
        // One value everywhere stays one value.
        return Ok(w.reshape(&stored, Shape::default()));
    }
    let full = Stored { name: w.full(x)?, shape: x.shape().clone() };
    Ok(w.reshape(&full, node.shape()))
}

/// Axes in another order.
pub(super) fn transpose(w: &mut Writer, node: &Expr, op: &Transpose) -> Result {
    let x = w.ranked(&node.inputs()[0])?;
    Ok(w.transpose(&x, &op.perm))
}

/// Repetition is left to who uses the value: only axes of size 1 are put where it repeats.
pub(super) fn broadcast(w: &mut Writer, node: &Expr, op: &Broadcast) -> Result {
    let x = w.ranked(&node.inputs()[0])?;
    let mut shape = vec![1; node.rank()];
    for (&axis, &size) in op.axes.iter().zip(x.shape.iter()) {
        shape[axis] = size;
    }
    let leading = shape.iter().take_while(|&&d| d == 1).count();
    Ok(w.reshape(&x, &shape[leading..]))
}

/// A strided box.
pub(super) fn slice(w: &mut Writer, node: &Expr, op: &Slice) -> Result {
    let x = &node.inputs()[0];
    let name = w.full(x)?;
    let axes: Vec<usize> =
        (0..x.rank()).filter(|&a| op.start[a] > 0 || op.end[a] < x.shape()[a] || op.stride[a] > 1).collect();
    let along = |list: &[usize]| axes.iter().map(|&a| list[a] as i64).collect::<Vec<_>>();
    let name = w.slice(&name, &axes, &along(&op.start), &along(&op.end), &along(&op.stride));
    Ok(Stored { name, shape: node.shape().clone() })
}

/// Axes read backwards.
pub(super) fn reverse(w: &mut Writer, node: &Expr, op: &Reverse) -> Result {
    let name = w.full(&node.inputs()[0])?;
    let n = op.axes.len();
    let name = w.slice(&name, &op.axes, &vec![-1; n], &vec![i64::MIN; n], &vec![-1; n]);
    Ok(Stored { name, shape: node.shape().clone() })
}

/// Zeros around and between. The standard only puts them around, so every axis that gets some between its elements is
/// split, `[n] → [n, 1]`, padded along the new axis, and joined again; the zeros after the last element are cut off.
pub(super) fn pad(w: &mut Writer, node: &Expr, op: &Pad) -> Result {
    let x = &node.inputs()[0];
    let mut value = Stored { name: w.full(x)?, shape: x.shape().clone() };
    let between: Vec<usize> = (0..x.rank()).filter(|&a| op.interior[a] > 0 && x.shape()[a] > 1).collect();
    if !between.is_empty() {
        let split: Vec<usize> = (0..x.rank())
            .flat_map(|a| std::iter::once(x.shape()[a]).chain(between.contains(&a).then_some(1)))
            .collect();
        let zeros: Vec<usize> = (0..x.rank())
            .flat_map(|a| std::iter::once(0).chain(between.contains(&a).then_some(op.interior[a])))
            .collect();
        let padded: Shape = split.iter().zip(&zeros).map(|(s, z)| s + z).collect();
        value = w.reshape(&value, split);
        value = Stored { name: zeros_around(w, &value.name, &vec![0; zeros.len()], &zeros), shape: padded };
        let joined: Vec<usize> =
            (0..x.rank()).map(|a| x.shape()[a] * if between.contains(&a) { op.interior[a] + 1 } else { 1 }).collect();
        value = w.reshape(&value, &joined);
        let end: Vec<i64> = between.iter().map(|&a| (joined[a] - op.interior[a]) as i64).collect();
        let name = w.slice(&value.name, &between, &vec![0; end.len()], &end, &vec![1; end.len()]);
        value.name = name;
    }
    if op.low.iter().chain(&op.high).any(|&z| z > 0) {
        value.name = zeros_around(w, &value.name, &op.low, &op.high);
    }
    Ok(Stored { name: value.name, shape: node.shape().clone() })
}

/// Adds zeros before and after each axis.
fn zeros_around(w: &mut Writer, name: &str, low: &[usize], high: &[usize]) -> String {
    let amounts = w.ints(&encode::signed(&[low, high].concat()));
    w.emit("Pad", &[name, &amounts], vec![])
}

/// Operands one after another.
pub(super) fn concat(w: &mut Writer, node: &Expr, op: &Concat) -> Result {
    // Runtimes differ in what they make of operands without elements.
    let some = node.inputs().iter().filter(|x| x.shape().count() > 0 || node.shape().count() == 0);
    let names = some.map(|x| w.full(x)).collect::<std::result::Result<Vec<_>, _>>()?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let name = w.emit("Concat", &names, vec![encode::int("axis", op.axis as i64)]);
    Ok(Stored { name, shape: node.shape().clone() })
}
