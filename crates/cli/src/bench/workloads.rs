//! The workloads.

use crate::CliError;
use perturb::engine::{Executable, Options};
use perturb::graph::{DType, Expr, Graph, Tensor, grad, jvp, vmap};
use perturb::nn::{peers, recipe};

/// A prepared workload: each call does the work once and returns the check value (NaN where there is none).
pub type Work = Box<dyn FnMut() -> Result<f64, CliError>>;

/// A workload by name.
pub struct Workload {
    /// Name, as in the peers' script.
    pub name: &'static str,
    /// Prepares it.
    pub build: fn() -> Result<Work, CliError>,
}

/// All workloads.
pub const WORKLOADS: &[Workload] = &[
    Workload { name: "forward-cnn-b64", build: forward_cnn },
    Workload { name: "input-grad-mlp-b1", build: input_gradient_mlp },
    Workload { name: "hessian-vector-product-mlp-b64", build: hessian_vector_product },
    Workload { name: "per-example-param-grads-mlp-b64", build: per_example_gradients },
];

/// Inputs in `[−1, 1)` with the batch axis in front: `[n, 1, 1, 28, 28]`.
fn signed_images(n: usize) -> Result<Tensor, CliError> {
    Ok(recipe(7, [n, 1, 28, 28], 1.0).reshape([n, 1, 1, 28, 28])?)
}

fn one_hot(labels: impl ExactSizeIterator<Item = usize>) -> Result<Expr, CliError> {
    let n = labels.len();
    let mut values = vec![0.0f32; n * 10];
    labels.enumerate().for_each(|(i, l)| values[i * 10 + l] = 1.0);
    Ok(Expr::constant(Tensor::new([n, 10], values)?))
}

fn magnitude(tensors: &[Tensor]) -> f64 {
    tensors.iter().flat_map(|t| t.as_slice::<f32>()).map(|v| f64::from(v.abs())).sum()
}

fn batched(graph: &Graph, n: usize) -> Result<(Expr, Expr), CliError> {
    let g = graph.vmap(n)?;
    let logits = g.outputs[0].1.try_reshape([n, 10])?;
    Ok((g.inputs[0].clone(), logits))
}

fn forward_cnn() -> Result<Work, CliError> {
    let (x, logits) = batched(&peers::cnn(), 64)?;
    let exe = Executable::compile(&[logits], &[x], &Options::default())?;
    let images = signed_images(64)?;
    Ok(Box::new(move || Ok(magnitude(&exe.run(&[&images])?))))
}

fn input_gradient_mlp() -> Result<Work, CliError> {
    let (x, logits) = batched(&peers::mlp(), 1)?;
    let gradient = grad(&logits.cross_entropy(&one_hot([3].into_iter())?), &[x.clone()])?;
    let exe = Executable::compile(&gradient, &[x], &Options::default())?;
    let images = signed_images(1)?;
    Ok(Box::new(move || Ok(magnitude(&exe.run(&[&images])?))))
}

fn hessian_vector_product() -> Result<Work, CliError> {
    let graph = peers::mlp();
    let (x, logits) = batched(&graph, 64)?;
    let loss = logits.cross_entropy(&one_hot((0..64).map(|i| i % 10))?).reduce_mean(&[0], false);
    let params = graph.params();
    let vectors: Vec<Expr> = params.iter().map(|p| Expr::input("v", p.shape(), DType::F32)).collect();
    let gradient = grad(&loss, &params)?;
    let tangents: Vec<Option<Expr>> = vectors.iter().cloned().map(Some).collect();
    let product: Vec<Expr> = jvp(&gradient, &params, &tangents).into_iter().flatten().collect();
    let inputs: Vec<Expr> = std::iter::once(x).chain(params.iter().cloned()).chain(vectors).collect();
    let exe = Executable::compile(&product, &inputs, &Options::default())?;
    let images = signed_images(64)?;
    let values: Vec<Tensor> = params.iter().filter_map(|p| p.value().cloned()).collect();
    let directions: Vec<Tensor> =
        params.iter().enumerate().map(|(k, p)| recipe(900 + k as u64, p.shape().clone(), 1.0)).collect();
    Ok(Box::new(move || {
        let feeds: Vec<&Tensor> = std::iter::once(&images).chain(&values).chain(&directions).collect();
        Ok(magnitude(&exe.run(&feeds)?))
    }))
}

fn per_example_gradients() -> Result<Work, CliError> {
    let graph = peers::mlp();
    let (x, logits) = (graph.inputs[0].clone(), graph.outputs[0].1.clone());
    let target = Expr::input("target", [1, 10], DType::F32);
    let params = graph.params();
    let gradients = grad(&logits.cross_entropy(&target), &params)?;
    let images = Expr::input("images", x.shape().prepend(64), DType::F32);
    let targets = one_hot((0..64).map(|i| i % 10))?.reshape([64, 1, 10]);
    let all = vmap(&gradients, &[(x, images.clone()), (target, targets)], 64)?;
    let inputs: Vec<Expr> = std::iter::once(images).chain(params.iter().cloned()).collect();
    let exe = Executable::compile(&all, &inputs, &Options::default())?;
    let feed = signed_images(64)?;
    let values: Vec<Tensor> = params.iter().filter_map(|p| p.value().cloned()).collect();
    Ok(Box::new(move || {
        let feeds: Vec<&Tensor> = std::iter::once(&feed).chain(&values).collect();
        let squares = exe.run(&feeds)?;
        Ok(squares.iter().flat_map(|t| t.as_slice::<f32>()).map(|&v| f64::from(v) * f64::from(v)).sum())
    }))
}
