//! Networks to attack: those of the benchmark's integer recipe, random ones, linear ones.

use perturb_graph::{Conv, DType, Expr, Graph, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Uniform in [-scale, scale): value k is `(x_{k+1} >> 40) / 2²³ − 1` of a 64-bit LCG with `x_0 = seed`.
pub fn lcg(seed: u64, shape: &[usize], scale: f64) -> Tensor {
    let mut x = seed;
    let mut next = || {
        x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((x >> 40) as f64 / 8388608.0 - 1.0) as f32 * scale as f32
    };
    Tensor::new(shape, (0..shape.iter().product()).map(|_| next()).collect()).unwrap()
}

/// Weights of layer parameter `seed`, within √(3 / fan-in); `shape` has the outputs first, as in PyTorch.
fn weights(seed: u64, shape: &[usize]) -> Expr {
    let fan_in: usize = shape[1..].iter().product();
    Expr::param("weight", lcg(seed, shape, (3.0 / fan_in as f64).sqrt()))
}

fn linear(x: &Expr, seed: u64, outputs: usize) -> Expr {
    x.matmul(&weights(seed, &[outputs, x.shape()[1]]).transpose(&[1, 0]))
}

fn classifier(input: Expr, logits: Expr) -> Graph {
    Graph::new(vec![input], vec![("logits".into(), logits)]).unwrap()
}

/// 784-256-256-10. Seeds count biases too, which are zero.
pub fn mlp() -> Graph {
    let x = Expr::input("x", [1, 1, 28, 28], DType::F32);
    let h = linear(&x.reshape([1, 784]), 1, 256).relu();
    let h = linear(&h, 3, 256).relu();
    classifier(x, linear(&h, 5, 10))
}

/// Three 3×3 convolutions, the last two with stride 2, and two dense layers.
pub fn cnn() -> Graph {
    let x = Expr::input("x", [1, 1, 28, 28], DType::F32);
    let conv = |x: &Expr, seed, shape: &[usize], stride| {
        let spec = Conv { strides: vec![stride; 2], padding: vec![(1, 1); 2], ..Conv::unit(2) };
        x.try_conv(&weights(seed, shape), &spec).unwrap().relu()
    };
    let h = conv(&x, 100, &[32, 1, 3, 3], 1);
    let h = conv(&h, 102, &[64, 32, 3, 3], 2);
    let h = conv(&h, 104, &[64, 64, 3, 3], 2);
    let h = linear(&h.reshape([1, 64 * 7 * 7]), 106, 128).relu();
    classifier(x, linear(&h, 108, 10))
}

/// One 3×3 convolution and a dense layer on 8×8 images.
pub fn small_cnn() -> Graph {
    let x = Expr::input("x", [1, 1, 8, 8], DType::F32);
    let h = x.try_conv(&weights(200, &[6, 1, 3, 3]), &Conv::unit(2)).unwrap().relu();
    classifier(x, linear(&h.reshape([1, 216]), 201, 5))
}

/// A random network `shape → 24 → 5` with ReLU and biases.
pub fn random(seed: u64, shape: &[usize]) -> Graph {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |shape: &[usize], scale: f32| {
        let values = (0..shape.iter().product()).map(|_| rng.random_range(-scale..scale)).collect();
        Expr::param("weight", Tensor::new(shape, values).unwrap())
    };
    let width: usize = shape.iter().product();
    let x = Expr::input("x", [&[1], shape].concat(), DType::F32);
    let h = x.reshape([1, width]).matmul(&draw(&[width, 24], 0.5)).add(&draw(&[24], 0.3)).relu();
    classifier(x, h.matmul(&draw(&[24, 5], 0.5)).add(&draw(&[5], 0.3)))
}

/// Logits `W·x + b`, with the rows of `weights`.
pub fn affine(weights: &[Vec<f32>], bias: &[f32]) -> Graph {
    let (classes, width) = (weights.len(), weights[0].len());
    let x = Expr::input("x", [1, width], DType::F32);
    let w = Expr::param("weight", Tensor::new([classes, width], weights.concat()).unwrap());
    let b = Expr::param("bias", Tensor::new([classes], bias.to_vec()).unwrap());
    classifier(x.clone(), x.matmul(&w.transpose(&[1, 0])).add(&b))
}

/// `count` examples of `shape`, uniform in [lo, hi).
pub fn examples(seed: u64, count: usize, shape: &[usize], lo: f32, hi: f32) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let shape = [&[count], shape].concat();
    let values = (0..shape.iter().product()).map(|_| rng.random_range(lo..hi)).collect();
    Tensor::new(shape, values).unwrap()
}
