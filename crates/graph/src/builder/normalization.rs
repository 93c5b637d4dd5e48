//! Normalisation by the statistics of each example.

use crate::op::shape_error;
use crate::{Expr, Result, Shape};

panicking! {
    layer_norm, try_layer_norm(axes: &[usize], epsilon: f64) -> Expr;
    rms_norm, try_rms_norm(axes: &[usize], epsilon: f64) -> Expr;
    group_norm, try_group_norm(groups: usize, epsilon: f64) -> Expr;
    instance_norm, try_instance_norm(epsilon: f64) -> Expr;
}

impl Expr {
    /// Zero mean and unit variance over `axes` together: `(x − mean)/√(variance + epsilon)` (Ba et al. 2016). Scale and
    /// shift are the caller's to apply.
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    pub fn try_layer_norm(&self, axes: &[usize], epsilon: f64) -> Result<Expr> {
        let centred = self.try_sub(&self.try_reduce_mean(axes, true)?)?;
        let variance = centred.square().try_reduce_mean(axes, true)?;
        centred.try_div(&variance.offset(epsilon).sqrt())
    }

    /// Unit mean square over `axes` together: `x/√(mean x² + epsilon)` (Zhang and Sennrich 2019).
    ///
    /// # Errors
    /// If an axis does not exist or is named twice.
    pub fn try_rms_norm(&self, axes: &[usize], epsilon: f64) -> Result<Expr> {
        self.try_div(&self.try_mul(self)?.try_reduce_mean(axes, true)?.offset(epsilon).sqrt())
    }

    /// [`Expr::try_layer_norm`] of each group of channels of `[N, C, spatial…]` (Wu and He 2018).
    ///
    /// # Errors
    /// If there are no channels or the groups do not divide them.
    pub fn try_group_norm(&self, groups: usize, epsilon: f64) -> Result<Expr> {
        if self.rank() < 2 || groups == 0 || !self.shape()[1].is_multiple_of(groups) {
            let reason = format!("needs [N, C, spatial…] with channels in {groups} equal groups");
            return shape_error("group_norm", reason, std::slice::from_ref(self));
        }
        let (n, c) = (self.shape()[0], self.shape()[1]);
        let grouped: Shape = [n, groups, c / groups].into_iter().chain(self.shape()[2..].iter().copied()).collect();
        let axes: Vec<usize> = (2..grouped.len()).collect();
        self.try_reshape(&grouped)?.try_layer_norm(&axes, epsilon)?.try_reshape(self.shape())
    }

    /// [`Expr::try_layer_norm`] of each channel of `[N, C, spatial…]` (Ulyanov et al. 2016).
    ///
    /// # Errors
    /// If there are no channels.
    pub fn try_instance_norm(&self, epsilon: f64) -> Result<Expr> {
        if self.rank() < 3 {
            return shape_error("instance_norm", "needs [N, C, spatial…]", std::slice::from_ref(self));
        }
        self.try_layer_norm(&(2..self.rank()).collect::<Vec<_>>(), epsilon)
    }
}
