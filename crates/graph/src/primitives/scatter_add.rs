//! Slices added up at indices of an axis: the adjoint of [`Gather`].

use super::gather::check_indices;
use super::{Gather, GatherSizes, finish, finish_as, integer};
use crate::interval::sum_error;
use crate::op::{Primitive, same_number, shape_error};
use crate::{DType, Expr, Interval, ReduceSum, Result, Rounding, Shape, Tensor};

/// `(updates, indices)`: zeros to which every slice of the updates is added at its index. The shapes are those of a
/// [`Gather`] read backwards: updates `[..axis] + indices.shape[batch..] + rest` become `[..axis] + [size] + rest`. An
/// index outside of `0..size` means the nearest one inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScatterAdd {
    /// The axis of the result that is indexed.
    pub axis: usize,
    /// Number of leading axes that updates and indices share.
    pub batch: usize,
    /// Size of the indexed axis of the result.
    pub size: usize,
}

impl ScatterAdd {
    fn gather(&self) -> Gather {
        Gather { axis: self.axis, batch: self.batch }
    }

    /// Sizes of the groups of axes for a result and indices of these shapes.
    pub fn sizes(&self, result: &Shape, indices: &Shape) -> GatherSizes {
        self.gather().sizes(result, indices)
    }

    fn error(&self, node: &Expr, times: f64) -> f64 {
        let sizes = self.sizes(node.shape(), node.inputs()[1].shape());
        sum_error(times, sizes.count + 1, node.dtype())
    }
}

impl Primitive for ScatterAdd {
    fn name(&self) -> &'static str {
        "scatter_add"
    }

    fn infer(&self, inputs: &[Expr]) -> Result<(Shape, DType)> {
        check_indices("scatter_add", self.axis, self.batch, inputs)?;
        let dtype = same_number("scatter_add", &inputs[..1])?;
        let (updates, indices) = (inputs[0].shape(), inputs[1].shape());
        let end = self.axis + indices.len() - self.batch;
        if updates.get(self.axis..end) != Some(&indices[self.batch..]) {
            let reason = format!("from axis {} on, updates must have the shape of the indices", self.axis);
            return shape_error("scatter_add", reason, inputs);
        }
        if self.size == 0 && updates.checked_count() != Some(0) {
            return shape_error("scatter_add", "there is no place in an axis of size 0", inputs);
        }
        Ok((updates[..self.axis].iter().chain([&self.size]).chain(&updates[end..]).copied().collect(), dtype))
    }

    fn eval(&self, node: &Expr, inputs: &[&Tensor]) -> Tensor {
        let sizes = self.sizes(node.shape(), inputs[1].shape());
        let indices = inputs[1].as_slice::<i64>();
        if let Some(updates) = inputs[0].try_as_slice::<i64>() {
            let mut result = vec![0i64; node.shape().count()];
            sizes.for_each(indices, |from, to| result[to] = result[to].wrapping_add(updates[from]));
            return finish_as(node, result);
        }
        let updates = inputs[0].to_f64_vec();
        let mut result = vec![0.0; node.shape().count()];
        sizes.for_each(indices, |from, to| result[to] += updates[from]);
        finish(node, result)
    }

    fn linear_in(&self, varying: &[bool]) -> Option<Vec<bool>> {
        (!varying[1]).then(|| vec![true, false])
    }

    fn jvp(&self, node: &Expr, tangents: &[Option<Expr>]) -> Option<Expr> {
        let tangent = tangents[0].as_ref()?;
        Some(Expr::build(*self, &[tangent.clone(), node.inputs()[1].clone()]))
    }

    fn transpose(&self, node: &Expr, cotangent: &Expr, _linear: &[bool]) -> Vec<Option<Expr>> {
        vec![Some(Expr::build(self.gather(), &[cotangent.clone(), node.inputs()[1].clone()])), None]
    }

    fn batch(&self, _node: &Expr, inputs: &[Expr], batched: &[bool], size: usize) -> Expr {
        let (updates, indices) = (&inputs[0], &inputs[1]);
        let axis = self.axis + 1;
        if self.batch == 0 && !batched[1] {
            return Expr::build(ScatterAdd { axis, batch: 0, size: self.size }, inputs);
        }
        let updates = if batched[0] { updates.clone() } else { updates.repeat(size) };
        let indices = if batched[1] { indices.clone() } else { indices.repeat(size) };
        Expr::build(ScatterAdd { axis, batch: self.batch + 1, size: self.size }, &[updates, indices])
    }

    fn interval(&self, node: &Expr, inputs: &[Interval], rounding: Rounding) -> Interval {
        if !node.dtype().is_float() {
            let indices = inputs[1].clone();
            return integer::interval(*self, &inputs[..1], |x| self.image(node, &x[0], &indices));
        }
        let bounds = self.image(node, &inputs[0], &inputs[1]);
        if rounding == Rounding::Nearest {
            return bounds;
        }
        let magnitude = Interval::point(&inputs[0].magnitude());
        let sums = self.image(node, &magnitude, &inputs[1]).hi;
        bounds.widen_by(&sums.scale(self.error(node, 3.0)))
    }

    fn adjoint_error(&self, node: &Expr, inputs: &[Interval], _linear: &[bool]) -> Option<Expr> {
        let size = Expr::build(*self, &[inputs[0].magnitude(), inputs[1].lo.clone()]);
        Some(size.scale(self.error(node, 2.0)))
    }
}

impl ScatterAdd {
    // The image, without rounding. Where indices are not known, every place may receive every update, or none of them.
    fn image(&self, node: &Expr, updates: &Interval, indices: &Interval) -> Interval {
        if indices.is_point() {
            let at = |x: &Expr| Expr::build(*self, &[x.clone(), indices.lo.clone()]);
            return Interval { lo: at(&updates.lo), hi: at(&updates.hi) };
        }
        let end = self.axis + node.inputs()[1].rank() - self.batch;
        let all = |x: &Expr| {
            let sums = Expr::build(ReduceSum { axes: (self.axis..end).collect() }, std::slice::from_ref(x));
            sums.expand_axes(node.shape(), &[self.axis])
        };
        Interval {
            lo: all(&updates.lo.minimum(&updates.lo.like(0.0))),
            hi: all(&updates.hi.maximum(&updates.hi.like(0.0))),
        }
    }
}
