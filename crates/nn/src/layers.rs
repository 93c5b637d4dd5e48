//! Layers as functions over expressions, with named parameters.

use crate::Initializer;
use perturb_graph::{Conv, DType, Expr, Tensor};

/// Creates layers one after another; every weight gets a name and its own part of the initializer.
#[derive(Clone, Debug)]
pub struct Layers {
    initializer: Initializer,
    count: u64,
    layer: usize,
}

impl Layers {
    /// Starts at the first parameter.
    pub fn new(initializer: Initializer) -> Layers {
        Layers { initializer, count: 0, layer: 0 }
    }

    fn pair(&mut self, kind: &str, shape: &[usize]) -> (Expr, Expr) {
        let weight = Expr::param(format!("{kind}{}.weight", self.layer), self.initializer.weight(self.count, shape));
        let bias = Expr::param(format!("{kind}{}.bias", self.layer), Tensor::full([shape[0]], 0.0f32));
        self.count += 2;
        self.layer += 1;
        (weight, bias)
    }

    /// `x […, in] → x·Wᵀ + b […, out]`.
    pub fn linear(&mut self, x: &Expr, out: usize) -> Expr {
        let (weight, bias) = self.pair("linear", &[out, x.shape()[x.rank() - 1]]);
        x.matmul(&weight.transpose(&[1, 0])).add(&bias)
    }

    /// Layer normalisation over the last axis (Ba et al. 2016), with a scale of 1 and a shift of 0 to start with.
    pub fn layer_norm(&mut self, x: &Expr) -> Expr {
        let (axis, width) = (x.rank() - 1, x.shape()[x.rank() - 1]);
        let name = |part: &str| format!("norm{}.{part}", self.layer);
        let scale = Expr::param(name("weight"), Tensor::full([width], 1.0f32));
        let shift = Expr::param(name("bias"), Tensor::full([width], 0.0f32));
        self.count += 2;
        self.layer += 1;
        let centered = x.sub(&x.reduce_mean(&[axis], true));
        let variance = centered.square().reduce_mean(&[axis], true);
        centered.div(&variance.offset(1e-5).sqrt()).mul(&scale).add(&shift)
    }

    /// Self-attention of `x [N, T, width]` with `heads` heads and a projection (Vaswani et al. 2017, §3.2).
    ///
    /// # Panics
    /// If `heads` does not divide the width.
    pub fn self_attention(&mut self, x: &Expr, heads: usize) -> Expr {
        let (n, t, width) = (x.shape()[0], x.shape()[1], x.shape()[2]);
        let depth = width / heads;
        let joint = self.linear(x, 3 * width).reshape([n, t, 3, heads, depth]).transpose(&[2, 0, 3, 1, 4]);
        let part = |k: usize| joint.slice_axis(0, k, k + 1).reshape([n, heads, t, depth]);
        let (query, key, value) = (part(0), part(1), part(2));
        let scores = query.matmul(&key.transpose(&[0, 1, 3, 2])).scale(1.0 / (depth as f64).sqrt());
        let mixed = scores.softmax(3).matmul(&value);
        self.linear(&mixed.transpose(&[0, 2, 1, 3]).reshape([n, t, width]), width)
    }

    /// Convolution of `x [N, C, H, W]` with `out` square kernels and a bias.
    pub fn conv2d(&mut self, x: &Expr, out: usize, window: usize, conv: Conv) -> Expr {
        let (weight, bias) = self.pair("conv", &[out, x.shape()[1], window, window]);
        x.conv(&weight, conv).add(&bias.reshape([out, 1, 1]))
    }
}

/// Joins all axes but the first.
pub fn flatten(x: &Expr) -> Expr {
    let rest = x.shape()[1..].iter().product();
    x.reshape([x.shape()[0], rest])
}

/// An input of images `[N, C, H, W]` in f32.
pub(crate) fn images(shape: [usize; 4]) -> Expr {
    Expr::input("image", shape, DType::F32)
}
