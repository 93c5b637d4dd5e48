//! Attention and transformer blocks.

use super::{Layers, rotary};
use perturb_graph::Expr;

// A score that no softmax sees beside others, and finite, so that a row without any other score stays a distribution.
const MASKED: f64 = -1e30;

/// How a sequence attends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    /// Number of heads, which divides the width.
    pub heads: usize,
    /// Whether a position sees only itself and those before it.
    pub causal: bool,
    /// Whether queries and keys are rotated by their positions, see [`rotary`].
    pub rotary: bool,
    /// Share of what a block adds that dropout takes away in training.
    pub dropout: f64,
}

impl Attention {
    /// Every position sees every other.
    pub fn full(heads: usize) -> Attention {
        Attention { heads, causal: false, rotary: false, dropout: 0.0 }
    }

    /// A position sees only itself and those before it.
    pub fn causal(heads: usize) -> Attention {
        Attention { causal: true, ..Attention::full(heads) }
    }
}

impl Layers {
    /// Self-attention of `x [N, T, width]` (Vaswani et al. 2017, §3.2.2): `qkv` makes queries, keys and values, `proj`
    /// joins the heads (timm's names; of its rows, `qkv` has all heads' queries first, then keys, then values, as
    /// PyTorch's `in_proj_weight`).
    ///
    /// # Panics
    /// If the heads do not divide the width.
    #[track_caller]
    pub fn self_attention(&self, x: &Expr, attention: &Attention) -> Expr {
        let (t, width) = (x.shape()[1], x.shape()[2]);
        let joint = self.at("qkv").linear(x, 3 * width);
        let [queries, keys, values] = split_heads(&joint, attention.heads);
        let turned = |e: Expr| if attention.rotary { rotary(&e) } else { e };
        let mask = attention.causal.then(|| Expr::causal_mask(t, t, x.dtype()));
        let mixed = self.attend(&turned(queries), &turned(keys), &values, mask.as_ref());
        self.at("proj").linear(&join_heads(&mixed), width)
    }

    /// Attention of the queries `x [N, T, width]` to `context [N, S, context_width]`: `q` makes queries, `kv` keys and
    /// values, `proj` joins the heads. Where `mask [N, S]` is 0, the context is not seen.
    ///
    /// # Panics
    /// If the heads do not divide the width.
    #[track_caller]
    pub fn cross_attention(&self, x: &Expr, context: &Expr, heads: usize, mask: Option<&Expr>) -> Expr {
        let width = x.shape()[2];
        let [queries] = split_heads(&self.at("q").linear(x, width), heads);
        let [keys, values] = split_heads(&self.at("kv").linear(context, 2 * width), heads);
        let mask = mask.map(|m| m.reshape([m.shape()[0], 1, 1, m.shape()[1]]));
        let mixed = self.attend(&queries, &keys, &values, mask.as_ref());
        self.at("proj").linear(&join_heads(&mixed), width)
    }

    // Scaled dot-product attention (eq. 1) as [`Expr::attention`] is, with its inner values recorded.
    fn attend(&self, queries: &Expr, keys: &Expr, values: &Expr, mask: Option<&Expr>) -> Expr {
        let depth = queries.shape()[3] as f64;
        let scores = queries.scale(1.0 / depth.sqrt()).matmul(&keys.transpose(&[0, 1, 3, 2]));
        let seen = match mask {
            Some(mask) => scores.masked_fill(&mask.equal(&mask.like(0.0)).broadcast_to(scores.shape()), MASKED),
            None => scores,
        };
        let probabilities = self.tap("scores", seen).softmax(3);
        self.tap("probabilities", probabilities).matmul(values)
    }

    /// A pre-norm transformer block of `x [N, T, width]`: `x + attn(norm1(x))`, then `+ mlp(norm2(·))`, where `mlp` is
    /// `fc1` to four times the width, GELU and `fc2` back.
    ///
    /// # Panics
    /// If the heads do not divide the width.
    #[track_caller]
    pub fn transformer_block(&self, x: &Expr, attention: &Attention) -> Expr {
        let width = x.shape()[x.rank() - 1];
        let mixed = self.at("attn").self_attention(&self.at("norm1").layer_norm(x), attention);
        let x = x.add(&self.dropout(&mixed, attention.dropout));
        let mlp = self.at("mlp");
        let inner = mlp.at("fc1").linear(&self.at("norm2").layer_norm(&x), 4 * width).gelu();
        x.add(&self.dropout(&mlp.at("fc2").linear(&inner, width), attention.dropout))
    }
}

// [N, T, parts·heads·d] as `PARTS` times [N, heads, T, d].
#[track_caller]
fn split_heads<const PARTS: usize>(joint: &Expr, heads: usize) -> [Expr; PARTS] {
    let (n, t, width) = (joint.shape()[0], joint.shape()[1], joint.shape()[2]);
    assert!(heads > 0 && width % (PARTS * heads) == 0, "{heads} heads do not divide a width of {}", width / PARTS);
    let depth = width / PARTS / heads;
    let apart = joint.reshape([n, t, PARTS, heads, depth]).transpose(&[2, 0, 3, 1, 4]);
    std::array::from_fn(|k| apart.slice_axis(0, k, k + 1).reshape([n, heads, t, depth]))
}

fn join_heads(x: &Expr) -> Expr {
    let (n, heads, t, depth) = (x.shape()[0], x.shape()[1], x.shape()[2], x.shape()[3]);
    x.transpose(&[0, 2, 1, 3]).reshape([n, t, heads * depth])
}
