//! Padding with a tensor's own elements.

use crate::op::shape_error;
use crate::{Expr, Result};

panicking! {
    pad_reflect, try_pad_reflect(low: &[usize], high: &[usize]) -> Expr;
    pad_edge, try_pad_edge(low: &[usize], high: &[usize]) -> Expr;
    pad_circular, try_pad_circular(low: &[usize], high: &[usize]) -> Expr;
}

impl Expr {
    /// Mirrors each axis at its first and its last element, which are not repeated: `low` elements before, `high` after.
    ///
    /// # Errors
    /// If the amounts do not match the axes, or an axis is too short to be mirrored that far.
    pub fn try_pad_reflect(&self, low: &[usize], high: &[usize]) -> Result<Expr> {
        self.around("pad_reflect", low, high, 1, |x, axis, low, high| {
            let n = x.shape()[axis];
            let mirror = |from: usize, to: usize| x.slice_axis(axis, from, to).reverse(&[axis]);
            (mirror(1, 1 + low), mirror(n - 1 - high, n - 1))
        })
    }

    /// Repeats the first and the last element of each axis: `low` times before, `high` times after.
    ///
    /// # Errors
    /// If the amounts do not match the axes, or an axis is empty.
    pub fn try_pad_edge(&self, low: &[usize], high: &[usize]) -> Result<Expr> {
        if self.shape().iter().zip(low.iter().zip(high)).any(|(&n, (&l, &h))| n == 0 && l + h > 0) {
            return shape_error("pad_edge", "an empty axis has no edge", std::slice::from_ref(self));
        }
        // Repeating does not need more than the edge itself.
        let mut x = self.clone();
        check_amounts("pad_edge", self, low, high)?;
        for axis in (0..self.rank()).filter(|&a| low[a] + high[a] > 0) {
            let n = x.shape()[axis];
            let edge = |at: usize, times: usize| {
                let mut shape = x.shape().to_vec();
                shape[axis] = times;
                x.slice_axis(axis, at, at + 1).try_broadcast_to(shape)
            };
            x = Expr::try_concat(&[edge(0, low[axis])?, x.clone(), edge(n - 1, high[axis])?], axis)?;
        }
        Ok(x)
    }

    /// Continues each axis periodically: its last `low` elements before, its first `high` after.
    ///
    /// # Errors
    /// If the amounts do not match the axes, or exceed an axis.
    pub fn try_pad_circular(&self, low: &[usize], high: &[usize]) -> Result<Expr> {
        self.around("pad_circular", low, high, 0, |x, axis, low, high| {
            let n = x.shape()[axis];
            (x.slice_axis(axis, n - low, n), x.slice_axis(axis, 0, high))
        })
    }

    // Puts what `ends` cuts out of it around each axis, which must be longer than the amounts by `spare`.
    fn around(
        &self,
        op: &str,
        low: &[usize],
        high: &[usize],
        spare: usize,
        ends: impl Fn(&Expr, usize, usize, usize) -> (Expr, Expr),
    ) -> Result<Expr> {
        check_amounts(op, self, low, high)?;
        let mut x = self.clone();
        for axis in 0..self.rank() {
            let amount = low[axis].max(high[axis]);
            if amount == 0 {
                continue;
            }
            if amount > self.shape()[axis].saturating_sub(spare) {
                let reason = format!("axis {axis} is too short for ({}, {}) elements around it", low[axis], high[axis]);
                return shape_error(op, reason, std::slice::from_ref(self));
            }
            let (before, after) = ends(&x, axis, low[axis], high[axis]);
            x = Expr::try_concat(&[before, x.clone(), after], axis)?;
        }
        Ok(x)
    }
}

fn check_amounts(op: &str, x: &Expr, low: &[usize], high: &[usize]) -> Result<()> {
    if low.len() == x.rank() && high.len() == x.rank() {
        return Ok(());
    }
    shape_error(op, "needs one amount for every axis", std::slice::from_ref(x))
}
