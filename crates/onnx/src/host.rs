//! Arithmetic on constants during import: the shapes, axes and indices that exporters compute with nodes.

use crate::error::{NodeError, invalid};
use perturb_graph::{Data, Element, Shape, Tensor};

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

/// An elementwise function of two constants: `int` on integers, `float` on the rest (rounded to the operands' type).
pub(crate) fn zip(
    a: &Tensor,
    b: &Tensor,
    int: impl Fn(i64, i64) -> Option<i64>,
    float: impl Fn(f64, f64) -> f64,
) -> Result<Tensor, NodeError> {
    let shape = broadcast_shapes(a.shape(), b.shape())?;
    let (a, b) = (broadcast(a, &shape)?, broadcast(b, &shape)?);
    if let (Some(x), Some(y)) = (a.try_as_slice::<i64>(), b.try_as_slice::<i64>()) {
        let values: Option<Vec<i64>> = x.iter().zip(y).map(|(&x, &y)| int(x, y)).collect();
        return match values {
            Some(values) => Ok(Tensor::new(shape, values)?),
            None => invalid("integer overflow or division by zero while computing a constant"),
        };
    }
    let values = a.to_f64_vec().into_iter().zip(b.to_f64_vec()).map(|(x, y)| float(x, y)).collect();
    Ok(Tensor::from_f64(shape, a.dtype(), values)?)
}

/// Truth of a relation between two constants, elementwise.
pub(crate) fn compare(a: &Tensor, b: &Tensor, holds: fn(std::cmp::Ordering) -> bool) -> Result<Tensor, NodeError> {
    let shape = broadcast_shapes(a.shape(), b.shape())?;
    let (a, b) = (broadcast(a, &shape)?, broadcast(b, &shape)?);
    let truths = match (a.try_as_slice::<i64>(), b.try_as_slice::<i64>()) {
        (Some(x), Some(y)) => x.iter().zip(y).map(|(x, y)| holds(x.cmp(y))).collect(),
        // NaN is unordered: no relation holds.
        _ => a.to_f64_vec().iter().zip(b.to_f64_vec()).map(|(x, y)| x.partial_cmp(&y).is_some_and(holds)).collect(),
    };
    Ok(Tensor::new(shape, truths)?)
}

/// Elements of `a` where the mask holds, of `b` elsewhere; all three are broadcast to `shape`.
pub(crate) fn select(mask: &Tensor, a: &Tensor, b: &Tensor, shape: &Shape) -> Result<Tensor, NodeError> {
    if mask.dtype() != perturb_graph::DType::Bool || a.dtype() != b.dtype() {
        return invalid(format!(
            "a mask of type {} and choices of types {} and {}",
            mask.dtype(),
            a.dtype(),
            b.dtype()
        ));
    }
    let count = check_count(shape)?;
    let mask = broadcast(mask, shape)?.to_f64_vec();
    let both = concat(
        &[broadcast(a, shape)?.reshape([count])?, broadcast(b, shape)?.reshape([count])?],
        0,
        [2 * count].into(),
    )?;
    let positions: Vec<usize> = mask.iter().enumerate().map(|(i, &m)| if m != 0.0 { i } else { count + i }).collect();
    take(&both, shape.clone(), &positions)
}

/// How integers are folded: the start, and one step (`None` is overflow).
pub(crate) type Fold = (i64, fn(i64, i64) -> Option<i64>);

/// Folds integers along `axes`.
pub(crate) fn reduce(t: &Tensor, axes: &[usize], keep: bool, (start, step): Fold) -> Result<Tensor, NodeError> {
    let Some(values) = t.try_as_slice::<i64>() else { return invalid("an integer reduction of other values") };
    let kept: Shape = t.shape().iter().enumerate().map(|(i, &d)| if axes.contains(&i) { 1 } else { d }).collect();
    // Where in the result each element falls: the result's own positions, broadcast to the operand's shape.
    let slots = Tensor::new(kept.clone(), (0..kept.count() as i64).collect())?;
    let slots = broadcast(&slots, t.shape())?;
    let mut out = vec![Some(start); kept.count()];
    for (&value, &slot) in values.iter().zip(slots.try_as_slice::<i64>().unwrap_or_default()) {
        out[slot as usize] = out[slot as usize].and_then(|o| step(o, value));
    }
    let Some(out) = out.into_iter().collect::<Option<Vec<i64>>>() else {
        return invalid("integer overflow while reducing a constant");
    };
    let left = || t.shape().iter().enumerate().filter(|(i, _)| !axes.contains(i)).map(|(_, &d)| d).collect();
    Ok(Tensor::new(if keep { kept } else { left() }, out)?)
}
