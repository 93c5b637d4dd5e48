//! The workloads.

use crate::CliError;
use perturb::attack::{Attack, Ball, Classifier, Criterion, DeepFool, Pgd, Seed};
use perturb::certify::{Certifier, Method, Region, Settings};
use perturb::engine::{Executable, Options};
use perturb::explain::{Attribution, IntegratedGradients, Model};
use perturb::graph::{DType, Expr, Graph, Interval, Norm, Rounding, Tensor, grad, interval, jvp, vmap};
use perturb::nn::{Adam, peers, recipe, updates};
use std::time::Instant;

/// A prepared workload: each call does the work once and returns the check value (NaN where there is none).
pub type Work = Box<dyn FnMut() -> Result<f64, CliError>>;

/// What is known about a prepared workload beside its time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Effort {
    /// Floating-point operations of matrix products and convolutions in one call; 0 if unknown.
    pub flops: u64,
    /// Bytes that kernels read and write in one call; 0 if unknown.
    pub bytes: u64,
    /// Time to compile the graph, in milliseconds.
    pub compile_ms: f64,
}

impl Effort {
    fn compile(&mut self, outputs: &[Expr], inputs: &[Expr], state: &[(Expr, Expr)]) -> Result<Executable, CliError> {
        let start = Instant::now();
        let executable = Executable::compile_with_state(outputs, inputs, state, &Options::default())?;
        self.compile_ms += start.elapsed().as_secs_f64() * 1e3;
        self.flops += executable.statistics().flops;
        self.bytes += executable.statistics().moved_bytes;
        Ok(executable)
    }

    // The effort of `times` values and input gradients of `n` examples, which an attack or explanation asks for.
    fn gradients(&mut self, graph: &Graph, n: usize, times: u64) -> Result<(), CliError> {
        let (x, logits) = batched(graph, n)?;
        let gradient = grad(&logits, std::slice::from_ref(&x))?.remove(0);
        let mut one = Effort::default();
        one.compile(&[logits, gradient], &[x], &[])?;
        self.compile_ms += one.compile_ms;
        self.flops += times * one.flops;
        self.bytes += times * one.bytes;
        Ok(())
    }
}

/// A workload by name.
pub struct Workload {
    /// Name, as in the peers' script.
    pub name: &'static str,
    /// Prepares it.
    pub build: fn(&mut Effort) -> Result<Work, CliError>,
}

