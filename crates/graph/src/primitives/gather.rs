//! Slices of an axis, chosen by indices.

use super::{finish_as, scatter_add::ScatterAdd};
use crate::interval::sum_error;
use crate::op::{Primitive, arity, axis_size, shape_error, type_error};
use crate::tensor::{Element, by_type};
use crate::{DType, Expr, Interval, ReduceMax, Result, Rounding, Shape, Tensor};

/// `(x, indices)` with integer indices. The first `batch` axes of both are paired, and `axis ≥ batch` of `x` is replaced
/// by the remaining axes of the indices: the result's shape is `x.shape[..axis] + indices.shape[batch..] +
/// x.shape[axis + 1..]`. An index outside of `0..size` means the nearest one inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gather {
    /// The axis of `x` that is indexed.
    pub axis: usize,
    /// Number of leading axes that both operands share.
    pub batch: usize,
}

/// Sizes of the groups of axes of a [`Gather`] or a [`ScatterAdd`]: `x [batch, outer, size, inner]` and
/// `y [batch, outer, count, inner]` with `indices [batch, count]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatherSizes {
    /// Combinations of the paired leading axes.
    pub batch: usize,
    /// Combinations of the axes between those and the indexed one.
    pub outer: usize,
    /// Size of the indexed axis.
    pub size: usize,
    /// Indices of each combination of the paired axes.
    pub count: usize,
    /// Combinations of the axes behind the indexed one.
    pub inner: usize,
}

impl GatherSizes {
    /// Calls `f(y, x)` for every element of `y`, row-major, with the element of `x` that its index names, clamped to the
    /// axis.
    pub fn for_each(&self, indices: &[i64], mut f: impl FnMut(usize, usize)) {
        let last = self.size.saturating_sub(1);
        let mut y = 0;
        for batch in 0..self.batch {
            for outer in 0..self.outer {
                for k in 0..self.count {
                    let index = usize::try_from(indices[batch * self.count + k].max(0)).unwrap_or(last).min(last);
                    let start = ((batch * self.outer + outer) * self.size + index) * self.inner;
                    for inner in 0..self.inner {
                        f(y, start + inner);
                        y += 1;
                    }
                }
            }
        }
    }
}

impl Gather {
    /// Sizes of the groups of axes for operands of these shapes.
    pub fn sizes(&self, x: &Shape, indices: &Shape) -> GatherSizes {
        GatherSizes {
            batch: x[..self.batch].iter().product(),
            outer: x[self.batch..self.axis].iter().product(),
            size: x[self.axis],
            count: indices[self.batch..].iter().product(),
            inner: x[self.axis + 1..].iter().product(),
        }
    }

    fn eval_as<T: Element>(&self, node: &Expr, x: &Tensor, indices: &Tensor) -> Tensor {
        let values = x.as_slice::<T>();
        let mut result = Vec::with_capacity(node.shape().count());
        let sizes = self.sizes(x.shape(), indices.shape());
        sizes.for_each(indices.as_slice(), |_, from| result.push(values[from]));
        finish_as(node, result)
    }
}

/// Checks the indices of `op`.
pub(super) fn check_indices(op: &str, axis: usize, batch: usize, inputs: &[Expr]) -> Result<()> {
    arity(op, inputs, 2)?;
    if inputs[1].dtype() != DType::I64 {
        return type_error(op, "indices must be i64", inputs);
    }
    let (x, indices) = (inputs[0].shape(), inputs[1].shape());
    if axis < batch || batch > indices.len() || batch > x.len() || x[..batch] != indices[..batch] {
        return shape_error(
            op,
            format!("axis {axis} must follow {batch} leading axes that both operands share"),
            inputs,
        );
    }
    Ok(())
}

