//! Largest, smallest, and in order.

use crate::op::{axis_size, same_float, shape_error};
use crate::{ArgMax, ArgSort, DType, Expr, Result, Sort};

panicking! {
    argmax, try_argmax(axis: usize) -> Expr;
    argmin, try_argmin(axis: usize) -> Expr;
    sort, try_sort(axis: usize, descending: bool) -> Expr;
    argsort, try_argsort(axis: usize, descending: bool) -> Expr;
    top_k, try_top_k(axis: usize, k: usize) -> (Expr, Expr);
    quantile, try_quantile(q: f64, axis: usize, keep: bool) -> Expr;
}

impl Expr {
    /// i64 index of the largest element along `axis`, which vanishes: the first of equals, or the first NaN.
    ///
    /// # Errors
    /// If the axis does not exist or is empty.
    pub fn try_argmax(&self, axis: usize) -> Result<Expr> {
        Expr::apply(ArgMax { axis }, std::slice::from_ref(self))
    }

    /// i64 index of the smallest element along `axis`, which vanishes: the first of equals, or the first NaN.
    ///
    /// # Errors
    /// If the axis does not exist or is empty.
    pub fn try_argmin(&self, axis: usize) -> Result<Expr> {
        self.mirrored()?.try_argmax(axis)
    }

    // Order reversed, exactly: −x, and −x − 1 for integers, of which the smallest has no negative.
    pub(super) fn mirrored(&self) -> Result<Expr> {
        let negative = self.try_unary(crate::Unary::Neg)?;
        Ok(if self.dtype() == DType::I64 { negative.offset(-1.0) } else { negative })
    }

    /// Elements along `axis` in order, NaN last.
    ///
    /// # Errors
    /// If the axis does not exist.
    pub fn try_sort(&self, axis: usize, descending: bool) -> Result<Expr> {
        Expr::apply(Sort { axis, descending }, std::slice::from_ref(self))
    }

    /// The i64 permutation that puts elements along `axis` in order: stable, NaN last.
    ///
    /// # Errors
    /// If the axis does not exist.
    pub fn try_argsort(&self, axis: usize, descending: bool) -> Result<Expr> {
        Expr::apply(ArgSort { axis, descending }, std::slice::from_ref(self))
    }

    /// The `k` largest elements along `axis`, largest first, and their i64 indices.
    ///
    /// # Errors
    /// If the axis does not exist or is shorter than `k`.
    pub fn try_top_k(&self, axis: usize, k: usize) -> Result<(Expr, Expr)> {
        let n = axis_size("top_k", axis, std::slice::from_ref(self))?;
        if k > n {
            return shape_error("top_k", format!("axis {axis} does not have {k} elements"), std::slice::from_ref(self));
        }
        let indices = self.try_argsort(axis, true)?.slice_axis(axis, 0, k);
        Ok((self.try_take_along_axis(axis, &indices)?, indices))
    }

    /// The `q`-quantile along `axis`, which vanishes unless `keep`: element `q·(n − 1)` in order, interpolated linearly
    /// between its neighbours (type 7 of Hyndman and Fan 1996, the default of NumPy and PyTorch).
    ///
    /// # Errors
    /// If the axis does not exist or is empty, or `q` is not in `[0, 1]`.
    pub fn try_quantile(&self, q: f64, axis: usize, keep: bool) -> Result<Expr> {
        same_float("quantile", std::slice::from_ref(self))?;
        let n = axis_size("quantile", axis, std::slice::from_ref(self))?;
        if n == 0 || !(0.0..=1.0).contains(&q) {
            let reason = format!("needs elements along axis {axis} and 0 ≤ q ≤ 1, not {q}");
            return shape_error("quantile", reason, std::slice::from_ref(self));
        }
        let place = q * (n - 1) as f64;
        let (below, weight) = (place.floor() as usize, place - place.floor());
        let sorted = self.try_sort(axis, false)?;
        let element = |i: usize| sorted.slice_axis(axis, i, i + 1);
        let (low, high) = (element(below), element((below + 1).min(n - 1)));
        low.add(&high.sub(&low).scale(weight)).drop_axes(&[axis], keep)
    }
}
