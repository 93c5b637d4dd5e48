//! Running sums, products and other associative operations.

use crate::op::{axis_size, same_float, shape_error};
use crate::{CumSum, Expr, Result};

panicking! {
    cumsum, try_cumsum(axis: usize, exclusive: bool, reverse: bool) -> Expr;
    cumprod, try_cumprod(axis: usize) -> Expr;
    cummax, try_cummax(axis: usize) -> Expr;
    logcumsumexp, try_logcumsumexp(axis: usize) -> Expr;
}

impl Expr {
    /// Running sum along `axis`: without the element itself if `exclusive`, from the end if `reverse`.
    ///
    /// # Errors
    /// If the axis does not exist.
    pub fn try_cumsum(&self, axis: usize, exclusive: bool, reverse: bool) -> Result<Expr> {
        Expr::apply(CumSum { axis, exclusive, reverse }, std::slice::from_ref(self))
    }

    /// Element `i` along `axis` of each result is that of `elements[0] ∘ … ∘ elements[i]`, where `combine` gives `a ∘ b`
    /// elementwise along the axis and is associative. Takes ⌈log₂ n⌉ combinations of whole tensors (Hillis and Steele
    /// 1986): a linear recurrence, for instance, as pairs `(a, b) ∘ (c, d) = (a·c, c·b + d)`.
    ///
    /// # Errors
    /// If the elements do not share the axis' size, or `combine` does not return as many of the same shapes.
    pub fn associative_scan(
        elements: &[Expr],
        axis: usize,
        combine: impl Fn(&[Expr], &[Expr]) -> Result<Vec<Expr>>,
    ) -> Result<Vec<Expr>> {
        let mut sizes = elements.iter().map(|e| axis_size("associative_scan", axis, std::slice::from_ref(e)));
        let n = sizes.next().transpose()?.unwrap_or(0);
        if sizes.any(|s| s.ok() != Some(n)) {
            return shape_error("associative_scan", format!("axis {axis} must have one size"), elements);
        }
        let mut running = elements.to_vec();
        let mut reach = 1;
        while reach < n {
            let cut = |from: usize, to: usize| -> Vec<Expr> {
                running.iter().map(|x| x.slice_axis(axis, from, to)).collect()
            };
            let (first, later) = (cut(0, reach), cut(reach, n));
            let combined = combine(&cut(0, n - reach), &later)?;
            if combined.len() != later.len() || combined.iter().zip(&later).any(|(c, l)| c.shape() != l.shape()) {
                return shape_error("associative_scan", "combining must keep number and shapes", &combined);
            }
            let joined = first.into_iter().zip(combined).map(|(f, c)| Expr::try_concat(&[f, c], axis));
            running = joined.collect::<Result<_>>()?;
            reach *= 2;
        }
        Ok(running)
    }

    fn running(&self, axis: usize, combine: impl Fn(&Expr, &Expr) -> Result<Expr>) -> Result<Expr> {
        let pair = |a: &[Expr], b: &[Expr]| Ok(vec![combine(&a[0], &b[0])?]);
        Ok(Expr::associative_scan(std::slice::from_ref(self), axis, pair)?.remove(0))
    }

    /// Running product along `axis`.
    ///
    /// # Errors
    /// If the axis does not exist.
    pub fn try_cumprod(&self, axis: usize) -> Result<Expr> {
        self.running(axis, Expr::try_mul)
    }

    /// Running maximum along `axis`.
    ///
    /// # Errors
    /// If the axis does not exist.
    pub fn try_cummax(&self, axis: usize) -> Result<Expr> {
        self.running(axis, Expr::try_maximum)
    }

    /// Logarithm of the running sum of eˣ along `axis`, without overflow.
    ///
    /// # Errors
    /// If the axis does not exist or the type is not a floating-point type.
    pub fn try_logcumsumexp(&self, axis: usize) -> Result<Expr> {
        same_float("logcumsumexp", std::slice::from_ref(self))?;
        self.running(axis, |a, b| {
            let largest = a.try_maximum(b)?.finite_shift();
            Ok(a.sub(&largest).exp().add(&b.sub(&largest).exp()).log().add(&largest))
        })
    }
}
