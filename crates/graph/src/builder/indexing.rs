//! Choosing by indices, and adding up at indices.

use crate::{DType, Expr, Gather, GraphError, Result, ScatterAdd, Shape, Tensor};

panicking! {
    gather, try_gather(axis: usize, indices: &Expr) -> Expr;
    take_along_axis, try_take_along_axis(axis: usize, indices: &Expr) -> Expr;
    scatter_add, try_scatter_add(axis: usize, indices: &Expr, size: usize) -> Expr;
    one_hot, try_one_hot(classes: usize, dtype: DType) -> Expr;
    roll, try_roll(axis: usize, shift: i64) -> Expr;
}

impl Expr {
    /// The integers `0..n`.
    pub fn arange(n: usize) -> Expr {
        let numbers = Tensor::new([n], (0..n as i64).collect()).expect("one number for each place");
        Expr::constant(numbers)
    }

    /// Slices along `axis` chosen by i64 `indices` of any shape, which takes the place of the axis. Indices outside of
    /// the axis are refused by the engine and clamped by the definition.
    ///
    /// # Errors
    /// If the axis does not exist or is empty, or the indices are not i64.
    pub fn try_gather(&self, axis: usize, indices: &Expr) -> Result<Expr> {
        Expr::apply(Gather { axis, batch: 0 }, &[self.clone(), indices.clone()])
    }

    /// Element `[…, indices[…, i, …], …]` along `axis` at every place `[…, i, …]` of the indices, which have this
    /// expression's shape but for the size of the axis.
    ///
    /// # Errors
    /// If the axis does not exist, the shapes do not fit or the indices are not i64.
    pub fn try_take_along_axis(&self, axis: usize, indices: &Expr) -> Result<Expr> {
        let rank = self.rank();
        let fits = axis < rank
            && indices.rank() == rank
            && (0..rank).all(|a| a == axis || self.shape()[a] == indices.shape()[a]);
        if !fits {
            return Err(GraphError::Shape {
                op: "take_along_axis".into(),
                reason: format!("both shapes must agree on all axes but axis {axis}"),
                shapes: vec![self.shape().clone(), indices.shape().clone()],
            });
        }
        let last = rank - 1;
        let operands = [self.move_axis(axis, last), indices.move_axis(axis, last)];
        Ok(Expr::apply(Gather { axis: last, batch: last }, &operands)?.move_axis(last, axis))
    }

    /// Zeros of `size` along `axis`, to which every slice of this is added at its index: the axes of the indices, which
    /// start at `axis`, become that one.
    ///
    /// # Errors
    /// If the shapes do not fit or the indices are not i64.
    pub fn try_scatter_add(&self, axis: usize, indices: &Expr, size: usize) -> Result<Expr> {
        Expr::apply(ScatterAdd { axis, batch: 0, size }, &[self.clone(), indices.clone()])
    }

    /// For i64 indices `[…]`, rows `[…, classes]` that are 1 at the index and 0 elsewhere; all 0 for an index outside of
    /// `0..classes`.
    ///
    /// # Errors
    /// If the indices are not i64, or the result would be too large.
    pub fn try_one_hot(&self, classes: usize, dtype: DType) -> Result<Expr> {
        if self.dtype() != DType::I64 {
            let reason = "indices must be i64".to_string();
            return Err(GraphError::DType { op: "one_hot".into(), reason, dtypes: vec![self.dtype()] });
        }
        let column: Shape = self.shape().iter().copied().chain([1]).collect();
        Ok(self.try_reshape(column)?.try_equal(&Expr::arange(classes))?.cast(dtype))
    }

    /// Elements moved by `shift` places along `axis`, those that leave at one end coming in at the other.
    ///
    /// # Errors
    /// If the axis does not exist.
    pub fn try_roll(&self, axis: usize, shift: i64) -> Result<Expr> {
        let n = crate::op::axis_size("roll", axis, std::slice::from_ref(self))?;
        let by = if n == 0 { 0 } else { shift.rem_euclid(n as i64) as usize };
        Expr::try_concat(&[self.slice_axis(axis, n - by, n), self.slice_axis(axis, 0, n - by)], axis)
    }
}
