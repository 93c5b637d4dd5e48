//! Shallow classifiers of MNIST: softmax regression, and a network of radial basis functions.

use super::subjects::CLASSES;
use crate::RunError;
use crate::training::perceptron;
use perturb_graph::{DType, Expr, Graph, Tensor};
use perturb_nn::{Initializer, Layers, flatten};

/// Logits linear in the pixels.
pub(super) fn softmax(seed: u64) -> Result<Graph, RunError> {
    let x = Expr::input("image", [1, 1, 28, 28], DType::F32);
    let logits = perceptron(&x, &[], CLASSES, seed);
    Ok(Graph::new(vec![x], vec![("logits".into(), logits)])?)
}

/// Logits linear in `exp(−‖x − c‖²/(2·25))` for the first 500 training examples c.
pub(super) fn radial(train: &Tensor, seed: u64) -> Result<Graph, RunError> {
    const CENTRES: usize = 500;
    let x = Expr::input("image", [1, 1, 28, 28], DType::F32);
    let centres = train.rows(0, CENTRES).reshape([CENTRES, 784])?;
    let squares: Vec<f32> =
        centres.as_slice::<f32>().chunks_exact(784).map(|c| c.iter().map(|v| v * v).sum()).collect();
    let (centres, squares) = (Expr::constant(centres), Expr::constant(Tensor::new([1, CENTRES], squares)?));
    let flat = flatten(&x);
    let own = flat.square().reduce_sum(&[1], true);
    let distances = flat.matmul(&centres.transpose(&[1, 0])).scale(-2.0).add(&own).add(&squares);
    let features = distances.scale(-1.0 / 50.0).exp();
    let logits = Layers::new(Initializer::he(seed)).at("fc").linear(&features, CLASSES);
    Ok(Graph::new(vec![x], vec![("logits".into(), logits)])?)
}
