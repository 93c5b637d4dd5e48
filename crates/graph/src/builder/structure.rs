//! Moving, repeating, cutting and reducing.

use crate::{
    Broadcast, Concat, Expr, GraphError, Pad, ReduceMax, ReduceSum, Reshape, Result, Reverse, Shape, Slice, Transpose,
};

fn unwrap<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|e| panic!("{e}"))
}

impl Expr {
    /// The same elements under another shape.
    ///
    /// # Errors
    /// If the shapes hold different numbers of elements.
    pub fn try_reshape(&self, shape: impl Into<Shape>) -> Result<Expr> {
        let shape = shape.into();
        // Two reshapes in a row are one.
        let source = match self.op() {
            crate::Op::Reshape(_) => &self.inputs()[0],
            _ => self,
        };
        Expr::apply(Reshape { shape }, std::slice::from_ref(source))
    }

    /// See [`Expr::try_reshape`].
    ///
    /// # Panics
    /// If the shapes hold different numbers of elements.
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Expr {
        unwrap(self.try_reshape(shape))
    }

    /// Axis `i` of the result is axis `perm[i]` of this.
    ///
    /// # Errors
    /// If `perm` is not a permutation of the axes.
    pub fn try_transpose(&self, perm: &[usize]) -> Result<Expr> {
        Expr::apply(Transpose { perm: perm.to_vec() }, std::slice::from_ref(self))
    }

    /// See [`Expr::try_transpose`].
    ///
    /// # Panics
    /// If `perm` is not a permutation of the axes.
    #[track_caller]
    pub fn transpose(&self, perm: &[usize]) -> Expr {
        unwrap(self.try_transpose(perm))
    }

    /// Moves axis `from` to position `to`, the others keeping their order.
    #[track_caller]
    pub fn move_axis(&self, from: usize, to: usize) -> Expr {
        let mut perm: Vec<usize> = (0..self.rank()).filter(|&a| a != from).collect();
        perm.insert(to, from);
        self.transpose(&perm)
    }

    /// Repeats values to `shape` under NumPy's rule: axes are aligned at the end, and those of size 1 repeat.
    ///
    /// # Errors
    /// If an axis is neither 1 nor the target's size.
    pub fn try_broadcast_to(&self, shape: impl Into<Shape>) -> Result<Expr> {
        let shape = shape.into();
        if *self.shape() == shape {
            return Ok(self.clone());
        }
        let Some(lead) = shape.len().checked_sub(self.rank()) else {
            return Err(GraphError::Shape {
                op: "broadcast".into(),
                reason: format!("cannot lose axes on the way to {shape}"),
                shapes: vec![self.shape().clone()],
            });
        };
        // Axes of size 1 that must grow are dropped first; the primitive only adds axes.
        let kept: Vec<usize> = (0..self.rank()).filter(|&a| self.shape()[a] == shape[lead + a]).collect();
        if (0..self.rank()).any(|a| !kept.contains(&a) && self.shape()[a] != 1) {
            return Err(GraphError::Shape {
                op: "broadcast".into(),
                reason: format!("does not broadcast to {shape}"),
                shapes: vec![self.shape().clone()],
            });
        }
        let squeezed = self.try_reshape(kept.iter().map(|&a| self.shape()[a]).collect::<Shape>())?;
        Expr::apply(Broadcast { shape, axes: kept.iter().map(|a| lead + a).collect() }, &[squeezed])
    }

