//! Reductions that are composed of others.

use crate::op::{same_float, shape_error};
use crate::{Expr, Result, Shape};

panicking! {
    reduce_min, try_reduce_min(axes: &[usize], keep: bool) -> Expr;
    reduce_prod, try_reduce_prod(axes: &[usize], keep: bool) -> Expr;
    variance, try_variance(axes: &[usize], correction: usize, keep: bool) -> Expr;
    logsumexp, try_logsumexp(axes: &[usize], keep: bool) -> Expr;
    squared_distances, try_squared_distances(other: &Expr) -> Expr;
}

impl Expr {
    /// Minimum over `axes`, which vanish unless `keep`.
    ///
    /// # Errors
    /// If an axis does not exist, is named twice or is empty.
    pub fn try_reduce_min(&self, axes: &[usize], keep: bool) -> Result<Expr> {
        self.mirrored()?.try_reduce_max(axes, keep)?.mirrored()
    }

    /// Product over `axes`, which vanish unless `keep`: halves are multiplied until one is left, so that derivatives
    /// need no quotient and hold at 0.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    pub fn try_reduce_prod(&self, axes: &[usize], keep: bool) -> Result<Expr> {
        let kept: Vec<usize> = (0..self.rank()).filter(|a| !axes.contains(a)).collect();
        let order: Vec<usize> = kept.iter().chain(axes).copied().collect();
        let moved = self.try_transpose(&order)?;
        let lead: Shape = kept.iter().map(|&a| self.shape()[a]).collect();
        let mut n: usize = axes.iter().map(|&a| self.shape()[a]).product();
        let last = lead.len();
        let mut product = moved.try_reshape(lead.iter().copied().chain([n]).collect::<Shape>())?;
        if n == 0 {
            product = Expr::full(lead.iter().copied().chain([1]).collect::<Shape>(), 1.0, self.dtype());
        }
        while n > 1 {
            let half = n / 2;
            let pairs = product.slice_axis(last, 0, half).try_mul(&product.slice_axis(last, half, 2 * half))?;
            let parts = if n % 2 == 1 { vec![pairs, product.slice_axis(last, n - 1, n)] } else { vec![pairs] };
            product = Expr::try_concat(&parts, last)?;
            n = n.div_ceil(2);
        }
        let shape = if keep { self.kept_shape(axes) } else { lead };
        product.try_reshape(shape)
    }

    /// Mean squared deviation from the mean over `axes`, which vanish unless `keep`, with the number of elements less
    /// `correction` as divisor (1 for an unbiased estimate).
    ///
    /// # Errors
    /// If an axis does not exist or is named twice, or there are not more elements than the correction.
    pub fn try_variance(&self, axes: &[usize], correction: usize, keep: bool) -> Result<Expr> {
        let centred = self.try_sub(&self.try_reduce_mean(axes, true)?)?;
        let n: usize = axes.iter().map(|&a| self.shape()[a]).product();
        if n <= correction {
            let reason = format!("{n} element(s) have no variance with correction {correction}");
            return shape_error("variance", reason, std::slice::from_ref(self));
        }
        Ok(centred.square().try_reduce_sum(axes, keep)?.scale(1.0 / (n - correction) as f64))
    }

    /// log Σ eˣ over `axes`, which vanish unless `keep`, without overflow.
    ///
    /// # Errors
    /// If an axis does not exist, is named twice or is empty.
    pub fn try_logsumexp(&self, axes: &[usize], keep: bool) -> Result<Expr> {
        same_float("logsumexp", std::slice::from_ref(self))?;
        let largest = self.try_reduce_max(axes, true)?.finite_shift();
        let sum = self.sub(&largest).exp().try_reduce_sum(axes, true)?;
        sum.log().add(&largest).drop_axes(axes, keep)
    }

    // A value by which a logarithm of a sum is shifted: any finite one leaves the result and its derivative as they are.
    pub(super) fn finite_shift(&self) -> Expr {
        Expr::select(&self.is_finite(), self, &self.like(0.0)).stop_gradient()
    }

    /// Squared Euclidean distances `[…, n, m]` of the points `[…, n, d]` to `other […, m, d]`, as
    /// `|x|² + |y|² − 2⟨x, y⟩`, but not below 0: one matrix product, with an error in proportion to the squared lengths.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn try_squared_distances(&self, other: &Expr) -> Result<Expr> {
        if self.rank() < 2 || other.rank() < 2 {
            return shape_error("squared_distances", "needs points as rows", &[self.clone(), other.clone()]);
        }
        let (last, other_last) = (self.rank() - 1, other.rank() - 1);
        let squares = self.square().try_reduce_sum(&[last], true)?;
        let other_squares = other.square().try_reduce_sum(&[other_last], true)?.move_axis(other_last, other_last - 1);
        let products = self.try_matmul(&other.move_axis(other_last, other_last - 1))?;
        Ok(squares.try_add(&other_squares)?.try_sub(&products.scale(2.0))?.relu())
    }

    // The shape with 1 at `axes`.
    fn kept_shape(&self, axes: &[usize]) -> Shape {
        (0..self.rank()).map(|a| if axes.contains(&a) { 1 } else { self.shape()[a] }).collect()
    }

    // Takes out `axes` of size 1 unless they are to be kept.
    pub(super) fn drop_axes(&self, axes: &[usize], keep: bool) -> Result<Expr> {
        if keep {
            return Ok(self.clone());
        }
        self.try_reshape((0..self.rank()).filter(|a| !axes.contains(a)).map(|a| self.shape()[a]).collect::<Shape>())
    }
}