/// All workloads.
pub const WORKLOADS: &[Workload] = &[
    Workload { name: "forward-cnn-b64", build: forward_cnn },
    Workload { name: "input-grad-mlp-b1", build: input_gradient_mlp },
    Workload { name: "train-step-cnn-b128-adam", build: train_cnn },
    Workload { name: "train-step-transformer-b16-t64-d128-l4", build: train_transformer },
    Workload { name: "pgd40-linf-cnn-b128", build: pgd },
    Workload { name: "pgd40-linf-cnn-b128-torchattacks", build: pgd },
    Workload { name: "deepfool-cnn-b64", build: deepfool },
    Workload { name: "integrated-gradients50-cnn-b16", build: integrated_gradients },
    Workload { name: "crown-mlp-b16-eps0.02", build: |e| crown(e, &peers::mlp(), 16) },
    Workload { name: "crown-cnn-b4-eps0.02", build: |e| crown(e, &peers::cnn(), 4) },
    Workload { name: "ibp-train-step-cnn-b128", build: train_by_intervals },
    Workload { name: "hessian-vector-product-mlp-b64", build: hessian_vector_product },
    Workload { name: "per-example-param-grads-mlp-b64", build: per_example_gradients },
    Workload { name: "pinn-poisson-step-mlp64x4-n1024", build: train_field },
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

// Outputs that are written into again and again.
fn targets(outputs: &[Expr]) -> Vec<Tensor> {
    outputs.iter().map(|o| Tensor::full(o.shape().clone(), 0.0f32)).collect()
}

fn forward_cnn(effort: &mut Effort) -> Result<Work, CliError> {
    let (x, logits) = batched(&peers::cnn(), 64)?;
    let mut out = targets(&[logits.clone()]);
    let exe = effort.compile(&[logits], &[x], &[])?;
    let images = signed_images(64)?;
    Ok(Box::new(move || {
        exe.run_into(&[&images], &mut out)?;
        Ok(magnitude(&out))
    }))
}

fn input_gradient_mlp(effort: &mut Effort) -> Result<Work, CliError> {
    let (x, logits) = batched(&peers::mlp(), 1)?;
    let gradient = grad(&logits.cross_entropy(&one_hot([3].into_iter())?), std::slice::from_ref(&x))?;
    let mut out = targets(&gradient);
    let exe = effort.compile(&gradient, &[x], &[])?;
    let images = signed_images(1)?;
    Ok(Box::new(move || {
        exe.run_into(&[&images], &mut out)?;
        Ok(magnitude(&out))
    }))
}

// One step of Adam on `loss` with parameters and moments in the plan.
fn train(effort: &mut Effort, loss: Expr, params: &[Expr], x: Expr, feed: Tensor) -> Result<Work, CliError> {
    let state = updates(&Adam::default(), params, &grad(&loss, params)?);
    let initial: Vec<Tensor> = state.iter().filter_map(|(variable, _)| variable.value().cloned()).collect();
    let mut out = targets(std::slice::from_ref(&loss));
    let mut session = effort.compile(&[loss], &[x], &state)?.session(&initial)?;
    Ok(Box::new(move || {
        session.run_into(&[&feed], &mut out)?;
        if out[0].as_slice::<f32>()[0].is_finite() {
            Ok(f64::NAN)
        } else {
            Err(CliError::Usage("the loss is not finite".into()))
        }
    }))
}

fn train_cnn(effort: &mut Effort) -> Result<Work, CliError> {
    let graph = peers::cnn();
    let (x, logits) = batched(&graph, 128)?;
    let loss = logits.cross_entropy(&one_hot((0..128).map(|i| i % 10))?).reduce_mean(&[0], false);
    train(effort, loss, &graph.params(), x, signed_images(128)?)
}

fn train_transformer(effort: &mut Effort) -> Result<Work, CliError> {
    let graph = peers::transformer();
    let batch = graph.vmap(16)?;
    let (x, y) = (batch.inputs[0].clone(), batch.outputs[0].1.clone());
    let loss = y.square().reduce_mean(&(0..y.rank()).collect::<Vec<_>>(), false);
    train(effort, loss, &graph.params(), x.clone(), recipe(7, x.shape().clone(), 1.0))
}

// Certified training (Gowal et al. 2018): the cross-entropy of the worst logits in the ℓ∞ ball of radius 0.1.
fn train_by_intervals(effort: &mut Effort) -> Result<Work, CliError> {
    let graph = peers::cnn();
    let (x, logits) = batched(&graph, 128)?;
    let ball = Interval { lo: x.offset(-0.1), hi: x.offset(0.1) };
    let bounds = interval(&[logits], &[(x.clone(), ball)], Rounding::Nearest).remove(0);
    let targets = one_hot((0..128).map(|i| i % 10))?;
    let worst = Expr::select(&targets, &bounds.lo, &bounds.hi);
    let loss = worst.cross_entropy(&targets).reduce_mean(&[0], false);
    train(effort, loss, &graph.params(), x, unit_images(128)?)
}

// Δu + sin(x)·sin(y) = 0 by its squared residual at 1024 points (Raissi et al. 2019).
fn train_field(effort: &mut Effort) -> Result<Work, CliError> {
    let graph = peers::field();
    let (x, u) = (graph.inputs[0].clone(), graph.outputs[0].1.clone());
    let second = |axis: usize| -> Result<Expr, CliError> {
        let mut direction = vec![0.0f32; 2];
        direction[axis] = 1.0;
        let tangent = Some(Expr::constant(Tensor::new([1, 2], direction)?));
        let along = |y: &Expr| jvp(std::slice::from_ref(y), std::slice::from_ref(&x), std::slice::from_ref(&tangent));
        let first = along(&u).remove(0).unwrap_or_else(|| u.like(0.0));
        Ok(along(&first).remove(0).unwrap_or_else(|| u.like(0.0)))
    };
    let source = x.slice_axis(1, 0, 1).sin().mul(&x.slice_axis(1, 1, 2).sin());
    let residual = second(0)?.add(&second(1)?).add(&source);
    let points = Expr::input("points", x.shape().prepend(1024), DType::F32);
    let residuals = vmap(&[residual], &[(x, points.clone())], 1024)?.remove(0);
    let loss = residuals.square().reduce_mean(&[0, 1, 2], false);
    train(effort, loss, &graph.params(), points.clone(), recipe(7, points.shape().clone(), 1.0))
}

// An attack stops examples that it has finished, so its arithmetic is not known beforehand.
fn pgd(_effort: &mut Effort) -> Result<Work, CliError> {
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

fn deepfool(_effort: &mut Effort) -> Result<Work, CliError> {
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

fn integrated_gradients(effort: &mut Effort) -> Result<Work, CliError> {
    effort.gradients(&peers::cnn(), 32, 25)?;
    let model = Model::compile(&peers::cnn(), 32)?;
    let images = unit_images(16)?.reshape([16, 1, 28, 28])?;
    let method = IntegratedGradients { steps: 50, ..IntegratedGradients::default() };
    Ok(Box::new(move || Ok(magnitude(&[method.attribute(&model, &images, &[3; 16])?]))))
}

// Rounded to nearest, as the peer computes.
fn crown(effort: &mut Effort, graph: &Graph, n: usize) -> Result<Work, CliError> {
    let start = Instant::now();
    let settings = Settings { norm: Norm::Linf, rounding: Rounding::Nearest, batch: n, ..Settings::default() };
    let certifier = Certifier::new(graph, Method::Crown, settings)?;
    effort.compile_ms = start.elapsed().as_secs_f64() * 1e3;
    let images = unit_images(n)?;
    Ok(Box::new(move || {
        let bounds = certifier.bounds(&images, &Region::from(0.02))?;
        let widths = bounds.upper.as_slice::<f32>().iter().zip(bounds.lower.as_slice::<f32>());
        Ok(widths.map(|(u, l)| f64::from(u - l)).sum())
    }))
}

fn hessian_vector_product(effort: &mut Effort) -> Result<Work, CliError> {
    let graph = peers::mlp();
    let (x, logits) = batched(&graph, 64)?;
    let loss = logits.cross_entropy(&one_hot((0..64).map(|i| i % 10))?).reduce_mean(&[0], false);
    let params = graph.params();
    let vectors: Vec<Expr> = params.iter().map(|p| Expr::input("v", p.shape(), DType::F32)).collect();
    let gradient = grad(&loss, &params)?;
    let tangents: Vec<Option<Expr>> = vectors.iter().cloned().map(Some).collect();
    let product: Vec<Expr> = jvp(&gradient, &params, &tangents).into_iter().flatten().collect();
    let inputs: Vec<Expr> = std::iter::once(x).chain(params.iter().cloned()).chain(vectors).collect();
    let mut out = targets(&product);
    let exe = effort.compile(&product, &inputs, &[])?;
    let images = signed_images(64)?;
    let values: Vec<Tensor> = params.iter().filter_map(|p| p.value().cloned()).collect();
    let directions: Vec<Tensor> =
        params.iter().enumerate().map(|(k, p)| recipe(900 + k as u64, p.shape().clone(), 1.0)).collect();
    Ok(Box::new(move || {
        let feeds: Vec<&Tensor> = std::iter::once(&images).chain(&values).chain(&directions).collect();
        exe.run_into(&feeds, &mut out)?;
        Ok(magnitude(&out))
    }))
}

// The gradients are written out, as the peer's are; their squares are summed by the same plan.
fn per_example_gradients(effort: &mut Effort) -> Result<Work, CliError> {
    let graph = peers::mlp();
    let (x, logits) = (graph.inputs[0].clone(), graph.outputs[0].1.clone());
    let target = Expr::input("target", [1, 10], DType::F32);
    let params = graph.params();
    let gradients = grad(&logits.cross_entropy(&target), &params)?;
    let images = Expr::input("images", x.shape().prepend(64), DType::F32);
    let labels = one_hot((0..64).map(|i| i % 10))?.reshape([64, 1, 10]);
    let mut all = vmap(&gradients, &[(x, images.clone()), (target, labels)], 64)?;
    let squares: Vec<Expr> =
        all.iter().map(|g| g.square().reduce_sum(&(1..g.rank()).collect::<Vec<_>>(), false)).collect();
    all.extend(squares);
    let inputs: Vec<Expr> = std::iter::once(images).chain(params.iter().cloned()).collect();
    let mut out = targets(&all);
    let exe = effort.compile(&all, &inputs, &[])?;
    let feed = signed_images(64)?;
    let values: Vec<Tensor> = params.iter().filter_map(|p| p.value().cloned()).collect();
    let first = params.len();
    Ok(Box::new(move || {
        let feeds: Vec<&Tensor> = std::iter::once(&feed).chain(&values).collect();
        exe.run_into(&feeds, &mut out)?;
        Ok(magnitude(&out[first..]))
    }))
}
