//! Arithmetic on constants during import: the shapes, axes and indices that exporters compute with nodes.

use crate::error::{NodeError, invalid};
use perturb_graph::{Data, Element, Expr, Op, Shape, Tensor, eval, topological};

/// Largest number of elements of a constant that import may compute.
pub(crate) const MAX_FOLDED: usize = 1 << 22;

/// Checks that a constant of `shape` may be computed during import.
pub(crate) fn check_count(shape: &Shape) -> Result<usize, NodeError> {
    match shape.checked_count() {
        Some(count) if count <= MAX_FOLDED => Ok(count),
        _ => invalid(format!("a constant of shape {shape} is larger than the limit of {MAX_FOLDED} elements")),
    }
}

/// The elements of `t` at `offset + Σ index·stride` for every index of `shape`: transposition, slicing in both
/// directions and broadcasting in one. The caller makes sure that every position exists.
pub(crate) fn strided(t: &Tensor, shape: Shape, offset: usize, strides: &[isize]) -> Result<Tensor, NodeError> {
    let count = check_count(&shape)?;
    let mut positions = Vec::with_capacity(count);
    let mut index = vec![0usize; shape.len()];
    let mut position = offset as isize;
    for _ in 0..count {
        positions.push(position as usize);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            position += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            position -= strides[axis] * shape[axis] as isize;
            index[axis] = 0;
        }
    }
    take(t, shape, &positions)
}

fn take(t: &Tensor, shape: Shape, positions: &[usize]) -> Result<Tensor, NodeError> {
    fn pick<T: Element>(shape: Shape, data: &[T], positions: &[usize]) -> Result<Tensor, NodeError> {
        Ok(Tensor::new(shape, positions.iter().map(|&p| data[p]).collect())?)
    }
    match t.data() {
        Data::F32(d) => pick(shape, d, positions),
        Data::F64(d) => pick(shape, d, positions),
        Data::I64(d) => pick(shape, d, positions),
        Data::Bool(d) => pick(shape, d, positions),
    }
}

/// Strides of `shape` when it is broadcast to `to`: zero along repeated axes; `None` if it cannot be.
fn broadcast_strides(shape: &Shape, to: &Shape) -> Option<Vec<isize>> {
    let lead = to.len().checked_sub(shape.len())?;
    let own = shape.strides();
    (0..to.len())
        .map(|axis| {
            let Some(from) = axis.checked_sub(lead) else { return Some(0) };
            match (shape[from], to[axis]) {
                (a, b) if a == b => Some(own[from] as isize),
                (1, _) => Some(0),
                _ => None,
            }
        })
        .collect()
}

/// NumPy's common shape of two operands.
pub(crate) fn broadcast_shapes(a: &Shape, b: &Shape) -> Result<Shape, NodeError> {
    let rank = a.len().max(b.len());
    let size = |s: &Shape, axis: usize| (axis + s.len()).checked_sub(rank).map_or(1, |i| s[i]);
    (0..rank)
        .map(|axis| match (size(a, axis), size(b, axis)) {
            (x, y) if x == y => Ok(x),
            (1, y) => Ok(y),
            (x, 1) => Ok(x),
            _ => invalid(format!("shapes {a} and {b} do not broadcast together")),
        })
        .collect()
}

/// `t` repeated to `shape` by NumPy's rule.
pub(crate) fn broadcast(t: &Tensor, shape: &Shape) -> Result<Tensor, NodeError> {
    match broadcast_strides(t.shape(), shape) {
        Some(strides) => strided(t, shape.clone(), 0, &strides),
        None => invalid(format!("shape {} does not broadcast to {shape}", t.shape())),
    }
}

/// Tensors of one element type one after another along `axis`; the other sizes were checked to be equal.
pub(crate) fn concat(parts: &[Tensor], axis: usize, shape: Shape) -> Result<Tensor, NodeError> {
    fn join<T: Element>(parts: &[Tensor], axis: usize, shape: Shape) -> Result<Tensor, NodeError> {
        let count = check_count(&shape)?;
        let outer: usize = shape[..axis].iter().product();
        let mut data = Vec::with_capacity(count);
        for block in 0..outer {
            for part in parts {
                let Some(elements) = part.try_as_slice::<T>() else {
                    return invalid("operands have several element types");
                };
                let width: usize = part.shape()[axis..].iter().product();
                data.extend_from_slice(&elements[block * width..(block + 1) * width]);
            }
        }
        Ok(Tensor::new(shape, data)?)
    }
    match parts[0].data() {
        Data::F32(_) => join::<f32>(parts, axis, shape),
        Data::F64(_) => join::<f64>(parts, axis, shape),
        Data::I64(_) => join::<i64>(parts, axis, shape),
        Data::Bool(_) => join::<bool>(parts, axis, shape),
    }
}

/// The slices of `t` at `indices`, which exist, along `axis`.
pub(crate) fn take_along(t: &Tensor, axis: usize, indices: &[usize]) -> Result<Tensor, NodeError> {
    let (outer, size) = (t.shape()[..axis].iter().product::<usize>(), t.shape()[axis]);
    let inner: usize = t.shape()[axis + 1..].iter().product();
    let mut shape = t.shape().to_vec();
    shape[axis] = indices.len();
    let shape = Shape::from(shape);
    let mut positions = Vec::with_capacity(check_count(&shape)?);
    for block in 0..outer {
        for index in indices {
            let start = (block * size + index) * inner;
            positions.extend(start..start + inner);
        }
    }
    take(t, shape, &positions)
}

/// The value of an expression that depends on no input, if computing it by its definition takes little.
pub(crate) fn evaluate(expr: &Expr) -> Option<Tensor> {
    let mut work = 0usize;
    for node in topological(std::slice::from_ref(expr)) {
        let operands = node.inputs().iter().map(|i| i.shape().count());
        let cost = match node.op() {
            Op::Input { .. } => return None,
            Op::Param { .. } | Op::Constant(_) => 0,
            Op::Dot(_) | Op::Conv(_) => operands.fold(1, usize::saturating_mul),
            _ => operands.fold(node.shape().count(), usize::saturating_add),
        };
        work = work.saturating_add(cost);
    }
    let outputs = std::slice::from_ref(expr);
    if work > MAX_FOLDED { None } else { eval(outputs, &[]).ok()?.pop() }
}
