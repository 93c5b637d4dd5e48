//! Affine maps and look-up tables.

use super::Layers;
use crate::Init;
use perturb_graph::Expr;

impl Layers {
    /// `x […, in] → x·Wᵀ + b […, out]`, with `weight [out, in]` and `bias [out]`.
    ///
    /// # Panics
    /// If `x` is a scalar, or the weight exists with another shape.
    #[track_caller]
    pub fn linear(&self, x: &Expr, out: usize) -> Expr {
        let product = self.linear_without_bias(x, out);
        product.add(&self.bias(out, &[out, x.shape()[x.rank() - 1]]))
    }

    /// `x […, in] → x·Wᵀ […, out]`, with `weight [out, in]`.
    ///
    /// # Panics
    /// See [`Layers::linear`].
    #[track_caller]
    pub fn linear_without_bias(&self, x: &Expr, out: usize) -> Expr {
        let weight = self.weight(&[out, x.shape()[x.rank() - 1]]);
        x.matmul(&weight.transpose(&[1, 0]))
    }

    /// Layers `widths` wide, named by their places 0, 1, …, with `activation` between them and none after the last.
    ///
    /// # Panics
    /// See [`Layers::linear`].
    #[track_caller]
    pub fn mlp(&self, x: &Expr, widths: &[usize], activation: impl Fn(&Expr) -> Expr) -> Expr {
        widths.iter().enumerate().fold(x.clone(), |h, (k, &width)| {
            let input = if k == 0 { h } else { activation(&h) };
            self.at(k.to_string()).linear(&input, width)
        })
    }

    /// Rows of `weight [count, width]` for i64 `indices […]`: `[…, width]`. Rows start out standard normal, as PyTorch's
    /// do; see [`Layers::embedding_with`]. An index outside of `0..count` is an error of the run.
    ///
    /// # Panics
    /// If the indices are not i64.
    #[track_caller]
    pub fn embedding(&self, indices: &Expr, count: usize, width: usize) -> Expr {
        self.embedding_with(indices, count, width, Init::Normal(1.0))
    }

    /// [`Layers::embedding`] with other initial rows.
    ///
    /// # Panics
    /// If the indices are not i64.
    #[track_caller]
    pub fn embedding_with(&self, indices: &Expr, count: usize, width: usize, init: Init) -> Expr {
        self.parameter("weight", [count, width], init).gather(0, indices)
    }
}
