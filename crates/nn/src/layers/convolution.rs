//! Convolutions.

use super::Layers;
use perturb_graph::{Conv, Expr, Shape};

impl Layers {
    /// Convolution of `x [N, C, spatial…]` with `out` kernels of the given window, one, two or three axes long, and a
    /// bias: `weight [out, C/groups, window…]`.
    ///
    /// # Panics
    /// If the windows or groups do not fit.
    #[track_caller]
    pub fn conv(&self, x: &Expr, out: usize, window: &[usize], conv: Conv) -> Expr {
        let shape = [&[out, x.shape()[1] / conv.groups.max(1)], window].concat();
        self.conv_without_bias(x, out, window, conv).add(&per_channel(&self.bias(out, &shape), x.rank()))
    }

    /// [`Layers::conv`] without a bias.
    ///
    /// # Panics
    /// See [`Layers::conv`].
    #[track_caller]
    pub fn conv_without_bias(&self, x: &Expr, out: usize, window: &[usize], conv: Conv) -> Expr {
        let shape = [&[out, x.shape()[1] / conv.groups.max(1)], window].concat();
        x.conv(&self.weight(&shape), conv)
    }

    /// Convolution of sequences `x [N, C, T]` with a bias.
    ///
    /// # Panics
    /// See [`Layers::conv`].
    #[track_caller]
    pub fn conv1d(&self, x: &Expr, out: usize, window: usize, conv: Conv) -> Expr {
        self.conv(x, out, &[window], conv)
    }

    /// Convolution of images `x [N, C, H, W]` with `out` square kernels and a bias.
    ///
    /// # Panics
    /// See [`Layers::conv`].
    #[track_caller]
    pub fn conv2d(&self, x: &Expr, out: usize, window: usize, conv: Conv) -> Expr {
        self.conv(x, out, &[window, window], conv)
    }

    /// Transposed convolution of `x [N, C, spatial…]` with `weight [C, out/groups, window…]` and a bias; with a stride of
    /// `s`, a window of `s` and no padding it enlarges `s` times.
    ///
    /// # Panics
    /// If the windows or groups do not fit.
    #[track_caller]
    pub fn conv_transpose(&self, x: &Expr, out: usize, window: &[usize], conv: Conv) -> Expr {
        let shape = [&[x.shape()[1], out / conv.groups.max(1)], window].concat();
        let result = x.try_conv_transpose(&self.weight(&shape), &conv, &[]).unwrap_or_else(|e| panic!("{e}"));
        result.add(&per_channel(&self.bias(out, &shape), x.rank()))
    }
}

/// `[C]` as `[C, 1, …]`, which broadcasts over the spatial axes of `[N, C, spatial…]` of rank `rank`.
pub(super) fn per_channel(vector: &Expr, rank: usize) -> Expr {
    let ones = std::iter::repeat_n(1, rank.saturating_sub(2));
    vector.reshape(std::iter::once(vector.shape()[0]).chain(ones).collect::<Shape>())
}
