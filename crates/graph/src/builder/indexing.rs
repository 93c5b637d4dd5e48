//! Choosing by indices, and adding up at indices.

use crate::{Expr, Gather, GraphError, Result, ScatterAdd};

fn unwrap<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|e| panic!("{e}"))
}

impl Expr {
    /// Slices along `axis` chosen by i64 `indices` of any shape, which takes the place of the axis. Indices outside of
    /// the axis are refused by the engine and clamped by the definition.
    ///
    /// # Errors
    /// If the axis does not exist or is empty, or the indices are not i64.
    pub fn try_gather(&self, axis: usize, indices: &Expr) -> Result<Expr> {
        Expr::apply(Gather { axis, batch: 0 }, &[self.clone(), indices.clone()])
    }

    /// See [`Expr::try_gather`].
    ///
    /// # Panics
    /// If the axis does not exist or is empty, or the indices are not i64.
    #[track_caller]
    pub fn gather(&self, axis: usize, indices: &Expr) -> Expr {
        unwrap(self.try_gather(axis, indices))
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

    /// See [`Expr::try_take_along_axis`].
    ///
    /// # Panics
    /// If the axis does not exist, the shapes do not fit or the indices are not i64.
    #[track_caller]
    pub fn take_along_axis(&self, axis: usize, indices: &Expr) -> Expr {
        unwrap(self.try_take_along_axis(axis, indices))
    }

    /// Zeros of `size` along `axis`, to which every slice of this is added at its index: the axes of the indices, which
    /// start at `axis`, become that one.
    ///
    /// # Errors
    /// If the shapes do not fit or the indices are not i64.
    pub fn try_scatter_add(&self, axis: usize, indices: &Expr, size: usize) -> Result<Expr> {
        Expr::apply(ScatterAdd { axis, batch: 0, size }, &[self.clone(), indices.clone()])
    }

    /// See [`Expr::try_scatter_add`].
    ///
    /// # Panics
    /// If the shapes do not fit or the indices are not i64.
    #[track_caller]
    pub fn scatter_add(&self, axis: usize, indices: &Expr, size: usize) -> Expr {
        unwrap(self.try_scatter_add(axis, indices, size))
    }
}
