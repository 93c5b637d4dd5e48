//! Residual blocks and U-Nets.

use super::Layers;
use crate::Init;
use perturb_graph::{Conv, Expr};

fn same(stride: usize) -> Conv {
    Conv { padding: vec![(1, 1); 2], ..Conv::default() }.stride(stride)
}

impl Layers {
    /// The basic block of a ResNet (He et al. 2016, fig. 2) on `x [N, C, H, W]`, with torchvision's names: two 3×3
    /// convolutions with batch norm, the first with `stride`, and a projection of `x` where size or channels change.
    ///
    /// # Panics
    /// If `x` is no batch of images.
    #[track_caller]
    pub fn residual_block(&self, x: &Expr, out: usize, stride: usize) -> Expr {
        let h = self.at("conv1").conv_without_bias(x, out, &[3, 3], same(stride));
        let h = self.at("bn1").batch_norm(&h).relu();
        let h = self.at("conv2").conv_without_bias(&h, out, &[3, 3], same(1));
        let h = self.at("bn2").batch_norm(&h);
        let shortcut = if stride == 1 && x.shape()[1] == out {
            x.clone()
        } else {
            let projection = self.at("downsample");
            let conv = Conv::default().stride(stride);
            projection.at("1").batch_norm(&projection.at("0").conv_without_bias(x, out, &[1, 1], conv))
        };
        h.add(&shortcut).relu()
    }

    /// The residual block of diffusion U-Nets (Ho et al. 2020) on `x [N, C, H, W]`: group norm, SiLU and convolution,
    /// twice, modulated between by `condition [N, d]`; the last convolution starts at 0.
    ///
    /// # Panics
    /// If the groups (at most 8, but no more than 4 channels in each) do not divide the channels.
    #[track_caller]
    pub fn conditional_block(&self, x: &Expr, out: usize, condition: Option<&Expr>) -> Expr {
        let groups = |channels: usize| (1..=8).rev().find(|g| channels.is_multiple_of(*g)).unwrap_or(1);
        let h = self.at("norm1").group_norm(x, groups(x.shape()[1])).silu();
        let h = self.at("conv1").conv2d(&h, out, 3, same(1));
        let h = self.at("norm2").group_norm(&h, groups(out));
        let h = condition.map_or_else(|| h.clone(), |c| self.at("film").film(&h, &c.silu())).silu();
        let h = self.at("conv2").init(Init::Constant(0.0)).conv2d(&h, out, 3, same(1));
        let skip = if x.shape()[1] == out { x.clone() } else { self.at("skip").conv2d(x, out, 1, Conv::default()) };
        h.add(&skip)
    }

    /// A U-Net (Ronneberger et al. 2015) of [`Layers::conditional_block`]s on `x [N, C, H, W]`: one block `widths[k]`
    /// wide at each resolution on the way down and up, half the size from each to the next, and skips between. Returns
    /// `[N, out, H, W]`.
    ///
    /// # Panics
    /// If there are no widths, or a size to be halved is odd.
    #[track_caller]
    pub fn unet(&self, x: &Expr, out: usize, widths: &[usize], condition: Option<&Expr>) -> Expr {
        let mut h = self.at("stem").conv2d(x, widths[0], 3, same(1));
        let mut skips = Vec::new();
        for (k, &width) in widths.iter().enumerate() {
            let level = self.at(format!("down.{k}"));
            if k > 0 {
                assert!(h.shape()[2..].iter().all(|s| s % 2 == 0), "a size of {} cannot be halved", h.shape());
                h = level.at("halve").conv2d(&h, width, 3, same(2));
            }
            h = level.at("block").conditional_block(&h, width, condition);
            skips.push(h.clone());
        }
        h = self.at("middle").conditional_block(&h, h.shape()[1], condition);
        for (k, &width) in widths.iter().enumerate().rev() {
            let level = self.at(format!("up.{k}"));
            h = level.at("block").conditional_block(&Expr::concat(&[h, skips[k].clone()], 1), width, condition);
            if k > 0 {
                h = level.at("double").conv2d(&doubled(&h), widths[k - 1], 3, same(1));
            }
        }
        let h = self.at("norm").layer_norm_channels(&h).silu();
        self.at("head").conv2d(&h, out, 3, same(1))
    }

    // Group norm with one group.
    fn layer_norm_channels(&self, x: &Expr) -> Expr {
        self.group_norm(x, 1)
    }
}

// Every pixel four times.
fn doubled(x: &Expr) -> Expr {
    let [n, c, h, w] = std::array::from_fn(|a| x.shape()[a]);
    x.reshape([n, c, h, 1, w, 1]).broadcast_to([n, c, h, 2, w, 2]).reshape([n, c, 2 * h, 2 * w])
}
