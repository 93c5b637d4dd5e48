//! Classifiers of images with certificates in ℓ2, from a Lipschitz bound or, without one, from what bounds them best.

use super::sandwich_layers::CLASSES;
use crate::training::perceptron;
use crate::{Run, RunError};
use perturb_certify::lipschitz::{Activation, LbdnSequential, Parameterization, certified_radius};
use perturb_certify::{Certifier, Method, Region, Settings};
use perturb_data::{LoadOptions, load};
use perturb_graph::{DType, Expr, Graph, Norm, Tensor};
use perturb_nn::{Adam, Cosine, Evaluator, Examples, Hook, Initializer, Layers, Parameters, Shuffled, Step, Trainer};
use std::sync::Arc;

const BATCH: usize = 100;
/// Bound of the classifiers that have one.
const GAMMA: f64 = 1.0;
/// What networks with a bound are trained for.
#[derive(Clone, Copy)]
pub(super) struct Goal {
    /// ℓ2 radius of the certificates.
    pub radius: f64,
    /// Temperature of the cross-entropy, and the margin that it asks for, as multiples of the margin that certifies.
    pub temperature: f64,
    pub margin: f64,
}

/// Images with blocks of 2×2 pixels averaged and doubled, which is 1-Lipschitz: radii are those of the whole image.
pub(super) struct Images {
    /// `[N, 1, pixels]`.
    train: Tensor,
    train_labels: Vec<usize>,
    test: Tensor,
    test_labels: Vec<usize>,
}

/// Shares of the test images.
pub(super) struct Shares {
    pub right: f64,
    pub certified: f64,
}

impl Images {
    pub fn mnist(run: &Run) -> Result<Images, RunError> {
        let files = ["train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz"];
        Images::load(run, "mnist", files, run.scaled([8000, 2000], [60_000, 10_000]))
    }

    pub fn cifar(run: &Run) -> Result<Images, RunError> {
        Images::load(run, "cifar10", ["train_10k.bin.gz", "test_2k.bin.gz"], run.scaled([10_000, 1000], [10_000, 2000]))
    }

    fn load(run: &Run, set: &str, files: [&str; 2], limits: [usize; 2]) -> Result<Images, RunError> {
        let folder = run.data(set)?;
        let part = |file: &str, limit| -> Result<(Tensor, Vec<usize>), RunError> {
            let options = LoadOptions { limit: Some(limit), ..LoadOptions::default() };
            let data = load(&folder.join(file), &options)?;
            let labels = data.labels.ok_or_else(|| RunError::Measurement(format!("{file} has no labels")))?;
            Ok((halved(&data.inputs)?, labels))
        };
        let (train, train_labels) = part(files[0], limits[0])?;
        let (test, test_labels) = part(files[1], limits[1])?;
        Ok(Images { train, train_labels, test, test_labels })
    }

    fn image(&self) -> Expr {
        Expr::input("image", [1, self.train.shape()[2]], DType::F32)
    }

    /// Of a network of two hidden layers with a Lipschitz bound, certified by it.
    pub fn bounded(
        &self,
        run: &Run,
        (parameterization, width): (Parameterization, usize),
        goal: Goal,
        hook: &dyn Hook,
    ) -> Result<Shares, RunError> {
        let network = LbdnSequential {
            widths: vec![width, width, CLASSES],
            gamma: GAMMA,
            activation: Activation::Relu,
            parameterization,
        };
        let x = self.image();
        let logits = network.build(&Layers::new(Initializer::he(run.seed)), &x)?;
        let graph = Graph::new(vec![x], vec![("logits".into(), logits)])?;
        let mut step = Step::classifier(&graph, BATCH)?;
        let (logits, targets) = (step.named("logits")?, step.named("targets")?);
        let certifying = std::f64::consts::SQRT_2 * GAMMA * goal.radius;
        let shifted = logits.sub(&targets.scale(goal.margin * certifying));
        let shifted = shifted.scale(1.0 / (goal.temperature * certifying));
        step.minimize(shifted.cross_entropy(&targets));
        step.apply(hook)?;
        let graph = self.fit(run, step, &graph, 0.01)?;
        let margins = self.margins(&graph)?;
        Ok(Shares {
            right: share(&margins, |m| m > 0.0),
            certified: share(&margins, |m| certified_radius(m, GAMMA) > goal.radius),
        })
    }

    /// Of a perceptron of two hidden layers of `width`, trained by cross-entropy and certified by CROWN.
    pub fn unconstrained(&self, run: &Run, width: usize, radius: f64) -> Result<Shares, RunError> {
        let x = self.image();
        let logits = perceptron(&x, &[width, width], CLASSES, run.seed);
        let graph = Graph::new(vec![x], vec![("logits".into(), logits)])?;
        let graph = self.fit(run, Step::classifier(&graph, BATCH)?, &graph, 0.002)?;
        let clean = self.margins(&graph)?;
        let certifier = Certifier::new(&graph, Method::Crown, Settings { norm: Norm::L2, ..Settings::default() })?;
        let certified = certifier.margins(&self.test, &self.test_labels, &Region::from(radius))?;
        Ok(Shares { right: share(&clean, |m| m > 0.0), certified: share(&certified, |m| m > 0.0) })
    }

    fn fit(&self, run: &Run, step: Step, graph: &Graph, learning_rate: f64) -> Result<Graph, RunError> {
        let examples = Examples::labelled(self.train.clone(), &self.train_labels, CLASSES)?;
        let trainer = Trainer {
            epochs: run.scaled(8, 20),
            seed: run.seed,
            schedule: Arc::new(Cosine::default()),
            ..Trainer::with(Adam { learning_rate, ..Adam::default() })
        };
        let trained = trainer.fit(step, &Shuffled::new(examples, BATCH)?, &mut [])?;
        Ok(trained.parameters.bind(graph)?)
    }

    /// How far the logit of the label is above the others.
    fn margins(&self, graph: &Graph) -> Result<Vec<f64>, RunError> {
        let batched = graph.vmap(BATCH)?;
        let evaluator = Evaluator::new(&batched.inputs, &batched.output_exprs())?;
        let examples = Examples::new(batched.inputs[0].name().unwrap_or("image"), self.test.clone())?;
        let logits = evaluator.outputs(&Parameters::of(graph), &examples)?.remove(0).to_f64_vec();
        let margins = logits.chunks_exact(CLASSES).zip(&self.test_labels).map(|(z, &y)| {
            let others = (0..CLASSES).filter(|&j| j != y).map(|j| z[j]);
            z[y] - others.fold(f64::NEG_INFINITY, f64::max)
        });
        Ok(margins.collect())
    }
}

fn share(margins: &[f64], of: impl Fn(f64) -> bool) -> f64 {
    margins.iter().filter(|m| of(**m)).count() as f64 / margins.len() as f64
}

/// Images `[N, …, H, W]`, also without channels, as `[N, 1, C·H/2·W/2]`.
fn halved(images: &Tensor) -> Result<Tensor, RunError> {
    let shape = images.shape();
    let (n, h, w) = (shape[0], shape[shape.len() - 2], shape[shape.len() - 1]);
    let pixels = shape.count() / n / 4;
    let mut rows = Vec::with_capacity(n * pixels);
    for plane in images.as_slice::<f32>().chunks_exact(h * w) {
        for (i, j) in (0..h / 2).flat_map(|i| (0..w / 2).map(move |j| (i, j))) {
            let at = |di: usize, dj: usize| plane[(2 * i + di) * w + 2 * j + dj];
            rows.push((at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 2.0);
        }
    }
    Ok(Tensor::new([n, 1, pixels], rows)?)
}
