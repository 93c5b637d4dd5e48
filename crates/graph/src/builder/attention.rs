//! Scaled dot-product attention.

use crate::op::{same_float, shape_error};
use crate::{DType, Expr, Result, Tensor};

// A score that no softmax sees beside others, and finite, so that a row without any other score stays a distribution.
const MASKED: f64 = -1e30;

panicking! {
    attention, try_attention(keys: &Expr, values: &Expr, mask: Option<&Expr>) -> Expr;
}

impl Expr {
    /// `softmax(q·kᵀ/√d)·v` (Vaswani et al. 2017, eq. 1) of the queries `[…, t, d]`, keys `[…, s, d]` and values
    /// `[…, s, e]`: `[…, t, e]`. Leading axes broadcast. Where `mask` (0 or 1, broadcast to `[…, t, s]`) is 0, a query
    /// does not see a key; a query that sees none gets the mean of the values.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn try_attention(&self, keys: &Expr, values: &Expr, mask: Option<&Expr>) -> Result<Expr> {
        if self.rank() < 2 || keys.rank() < 2 || values.rank() < 2 {
            let operands = [self.clone(), keys.clone(), values.clone()];
            return shape_error("attention", "queries, keys and values must be matrices", &operands);
        }
        same_float("attention", &[self.clone(), keys.clone(), values.clone()])?;
        let last = keys.rank() - 1;
        let width = self.shape()[self.rank() - 1] as f64;
        let mut scores = self.scale(1.0 / width.sqrt()).try_matmul(&keys.move_axis(last, last - 1))?;
        if let Some(mask) = mask {
            let hidden = mask.try_equal(&mask.like(0.0))?;
            scores = scores.try_masked_fill(&hidden, MASKED)?;
        }
        scores.softmax(scores.rank() - 1).try_matmul(values)
    }

    /// The mask `[t, s]` by which query `i` sees keys `0..=i + s − t`: each the past of its own position, where the last
    /// query stands at the last key.
    pub fn causal_mask(t: usize, s: usize, dtype: DType) -> Expr {
        let seen = |i: usize, j: usize| f64::from(u8::from(j + t <= i + s));
        let values = (0..t).flat_map(|i| (0..s).map(move |j| seen(i, j))).collect();
        Expr::constant(Tensor::from_f64([t, s], dtype, values).expect("one value for each pair"))
    }
}
