//! Normalisation.

use super::{Layers, convolution::per_channel};
use crate::Init;
use perturb_graph::Expr;

const EPSILON: f64 = 1e-5;

impl Layers {
    /// Layer normalisation over the last axis (Ba et al. 2016), with a scale of 1 and a shift of 0 to start with.
    ///
    /// # Panics
    /// If `x` is a scalar.
    #[track_caller]
    pub fn layer_norm(&self, x: &Expr) -> Expr {
        let (axis, width) = (x.rank() - 1, x.shape()[x.rank() - 1]);
        let (scale, shift) = self.affine(width);
        x.layer_norm(&[axis], EPSILON).mul(&scale).add(&shift)
    }

    /// Division by the root mean square over the last axis (Zhang and Sennrich 2019), with a scale.
    ///
    /// # Panics
    /// If `x` is a scalar.
    #[track_caller]
    pub fn rms_norm(&self, x: &Expr) -> Expr {
        let (axis, width) = (x.rank() - 1, x.shape()[x.rank() - 1]);
        x.rms_norm(&[axis], EPSILON).mul(&self.parameter("weight", [width], Init::Constant(1.0)))
    }

    /// Group normalisation of `x [N, C, spatial…]` (Wu and He 2018), with a scale and a shift for each channel.
    ///
    /// # Panics
    /// If the groups do not divide the channels.
    #[track_caller]
    pub fn group_norm(&self, x: &Expr, groups: usize) -> Expr {
        self.per_channel_affine(&x.group_norm(groups, EPSILON))
    }

    /// Instance normalisation of `x [N, C, spatial…]` (Ulyanov et al. 2016), with a scale and a shift for each channel
    /// (PyTorch: `affine=True`).
    ///
    /// # Panics
    /// If there are no channels.
    #[track_caller]
    pub fn instance_norm(&self, x: &Expr) -> Expr {
        self.per_channel_affine(&x.instance_norm(EPSILON))
    }

    /// Batch normalisation of `x [N, C, spatial…]` (Ioffe and Szegedy 2015) with PyTorch's momentum of 0.1. In training
    /// mode by the batch's mean and biased variance, while the running statistics move towards its mean and unbiased
    /// variance; in evaluation mode by those.
    ///
    /// # Panics
    /// If there are no channels, or in training mode just one value for each.
    #[track_caller]
    pub fn batch_norm(&self, x: &Expr) -> Expr {
        const MOMENTUM: f64 = 0.1;
        let channels = x.shape()[1];
        let (mean, variance) =
            (self.state("running_mean", [channels], 0.0), self.state("running_var", [channels], 1.0));
        let normalised = if self.is_training() {
            let axes: Vec<usize> = (0..x.rank()).filter(|&a| a != 1).collect();
            let count: usize = axes.iter().map(|&a| x.shape()[a]).product();
            assert!(count > 1, "batch norm cannot train on one value for each channel: use a larger batch");
            let seen = x.stop_gradient();
            let towards = |state: &Expr, value: Expr| {
                let next = self.latest(state).scale(1.0 - MOMENTUM).add(&value.scale(MOMENTUM));
                self.push_update(state, next);
            };
            towards(&mean, seen.reduce_mean(&axes, false));
            towards(&variance, seen.variance(&axes, 1, false));
            x.layer_norm(&axes, EPSILON)
        } else {
            // State has no gradient: it is no parameter to be trained.
            let (mean, variance) = (mean.stop_gradient(), variance.stop_gradient());
            let inverse = variance.offset(EPSILON).sqrt().reciprocal();
            x.sub(&per_channel(&mean, x.rank())).mul(&per_channel(&inverse, x.rank()))
        };
        self.per_channel_affine(&normalised)
    }

    fn affine(&self, width: usize) -> (Expr, Expr) {
        let scale = self.parameter("weight", [width], Init::Constant(1.0));
        (scale, self.parameter("bias", [width], Init::Constant(0.0)))
    }

    fn per_channel_affine(&self, x: &Expr) -> Expr {
        let (scale, shift) = self.affine(x.shape()[1]);
        x.mul(&per_channel(&scale, x.rank())).add(&per_channel(&shift, x.rank()))
    }
}