    /// See [`Expr::try_broadcast_to`].
    ///
    /// # Panics
    /// If an axis is neither 1 nor the target's size.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Expr {
        unwrap(self.try_broadcast_to(shape))
    }

    /// `size` copies along a new leading axis.
    #[track_caller]
    pub fn repeat(&self, size: usize) -> Expr {
        let axes = (1..=self.rank()).collect();
        Expr::build(Broadcast { shape: self.shape().prepend(size), axes }, std::slice::from_ref(self))
    }

    /// Puts the reduced `axes` back by repeating values: the adjoint of a sum over `axes` of something of `shape`.
    #[track_caller]
    pub(crate) fn expand_axes(&self, shape: &Shape, axes: &[usize]) -> Expr {
        let kept = (0..shape.len()).filter(|a| !axes.contains(a)).collect();
        Expr::build(Broadcast { shape: shape.clone(), axes: kept }, std::slice::from_ref(self))
    }

    /// The box `start..end` with steps `stride`, for every axis.
    ///
    /// # Errors
    /// If the box does not lie within.
    pub fn try_slice(&self, start: &[usize], end: &[usize], stride: &[usize]) -> Result<Expr> {
        let slice = Slice { start: start.to_vec(), end: end.to_vec(), stride: stride.to_vec() };
        Expr::apply(slice, std::slice::from_ref(self))
    }

    /// `start..end` along one axis.
    ///
    /// # Panics
    /// If the range does not lie within the axis.
    #[track_caller]
    pub fn slice_axis(&self, axis: usize, start: usize, end: usize) -> Expr {
        let mut from = vec![0; self.rank()];
        let mut to = self.shape().to_vec();
        (from[axis], to[axis]) = (start, end);
        unwrap(self.try_slice(&from, &to, &vec![1; self.rank()]))
    }

    /// Zeros before and after each axis.
    ///
    /// # Errors
    /// If the amounts do not match the axes, or the size overflows.
    pub fn try_pad(&self, low: &[usize], high: &[usize]) -> Result<Expr> {
        let pad = Pad { low: low.to_vec(), high: high.to_vec(), interior: vec![0; self.rank()] };
        Expr::apply(pad, std::slice::from_ref(self))
    }

    /// See [`Expr::try_pad`].
    ///
    /// # Panics
    /// If the amounts do not match the axes.
    #[track_caller]
    pub fn pad(&self, low: &[usize], high: &[usize]) -> Expr {
        unwrap(self.try_pad(low, high))
    }

    /// Reads `axes` backwards.
    ///
    /// # Errors
    /// If an axis does not exist.
    pub fn try_reverse(&self, axes: &[usize]) -> Result<Expr> {
        Expr::apply(Reverse { axes: axes.to_vec() }, std::slice::from_ref(self))
    }

    /// See [`Expr::try_reverse`].
    ///
    /// # Panics
    /// If an axis does not exist.
    #[track_caller]
    pub fn reverse(&self, axes: &[usize]) -> Expr {
        unwrap(self.try_reverse(axes))
    }

    /// Expressions one after another along `axis`.
    ///
    /// # Errors
    /// If they differ in any other axis or in type.
    pub fn try_concat(parts: &[Expr], axis: usize) -> Result<Expr> {
        Expr::apply(Concat { axis }, parts)
    }

    /// See [`Expr::try_concat`].
    ///
    /// # Panics
    /// If they differ in any other axis or in type.
    #[track_caller]
    pub fn concat(parts: &[Expr], axis: usize) -> Expr {
        unwrap(Expr::try_concat(parts, axis))
    }

    fn keep_axes(self, source: &Expr, axes: &[usize], keep: bool) -> Result<Expr> {
        if !keep {
            return Ok(self);
        }
        let shape: Shape = (0..source.rank()).map(|a| if axes.contains(&a) { 1 } else { source.shape()[a] }).collect();
        self.try_reshape(shape)
    }

    /// Sum over `axes` (in any order), which vanish unless `keep`.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    pub fn try_reduce_sum(&self, axes: &[usize], keep: bool) -> Result<Expr> {
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        Expr::apply(ReduceSum { axes: axes.clone() }, std::slice::from_ref(self))?.keep_axes(self, &axes, keep)
    }

    /// See [`Expr::try_reduce_sum`].
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn reduce_sum(&self, axes: &[usize], keep: bool) -> Expr {
        unwrap(self.try_reduce_sum(axes, keep))
    }

    /// Sum of all elements.
    #[track_caller]
    pub fn sum(&self) -> Expr {
        self.reduce_sum(&(0..self.rank()).collect::<Vec<_>>(), false)
    }

    /// Maximum over `axes` (in any order), which vanish unless `keep`.
    ///
    /// # Errors
    /// If an axis does not exist, is named twice or is empty.
    pub fn try_reduce_max(&self, axes: &[usize], keep: bool) -> Result<Expr> {
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        Expr::apply(ReduceMax { axes: axes.clone() }, std::slice::from_ref(self))?.keep_axes(self, &axes, keep)
    }

    /// See [`Expr::try_reduce_max`].
    ///
    /// # Panics
    /// If an axis does not exist, is named twice or is empty.
    #[track_caller]
    pub fn reduce_max(&self, axes: &[usize], keep: bool) -> Expr {
        unwrap(self.try_reduce_max(axes, keep))
    }

    /// Mean over `axes`, which vanish unless `keep`.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    pub fn try_reduce_mean(&self, axes: &[usize], keep: bool) -> Result<Expr> {
        crate::op::same_float("reduce_mean", std::slice::from_ref(self))?;
        let sum = self.try_reduce_sum(axes, keep)?;
        let count: usize = axes.iter().map(|&a| self.shape()[a]).product();
        Ok(sum.scale(1.0 / count as f64))
    }

    /// See [`Expr::try_reduce_mean`].
    ///
    /// # Panics
    /// If an axis does not exist or is named twice.
    #[track_caller]
    pub fn reduce_mean(&self, axes: &[usize], keep: bool) -> Expr {
        unwrap(self.try_reduce_mean(axes, keep))
    }
}
