//! Random small networks of one input.

use crate::samples::layer_norm;
use perturb_graph::{Conv, DType, Expr, Pool, Shape, Tensor};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A network and its input.
pub struct Net {
    pub name: &'static str,
    pub input: Expr,
    pub output: Expr,
}

const HIDDEN: usize = 5;

/// Weights with a spread of `1/√fan_in`, representable in `f32`.
pub fn weights(rng: &mut ChaCha8Rng, shape: impl Into<Shape>, dtype: DType) -> Expr {
    let shape = shape.into();
    let fan_in = shape.iter().product::<usize>() / shape.last().copied().unwrap_or(1);
    let spread = 2.0 / (fan_in.max(1) as f64).sqrt();
    let values = (0..shape.count()).map(|_| f64::from((rng.random_range(-1.0..1.0) * spread) as f32)).collect();
    Expr::constant(Tensor::from_f64(shape, dtype, values).unwrap())
}

fn dense(rng: &mut ChaCha8Rng, x: &Expr, outputs: usize) -> Expr {
    let inputs = x.shape()[x.rank() - 1];
    x.matmul(&weights(rng, [inputs, outputs], x.dtype())).add(&weights(rng, [outputs], x.dtype()))
}

type Activation = fn(&Expr) -> Expr;

fn twice(activation: Activation) -> [Activation; 2] {
    [activation; 2]
}

fn mlp(rng: &mut ChaCha8Rng, x: &Expr, activations: &[Activation]) -> Expr {
    let mut h = x.clone();
    for activation in activations {
        h = activation(&dense(rng, &h, HIDDEN));
    }
    dense(rng, &h, 3)
}

fn convolutional(rng: &mut ChaCha8Rng, x: &Expr) -> Expr {
    let channels = |rng: &mut ChaCha8Rng, h: &Expr, out: usize| {
        let kernel = weights(rng, [out, h.shape()[1], 3, 3], h.dtype()).scale(0.4);
        let bias = weights(rng, [out, 1, 1], h.dtype());
        h.conv(&kernel, Conv::same()).add(&bias)
    };
    let h = channels(rng, x, 2).relu();
    let block = channels(rng, &h, 2).relu();
    let h = h.add(&block).max_pool(Pool::square(2, 2));
    dense(rng, &h.reshape([1, 8]), 2)
}

const KINDS: usize = 20;

/// Network number `i`: kinds take turns, weights are random.
pub fn random(rng: &mut ChaCha8Rng, i: usize, dtype: DType) -> Net {
    let shape: Shape = if i % KINDS >= 18 { [1, 1, 4, 4].into() } else { [1, 4].into() };
    let x = Expr::input("x", shape, dtype);
    let (name, output) = match i % KINDS {
        0 => ("relu", mlp(rng, &x, &twice(Expr::relu))),
        1 => ("deep relu", mlp(rng, &x, &[Expr::relu as Activation; 3])),
        2 => ("tanh", mlp(rng, &x, &twice(Expr::tanh))),
        3 => ("sigmoid", mlp(rng, &x, &twice(|h| h.scale(2.0).sigmoid()))),
        4 => ("abs", mlp(rng, &x, &twice(Expr::abs))),
        5 => ("exp", mlp(rng, &x, &twice(|h| h.scale(0.5).exp()))),
        6 => ("erf", mlp(rng, &x, &twice(Expr::erf))),
        7 => ("gelu", mlp(rng, &x, &twice(Expr::gelu))),
        8 => ("silu and softplus", mlp(rng, &x, &[Expr::silu, Expr::softplus])),
        9 => ("leaky relu and elu", mlp(rng, &x, &[|h| h.leaky_relu(0.2), |h| h.elu(1.0)])),
        10 => ("clip", mlp(rng, &x, &twice(|h| h.clip(-0.5, 0.7)))),
        11 => ("sine and square", mlp(rng, &x, &[Expr::sin, Expr::square])),
        12 => {
            let (a, b) = (dense(rng, &x, HIDDEN).tanh(), dense(rng, &x, HIDDEN).relu());
            ("product of branches", dense(rng, &a.mul(&b), 3))
        }
        13 => ("softmax", mlp(rng, &x, &[Expr::relu]).softmax(1)),
        14 => ("layer norm", mlp(rng, &x, &[|h| layer_norm(h).relu()])),
        15 => {
            let (a, b) = (dense(rng, &x, HIDDEN), dense(rng, &x, HIDDEN).tanh());
            ("maximum and minimum", dense(rng, &a.maximum(&b).minimum(&a.scale(-1.0)), 3))
        }
        16 => {
            let h = dense(rng, &x, 6).reshape([2, 3]);
            ("reduce_max and roots", h.reduce_max(&[1], true).sub(&h).offset(0.5).sqrt())
        }
        17 => {
            let (q, k, v) = (dense(rng, &x, 6), dense(rng, &x, 6), dense(rng, &x, 6));
            let [q, k, v] = [q, k, v].map(|t| t.reshape([2, 3]));
            ("attention", q.matmul(&k.transpose(&[1, 0])).scale(0.5).softmax(1).matmul(&v))
        }
        _ => ("convolutional", convolutional(rng, &x)),
    };
    Net { name, input: x, output }
}
