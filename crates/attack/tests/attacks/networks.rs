//! Networks to attack: small ones by the integer recipe, random ones, linear ones.

use perturb_graph::{Conv, DType, Expr, Graph, Tensor};
use perturb_nn::recipe;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Weights of layer parameter `seed`, within √(3 / fan-in); `shape` has the outputs first, as in PyTorch.
fn weights(seed: u64, shape: &[usize]) -> Expr {
    let fan_in: usize = shape[1..].iter().product();
    Expr::param("weight", recipe(seed, shape, (3.0 / fan_in as f64).sqrt()))
}

fn linear(x: &Expr, seed: u64, outputs: usize) -> Expr {
    x.matmul(&weights(seed, &[outputs, x.shape()[1]]).transpose(&[1, 0]))
}

fn classifier(input: Expr, logits: Expr) -> Graph {
    Graph::new(vec![input], vec![("logits".into(), logits)]).unwrap()
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

/// The linear part of a random classifier `width → 5`, of a tenth of whose inputs each run sees nothing.
pub fn dropping(seed: u64, width: usize) -> Graph {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values = (0..width * 5).map(|_| rng.random_range(-0.5..0.5f32)).collect();
    let weights = Expr::param("weight", Tensor::new([width, 5], values).unwrap());
    let (x, key) = (Expr::input("x", [1, width], DType::F32), Expr::input("key", [2], DType::I64));
    let uniform = key.random_uniform([1, width], DType::F32);
    let kept = uniform.greater_equal(&uniform.like(0.1));
    let logits = x.mul(&kept).matmul(&weights);
    Graph::new(vec![x, key], vec![("logits".into(), logits)]).unwrap()
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
