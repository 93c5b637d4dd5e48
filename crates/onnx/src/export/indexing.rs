//! Choosing by indices, adding up at indices, and order.

use super::encode::{int, signed, text};
use super::error::ExportError;
use super::writer::{Stored, Writer};
use perturb_graph::{CumSum, Expr, Gather, Op, ScatterAdd, Shape, Tensor};

type Result = std::result::Result<Stored, ExportError>;

/// Indices into an axis of `size`. Ours mean the nearest place inside where they lie outside; the standard's must not,
/// or count from the end.
fn indices(w: &mut Writer, node: &Expr, size: usize) -> Result {
    let inside = match node.op() {
        Op::ArgMax(_) | Op::ArgSort(_) => true,
        Op::Constant(known) => known
            .try_as_slice::<i64>()
            .is_some_and(|list| list.iter().all(|&i| usize::try_from(i).is_ok_and(|i| i < size))),
        _ => false,
    };
    let mut name = w.full(node)?;
    if !inside {
        let (first, last) = (w.constant(&Tensor::scalar(0i64)), w.constant(&Tensor::scalar(size as i64 - 1)));
        name = w.emit("Clip", &[&name, &first, &last], vec![]);
    }
    Ok(Stored { name, shape: node.shape().clone() })
}

/// Chosen slices. With paired axes the indexed axis is moved behind them, where the standard wants it.
pub(super) fn gather(w: &mut Writer, node: &Expr, op: &Gather) -> Result {
    let x = &node.inputs()[0];
    let source = Stored { name: w.full(x)?, shape: x.shape().clone() };
    let indices = indices(w, &node.inputs()[1], x.shape()[op.axis])?;
    if op.batch == 0 {
        let name = w.emit("Gather", &[&source.name, &indices.name], vec![int("axis", op.axis as i64)]);
        return Ok(Stored { name, shape: node.shape().clone() });
    }
    let source = w.transpose(&source, &moved(x.rank(), op.axis, op.batch));
    let pairs: Shape = indices.shape.iter().copied().chain([1]).collect();
    let indices = w.reshape(&indices, pairs);
    let name = w.emit("GatherND", &[&source.name, &indices.name], vec![int("batch_dims", op.batch as i64)]);
    let shape = indices.shape[..indices.shape.len() - 1].iter().chain(&source.shape[op.batch + 1..]).copied().collect();
    // [batch, indices, outer, inner] → [batch, outer, indices, inner].
    let (outer, count) = (op.axis - op.batch, indices.shape.len() - 1 - op.batch);
    Ok(w.transpose(&Stored { name, shape }, &exchanged(node.rank(), op.batch, count, outer)))
}

/// Slices added up at their indices: rows of a matrix, one for every combination of paired axes and index.
pub(super) fn scatter_add(w: &mut Writer, node: &Expr, op: &ScatterAdd) -> Result {
    let (updates, places) = (&node.inputs()[0], &node.inputs()[1]);
    let (outer, count) = (op.axis - op.batch, places.rank() - op.batch);
    let batch: usize = places.shape()[..op.batch].iter().product();
    let per_batch: usize = places.shape()[op.batch..].iter().product();
    let inner: Shape = node.shape()[op.batch..op.axis].iter().chain(&node.shape()[op.axis + 1..]).copied().collect();

    let rows = Stored { name: w.full(updates)?, shape: updates.shape().clone() };
    let rows = w.transpose(&rows, &exchanged(updates.rank(), op.batch, outer, count));
    let rows = w.reshape(&rows, [batch * per_batch, inner.count()]);

    let positions = indices(w, places, op.size)?;
    let mut positions = w.reshape(&positions, [batch, per_batch]);
    if batch > 1 {
        let starts = Tensor::new([batch, 1], (0..batch).map(|b| (b * op.size) as i64).collect::<Vec<_>>());
        let starts = starts.unwrap_or_else(|_| Tensor::full([batch, 1], 0i64));
        let starts = w.constant(&starts);
        positions = Stored { name: w.emit("Add", &[&positions.name, &starts], vec![]), ..positions };
    }
    let positions = w.reshape(&positions, [batch * per_batch, 1]);

    let zero = w.number(0.0, node.dtype());
    let size = w.ints(&signed(&[batch * op.size, inner.count()]));
    let zeros = w.emit("Expand", &[&zero, &size], vec![]);
    let add = vec![text("reduction", "add")];
    let name = w.emit("ScatterND", &[&zeros, &positions.name, &rows.name], add);
    let lead = &node.shape()[..op.batch];
    let shape: Shape = lead.iter().copied().chain([op.size]).chain(inner.iter().copied()).collect();
    let sums = w.reshape(&Stored { name, shape: [batch * op.size, inner.count()].into() }, shape);
    Ok(w.transpose(&sums, &exchanged(node.rank(), op.batch, 1, outer)))
}

// The order of axes after axis `from` was moved to `to`, before it.
fn moved(rank: usize, from: usize, to: usize) -> Vec<usize> {
    let mut perm: Vec<usize> = (0..rank).filter(|&a| a != from).collect();
    perm.insert(to, from);
    perm
}

// The order of axes after the `first` axes from `start` on were exchanged with the `second` ones behind them.
fn exchanged(rank: usize, start: usize, first: usize, second: usize) -> Vec<usize> {
    let middle = (start + first..start + first + second).chain(start..start + first);
    (0..start).chain(middle).chain(start + first + second..rank).collect()
}

/// Index of the largest element.
pub(super) fn arg_max(w: &mut Writer, node: &Expr, axis: usize) -> Result {
    let x = w.full(&node.inputs()[0])?;
    let name = w.emit("ArgMax", &[&x], vec![int("axis", axis as i64), int("keepdims", 0)]);
    Ok(Stored { name, shape: node.shape().clone() })
}

/// Elements in order, or their indices: all of them are the "top". Of equal ones the standard takes the lower index.
pub(super) fn sorted(w: &mut Writer, node: &Expr, axis: usize, descending: bool, indices: bool) -> Result {
    let x = &node.inputs()[0];
    let (name, count) = (w.full(x)?, w.ints(&[x.shape()[axis] as i64]));
    let attributes = vec![int("axis", axis as i64), int("largest", i64::from(descending)), int("sorted", 1)];
    let name = w.emit_many("TopK", &[&name, &count], attributes, 2).swap_remove(usize::from(indices));
    Ok(Stored { name, shape: node.shape().clone() })
}

/// Running sum.
pub(super) fn cum_sum(w: &mut Writer, node: &Expr, op: &CumSum) -> Result {
    let (x, axis) = (w.full(&node.inputs()[0])?, w.constant(&Tensor::scalar(op.axis as i64)));
    let attributes = vec![int("exclusive", i64::from(op.exclusive)), int("reverse", i64::from(op.reverse))];
    Ok(Stored { name: w.emit("CumSum", &[&x, &axis], attributes), shape: node.shape().clone() })
}