impl Primitive for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        check_indices("gather", self.axis, self.batch, inputs)?;
        let size = axis_size("gather", self.axis, inputs)?;
        let (x, indices) = (inputs[0].shape(), inputs[1].shape());
        let shape: Shape =
            x[..self.axis].iter().chain(&indices[self.batch..]).chain(&x[self.axis + 1..]).copied().collect();
        if size == 0 && shape.checked_count() != Some(0) {
            return shape_error("gather", format!("axis {} is empty: there is nothing to choose", self.axis), inputs);
        }
        Ok((shape, inputs[0].dtype()))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        by_type!(node.dtype(), T => self.eval_as::<T>(node, inputs[0], inputs[1]))
    }

    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        (!varying[1]).then(|| vec![true, false])
    }

    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        let tangent = tangents[0].as_ref()?;
        Some(Expr::build(*self, &[tangent.clone(), node.inputs()[1].clone()]))
    }

    fn transpose(&self, node: &Expr, cotangent: &Expr, _linear: &[bool]) -> Vec<Option<Expr>> {
        let size = node.inputs()[0].shape()[self.axis];
        let scatter = ScatterAdd { axis: self.axis, batch: self.batch, size };
        vec![Some(Expr::build(scatter, &[cotangent.clone(), node.inputs()[1].clone()])), None]
    }

    fn batch(&self, _node: &Expr, inputs: &[Expr], batched: &[bool], size: usize) -> Expr {
        let (x, indices) = (&inputs[0], &inputs[1]);
        match (batched[0], batched[1]) {
            (true, false) if self.batch == 0 => Expr::build(Gather { axis: self.axis + 1, batch: 0 }, inputs),
            (false, true) if self.batch == 0 => Expr::build(*self, inputs).move_axis(self.axis, 0),
            (on_x, on_indices) => {
                let x = if on_x { x.clone() } else { x.repeat(size) };
                let indices = if on_indices { indices.clone() } else { indices.repeat(size) };
                Expr::build(Gather { axis: self.axis + 1, batch: self.batch + 1 }, &[x, indices])
            }
        }
    }

    // Where the index is not known, anything along the axis may be chosen.
    fn interval(&self, node: &Expr, inputs: &[Interval], _rounding: Rounding) -> Interval {
        let (x, indices) = (&inputs[0], &inputs[1]);
        let at = |x: &Expr| Expr::build(*self, &[x.clone(), indices.lo.clone()]);
        let lo = at(&x.lo);
        let chosen = Interval { hi: if x.is_point() { lo.clone() } else { at(&x.hi) }, lo };
        if indices.is_point() {
            return chosen;
        }
        if node.dtype() == DType::Bool {
            let wide = Expr::build(*self, &[node.inputs()[0].cast(DType::I64), node.inputs()[1].clone()]);
            let bounds = self.interval(&wide, &[x.cast_ends(DType::I64), indices.clone()], Rounding::Nearest);
            return bounds.cast_ends(DType::Bool);
        }
        let axes = (self.axis..self.axis + node.inputs()[1].rank() - self.batch).collect::<Vec<_>>();
        let largest = |x: &Expr| {
            Expr::build(ReduceMax { axes: vec![self.axis] }, std::slice::from_ref(x)).expand_axes(node.shape(), &axes)
        };
        // 1 where both ends of the index agree.
        let known = indices.lo.equal(&indices.hi).cast(node.dtype());
        let known = known.spread(node.shape(), self, &axes);
        Interval {
            lo: Expr::select(&known, &chosen.lo, &largest(&x.lo.neg()).neg()),
            hi: Expr::select(&known, &chosen.hi, &largest(&x.hi)),
        }
    }

    // Moving elements is exact; the adjoint adds up those that one element was copied to.
    fn adjoint_error(&self, node: &Expr, inputs: &[Interval], _linear: &[bool]) -> Option<Expr> {
        let sizes = self.sizes(node.inputs()[0].shape(), node.inputs()[1].shape());
        let size = Expr::build(*self, &[inputs[0].magnitude(), inputs[1].lo.clone()]);
        Some(size.scale(sum_error(2.0, sizes.count + 1, node.dtype())))
    }
}

impl Expr {
    // A value for each index, repeated over the axes of a gathered result that do not belong to the indices.
    fn spread(&self, shape: &Shape, gather: &Gather, axes: &[usize]) -> Expr {
        let axes = (0..gather.batch).chain(axes.iter().copied()).collect();
        Expr::build(super::Broadcast { shape: shape.clone(), axes }, std::slice::from_ref(self))
    }
}
