//! Small models whose explanations are known, and inputs for them.

use perturb_explain::Model;
use perturb_graph::{Conv, DType, Expr, Graph, Shape, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Uniform values in [−1, 1).
pub fn uniform(seed: u64, shape: impl Into<Shape>) -> Tensor {
    let (shape, mut rng) = (shape.into(), ChaCha8Rng::seed_from_u64(seed));
    let values = (0..shape.count()).map(|_| rng.random_range(-1.0..1.0f32)).collect();
    Tensor::new(shape, values).unwrap()
}

pub fn graph(shape: &[usize], f: impl FnOnce(&Expr) -> Expr) -> Graph {
    let x = Expr::input("x", Shape::from(shape).prepend(1), DType::F32);
    let logits = f(&x);
    Graph::new(vec![x], vec![("logits".into(), logits)]).unwrap()
}

/// Logits x·W with W `[elements, classes]`; the input has the given shape.
pub fn linear(shape: &[usize], weights: &Tensor, batch: usize) -> Model {
    let elements = shape.iter().product::<usize>();
    let f = |x: &Expr| x.reshape([1, elements]).matmul(&Expr::param("w", weights.clone()));
    Model::compile(&graph(shape, f), batch).unwrap()
}

/// Column `class` of W `[elements, classes]`.
pub fn column(weights: &Tensor, class: usize) -> Vec<f64> {
    let classes = weights.shape()[1];
    weights.to_f64_vec().into_iter().skip(class).step_by(classes).collect()
}

/// A tanh network 8 → 16 → 3.
pub fn tanh_network(batch: usize) -> Model {
    let f = |x: &Expr| {
        let hidden = x.matmul(&Expr::param("w", uniform(21, [8, 16]))).tanh();
        hidden.matmul(&Expr::param("v", uniform(22, [16, 3])))
    };
    Model::compile(&graph(&[8], f), batch).unwrap()
}

/// A convolutional network [2, 9, 9] → 5 whose dense layers are large enough to be split over threads.
pub fn convolutional_graph() -> Graph {
    graph(&[2, 9, 9], |x| {
        let x = x.conv(&Expr::param("k", uniform(31, [16, 2, 3, 3])), Conv::unit(2)).relu().reshape([1, 784]);
        let x = x.matmul(&Expr::param("w", uniform(32, [784, 300]))).scale(0.05).relu();
        x.matmul(&Expr::param("v", uniform(33, [300, 5])))
    })
}

pub fn convolutional(batch: usize) -> Model {
    Model::compile(&convolutional_graph(), batch).unwrap()
}

pub fn rows(tensor: &Tensor) -> Vec<Vec<f64>> {
    let width: usize = tensor.shape()[1..].iter().product();
    tensor.to_f64_vec().chunks(width).map(<[f64]>::to_vec).collect()
}

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
