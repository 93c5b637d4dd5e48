//! The workloads.

use crate::CliError;
use perturb::attack::{Attack, Ball, Classifier, Criterion, DeepFool, Pgd, Seed};
use perturb::certify::{Certifier, Method, Region, Settings};
use perturb::engine::{Executable, Options};
use perturb::explain::{Attribution, IntegratedGradients, Model};
use perturb::graph::{DType, Expr, Graph, Norm, Rounding, Tensor, grad, jvp, vmap};
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
    Workload { name: "pgd40-linf-cnn-b128", build: pgd },
    Workload { name: "deepfool-cnn-b64", build: deepfool },
    Workload { name: "integrated-gradients50-cnn-b16", build: integrated_gradients },
    Workload { name: "crown-mlp-b16-eps0.02", build: || crown(&peers::mlp(), 16) },
    Workload { name: "crown-cnn-b4-eps0.02", build: || crown(&peers::cnn(), 4) },
    Workload { name: "hessian-vector-product-mlp-b64", build: hessian_vector_product },
    Workload { name: "per-example-param-grads-mlp-b64", build: per_example_gradients },
];

/// Inputs in `[−1, 1)` with the batch axis in front: `[n, 1, 1, 28, 28]`.
fn signed_images(n: usize) -> Result<Tensor, CliError> {
    Ok(recipe(7, [n, 1, 28, 28], 1.0).reshape([n, 1, 1, 28, 28])?)
}

/// Inputs in `[0, 1)`.
fn unit_images(n: usize) -> Result<Tensor, CliError> {
    let images = signed_images(n)?;
    let values = images.as_slice::<f32>().iter().map(|v| (v + 1.0) / 2.0).collect();
    Ok(Tensor::new::<f32>(images.shape(), values)?)
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
    let gradient = grad(&logits.cross_entropy(&one_hot([3].into_iter())?), std::slice::from_ref(&x))?;
    let exe = Executable::compile(&gradient, &[x], &Options::default())?;
    let images = signed_images(1)?;
    Ok(Box::new(move || Ok(magnitude(&exe.run(&[&images])?))))
}

fn pgd() -> Result<Work, CliError> {
    let model = Classifier::new(&peers::cnn(), 128)?;
    let attack = Pgd { steps: 40, relative_step: 0.025, random_start: false, ..Pgd::default() };
    let ball = Ball::new(Norm::Linf, 0.1, (0.0, 1.0))?;
    let (images, labels) = (unit_images(128)?, (0..128).map(|i| i % 10).collect::<Vec<usize>>());
    Ok(Box::new(move || {
        let criterion = Criterion::Misclassify { labels: labels.clone() };
        attack.run(&model, &images, &criterion, &ball, &Seed::new(0, 0))?;
        Ok(f64::NAN)
    }))
}

fn deepfool() -> Result<Work, CliError> {
    let model = Classifier::new(&peers::cnn(), 64)?;
    let attack = DeepFool { steps: 20, candidates: Some(10), ..DeepFool::default() };
    let ball = Ball::unbounded(Norm::L2, (0.0, 1.0))?;
    let images = unit_images(64)?;
    let labels: Vec<usize> = model.predictions(&images)?.into_iter().map(|p| p.unwrap_or(0)).collect();
    Ok(Box::new(move || {
        let criterion = Criterion::Misclassify { labels: labels.clone() };
        attack.run(&model, &images, &criterion, &ball, &Seed::new(0, 0))?;
        Ok(f64::NAN)
    }))
}

fn integrated_gradients() -> Result<Work, CliError> {
    let model = Model::compile(&peers::cnn(), 32)?;
    let images = unit_images(16)?.reshape([16, 1, 28, 28])?;
    let method = IntegratedGradients { steps: 50, ..IntegratedGradients::default() };
    Ok(Box::new(move || Ok(magnitude(&[method.attribute(&model, &images, &[3; 16])?]))))
}

// Rounded to nearest, as the peer computes.
fn crown(graph: &Graph, n: usize) -> Result<Work, CliError> {
    let settings = Settings { norm: Norm::Linf, rounding: Rounding::Nearest, batch: n, ..Settings::default() };
    let certifier = Certifier::new(graph, Method::Crown, settings)?;
    let images = unit_images(n)?;
    Ok(Box::new(move || {
        let bounds = certifier.bounds(&images, &Region::from(0.02))?;
        let widths = bounds.upper.as_slice::<f32>().iter().zip(bounds.lower.as_slice::<f32>());
        Ok(widths.map(|(u, l)| f64::from(u - l)).sum())
    }))
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
