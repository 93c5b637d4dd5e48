//! Features that depend on a condition.

use super::Layers;
use perturb_graph::{Expr, Shape};

impl Layers {
    /// Feature-wise linear modulation (Perez et al. 2018) of `x [N, C, spatial…]` by `condition [N, d]`: `x·(1 + γ) + β`
    /// for each channel, with `(γ, β)` a linear map of the condition.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn film(&self, x: &Expr, condition: &Expr) -> Expr {
        let channels = x.shape()[1];
        let both = self.linear(condition, 2 * channels);
        let ones = std::iter::repeat_n(1, x.rank() - 2);
        let shape: Shape = [x.shape()[0], channels].into_iter().chain(ones).collect();
        let part = |k: usize| both.slice_axis(1, k * channels, (k + 1) * channels).reshape(&shape);
        x.mul(&part(0).offset(1.0)).add(&part(1))
    }
}
