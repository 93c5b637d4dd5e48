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

    /// `x [N, in] → x·Wᵀ + b [N, out]`.
    pub fn linear(&mut self, x: &Expr, out: usize) -> Expr {
        let (weight, bias) = self.pair("linear", &[out, x.shape()[x.rank() - 1]]);
        x.matmul(&weight.transpose(&[1, 0])).add(&bias)
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
