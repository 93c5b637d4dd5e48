//! Choosing elements by indices, and putting elements where indices say. Indices may come at run time.

use super::Group;
use crate::error::{NodeError, invalid, unsupported};
use crate::host;
use crate::node::{Node, Outputs};
use crate::value::{Value, cast};
use perturb_graph::{DType, Expr, Gather, ScatterAdd, Shape, Tensor};

pub(super) const OPS: Group = &[
    ("Gather", gather),
    ("GatherElements", gather_elements),
    ("GatherND", gather_nd),
    ("OneHot", one_hot),
    ("ScatterElements", scatter_elements),
    ("Scatter", scatter_elements),
    ("ScatterND", scatter_nd),
];

/// Slices along one axis.
fn gather(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let axis = node.axis("axis", 0, x.rank())?;
    let (indices, size) = (node.value(1)?, x.shape()[axis]);
    if let Value::Host(known) = indices
        && let Some(known) = known.try_as_slice::<i64>()
    {
        let positions = known.iter().map(|&i| crate::node::axis(i, size)).collect::<Result<Vec<_>, _>>();
        let Ok(positions) = positions else { return invalid(format!("an index is outside the {size} of axis {axis}")) };
        let shape: Shape = [&x.shape()[..axis], indices.shape(), &x.shape()[axis + 1..]].concat().into();
        return Ok(vec![x.gather(axis, &positions)?.reshape(shape)?]);
    }
    Ok(vec![x.to_run_time().try_gather(axis, &indices.to_indices(size)?)?.into()])
}

/// One element for every index, from the line along `axis` that the index lies on.
fn gather_elements(node: &Node) -> Outputs {
    let x = node.value(0)?;
    let axis = node.axis("axis", 0, x.rank())?;
    let indices = node.value(1)?.to_indices(x.shape()[axis])?;
    let line = Line::new(x.shape(), indices.shape(), axis)?;
    // Lines beyond the indices are not read.
    let mut source = x.clone();
    for (a, &size) in indices.shape().iter().enumerate() {
        if a != axis {
            source = source.slice(a, 0, 1, size)?;
        }
    }
    let chosen = Expr::apply(line.gather(), &[line.last(&source.to_run_time())?, line.last(&indices)?])?;
    Ok(vec![line.back(&chosen)?.into()])
}

/// Slices named by tuples of indices.
fn gather_nd(node: &Node) -> Outputs {
    let (x, batch) = (node.value(0)?, node.int("batch_dims", 0));
    let Some(batch) = usize::try_from(batch).ok() else { return invalid("batch_dims is negative") };
    let tuples = Tuples::new(x.shape(), node.value(1)?, batch)?;
    let flat = x.reshape([&x.shape()[..batch], &[tuples.size][..], &x.shape()[batch + tuples.width..]].concat())?;
    let op = Gather { axis: batch, batch };
    Ok(vec![Expr::apply(op, &[flat.to_run_time(), tuples.positions])?.into()])
}

/// `on` where the position along the new axis is the index, `off` elsewhere.
fn one_hot(node: &Node) -> Outputs {
    let (indices, values) = (node.number(0)?, node.number(2)?);
    let Some(depth) = node.known_scalar(1, "depths")? else { return invalid("the depth is missing") };
    if !(0.0..=host::MAX_FOLDED as f64).contains(&depth) || values.shape()[..] != [2] {
        return invalid(format!("a depth of {depth} and values of shape {}", values.shape()));
    }
    let axis = node.axis("axis", -1, indices.rank() + 1)?;
    let depth = depth as usize;
    let indices = if indices.dtype().is_float() { cast(&indices, DType::I64)? } else { indices };
    let indices = Expr::try_select(&indices.less(&indices.like(0.0)), &indices.offset(depth as f64), &indices)?;
    let mut around = indices.shape().to_vec();
    around.insert(axis, 1);
    let mut along = vec![1; around.len()];
    along[axis] = depth;
    let places = Expr::constant(Tensor::new(along, (0..depth as i64).collect())?);
    let mask = indices.try_reshape(around)?.try_equal(&places)?;
    let mask = cast(&mask, values.dtype())?;
    let value = |i: usize| values.slice_axis(0, i, i + 1).try_broadcast_to(mask.shape());
    Ok(vec![Expr::try_select(&mask, &value(1)?, &value(0)?)?.into()])
}

/// One update for every index, on the line along `axis` that the index lies on.
fn scatter_elements(node: &Node) -> Outputs {
    let (data, updates) = (node.number(0)?, node.number(2)?);
    let axis = node.axis("axis", 0, data.rank())?;
    let indices = node.value(1)?.to_indices(data.shape()[axis])?;
    if indices.shape() != updates.shape() {
        return invalid("indices and updates differ in shape");
    }
    let line = Line::new(data.shape(), indices.shape(), axis)?;
    let positions = line.last(&indices)?;
    let put = |updates: &Expr| -> Result<Expr, NodeError> {
        let sums = Expr::apply(line.scatter(data.shape()[axis]), &[line.last(updates)?, positions.clone()])?;
        let sums = line.back(&sums)?;
        // Lines beyond the indices get nothing.
        let missing: Vec<usize> = data.shape().iter().zip(sums.shape().iter()).map(|(d, s)| d - s).collect();
        Ok(sums.try_pad(&vec![0; data.rank()], &missing)?)
    };
    Ok(vec![scattered(node, &data, &updates, put)?.into()])
}

/// Slices put where tuples of indices say.
fn scatter_nd(node: &Node) -> Outputs {
    let (data, updates) = (node.number(0)?, node.number(2)?);
    let tuples = Tuples::new(data.shape(), node.value(1)?, 0)?;
    let put = |updates: &Expr| -> Result<Expr, NodeError> {
        let op = ScatterAdd { axis: 0, batch: 0, size: tuples.size };
        Ok(Expr::apply(op, &[updates.clone(), tuples.positions.clone()])?.try_reshape(data.shape())?)
    };
    Ok(vec![scattered(node, &data, &updates, put)?.into()])
}

/// The data with the updates added or put in their place; `put` adds updates up in zeros. Where several updates meet in
/// one place without being added, the standard promises nothing.
fn scattered(
    node: &Node,
    data: &Expr,
    updates: &Expr,
    put: impl Fn(&Expr) -> Result<Expr, NodeError>,
) -> Result<Expr, NodeError> {
    match node.text("reduction", "none").as_str() {
        "add" => Ok(data.try_add(&put(updates)?)?),
        "none" => {
            let hits = put(&updates.like(1.0))?;
            Ok(Expr::try_select(&hits, &put(updates)?, data)?)
        }
        other => unsupported(format!("reduction {other:?}")),
    }
}

/// Indices along one axis of a tensor, one for each element: all other axes are paired.
struct Line {
    axis: usize,
    rank: usize,
}

impl Line {
    fn new(x: &Shape, indices: &Shape, axis: usize) -> Result<Line, NodeError> {
        if x.len() != indices.len() || (0..x.len()).any(|a| a != axis && indices[a] > x[a]) {
            return invalid(format!("indices of shape {indices} for data of shape {x}"));
        }
        Ok(Line { axis, rank: x.len() })
    }

    fn gather(&self) -> Gather {
        Gather { axis: self.rank - 1, batch: self.rank - 1 }
    }

    fn scatter(&self, size: usize) -> ScatterAdd {
        ScatterAdd { axis: self.rank - 1, batch: self.rank - 1, size }
    }

    // The axis moved to the end.
    fn last(&self, x: &Expr) -> perturb_graph::Result<Expr> {
        let perm: Vec<usize> = (0..self.rank).filter(|&a| a != self.axis).chain([self.axis]).collect();
        x.try_transpose(&perm)
    }

    // The axis moved from the end to its place.
    fn back(&self, x: &Expr) -> perturb_graph::Result<Expr> {
        let mut perm: Vec<usize> = (0..self.rank - 1).collect();
        perm.insert(self.axis, self.rank - 1);
        x.try_transpose(&perm)
    }
}

/// Tuples of indices as positions in the axes that they name, joined to one.
struct Tuples {
    positions: Expr,
    /// Number of positions.
    size: usize,
    /// Length of the tuples.
    width: usize,
}

impl Tuples {
    fn new(x: &Shape, indices: &Value, batch: usize) -> Result<Tuples, NodeError> {
        let Some((&width, lead)) = indices.shape().split_last() else { return invalid("indices are a scalar") };
        if batch.checked_add(width).is_none_or(|end| end > x.len()) || lead.len() < batch || lead[..batch] != x[..batch]
        {
            return invalid(format!("tuples of {width} indices, {batch} axes paired, for data of shape {x}"));
        }
        let sizes = &x[batch..batch + width];
        let mut positions = Expr::constant(Tensor::full(lead, 0i64));
        for (k, &size) in sizes.iter().enumerate() {
            let part = indices.slice(lead.len(), k, 1, 1)?.to_indices(size)?.try_reshape(lead)?;
            positions = positions.scale(size as f64).try_add(&part)?;
        }
        Ok(Tuples { positions, size: sizes.iter().product(), width })
    }
}
