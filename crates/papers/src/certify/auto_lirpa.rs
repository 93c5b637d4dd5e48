//! Automatic Perturbation Analysis for Scalable Certified Robustness and Beyond (Xu et al. 2020).
//!
//! Claim: linear bounds of any graph, in terms of perturbed inputs or weights; loss fusion makes their cost in training
//! independent of the number of classes; bounds over perturbed weights train networks with flat optima. Method: linear
//! bounds, by backward walks, and training with them. Baselines: intervals and training with those, a walk for each
//! class, and plain training. MNIST at half its size, ε = 0.1 in the halved pixels.
//!
//! The paper's forward mode, which carries linear bounds from the inputs on, is not built here and not compared with. Cost
//! is the number of floating-point operations of the matrix products of a loss and its gradient, not a time.

use super::digits::{CLASSES, Digits, PIXELS};
use super::random_graphs::RandomGraph;
use crate::curves::mean_curve;
use crate::training::{Fit, perceptron};
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::{Attack, Ball, Classifier, Criterion, Loss, Pgd, Seed};
use perturb_certify::train::{Bounded, CrownIbpLoss, IbpLoss, WeightLoss, fused_cross_entropy, linear_margins};
use perturb_certify::{Certifier, Method, Region, Settings};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Domain, Expr, Graph, Norm, Tensor, grad, vmap};
use perturb_nn::{Hook, Ramp, Step};
use perturb_report::chart::{Hue, LineChart, Marker, Sample, Series};

pub struct AutoLirpa;

const LINEAR: &str = "linear bounds";
const INTERVALS: &str = "intervals";
const EACH: &str = "a walk for each class";
const PLAIN: &str = "plain training";

const RISE: Quantity = Quantity::positive("rise of the loss under the worst change of weights by 1%");
const ERROR: Quantity = Quantity::share("verified error");
const CLEAN: Quantity = Quantity::share("accuracy");
const TIGHTER: Quantity = Quantity::share("outputs that linear bounds hold tighter");
const GROWTH: Quantity = Quantity::positive("cost with 200 classes, in terms of that with 10");
const ESCAPES: Quantity = Quantity::positive("values of random graphs outside of their bounds");
const INEXACT: Quantity = Quantity::positive("error of the bounds of affine graphs");
const EXCEEDED: Quantity = Quantity::positive("images on which an attack exceeds the bound of the loss");

const EPSILON: f64 = 0.1;
const BATCH: usize = 100;
/// Largest relative change of a weight.
const CHANGE: f64 = 0.01;
/// Images whose bounds are compared, and radii of the figure.
const COMPARED: usize = 50;
const RADII: [f64; 6] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1];
/// Radius at which outputs are compared.
const TIGHT: f64 = 0.02;

/// Ways to bound, with their curves in the figure.
const METHODS: [(&str, Method, Hue, Marker); 4] = [
    ("IBP", Method::Ibp, Hue::Sky, Marker::Square),
    ("CROWN-IBP", Method::CrownIbp, Hue::Green, Marker::Diamond),
    ("CROWN", Method::Crown, Hue::Blue, Marker::Triangle),
    ("α-CROWN", Method::AlphaCrown { steps: 20 }, Hue::Vermillion, Marker::Circle),
];

impl Reproduction for AutoLirpa {
    fn slug(&self) -> &'static str {
        "auto-lirpa"
    }

    fn claim(&self) -> Claim {
        let level = |quantity: Quantity, arm| Estimator::Level(quantity.of(arm));
        Claim {
            method: LINEAR,
            baselines: &[INTERVALS, EACH, PLAIN],
            seeds: 3,
            preconditions: vec![level(CLEAN, PLAIN).at_least(0.9)],
            rules: vec![
                Estimator::Ratio(RISE.of(LINEAR), RISE.of(PLAIN)).at_most(0.7),
                Estimator::Difference(ERROR.of(LINEAR), ERROR.of(INTERVALS)).at_most(0.01),
                level(TIGHTER, INTERVALS).at_least(0.95),
                level(GROWTH, LINEAR).at_most(1.3),
                level(GROWTH, EACH).at_least(5.0),
                Estimator::Largest(ESCAPES.of(LINEAR)).at_most(0.0),
                Estimator::Largest(INEXACT.of(LINEAR)).at_most(1e-10),
                Estimator::Largest(EXCEEDED.of(LINEAR)).at_most(0.0),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        run.progress(0.0, "random graphs");
        random_graphs(run, &mut found)?;
        run.progress(0.15, "cost of losses");
        for (arm, bounded) in [(LINEAR, Bounded::Loss), (EACH, Bounded::Margins)] {
            found.record(GROWTH.of(arm), cost(bounded, 200)? / cost(bounded, 10)?)?;
        }
        let data = Digits::load(run)?;
        let study = Study { run, data: &data };
        run.progress(0.2, "certified training");
        let network = study.network()?;
        let crown_ibp = CrownIbpLoss::ramped(&network, EPSILON, 0.1, 0.6, Bounded::Margins);
        let epochs = run.scaled(20, 60);
        let robust = study.fit(&network, epochs, &crown_ibp)?;
        found.record(ERROR.of(LINEAR), study.verified_error(&robust)?)?;
        found.record(EXCEEDED.of(LINEAR), study.exceeded(&robust)?)?;
        run.progress(0.6, "interval training");
        let by_intervals = study.fit(&network, epochs, &IbpLoss::ramped(EPSILON, 0.1, 0.6))?;
        found.record(ERROR.of(INTERVALS), study.verified_error(&by_intervals)?)?;
        run.progress(0.7, "flat optima");
        let epochs = run.scaled(10, 30);
        let plain = study.fit(&network, epochs, &|_: &mut Step| Ok(()))?;
        let relative = Ramp { from: 0.0, to: CHANGE, start: 0.1, end: 0.6 };
        let flat = study.fit(&network, epochs, &WeightLoss { network: network.clone(), relative })?;
        for (arm, network) in [(LINEAR, &flat), (PLAIN, &plain)] {
            found.record(CLEAN.of(arm), study.accuracy(network)?)?;
            found.record(RISE.of(arm), study.rise(network)?)?;
        }
        run.progress(0.9, "widths");
        let tighter = study.widths(&plain, &mut found)?;
        found.record(TIGHTER.of(INTERVALS), tighter)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let series: Vec<Series> = METHODS
            .iter()
            .map(|&(name, _, hue, marker)| {
                let logarithm = |p: Sample| Sample {
                    x: p.x.log10(),
                    y: p.y.log10(),
                    interval: None,
                    note: format!("{name}, ε = {}: {:.3}", p.x, p.y),
                };
                let points = mean_curve(seeds, &format!("width by {name}")).into_iter().map(logarithm).collect();
                Series { name: name.into(), points, hue, marker, dashed: false, bold: false }
            })
            .collect();
        let heights = series.iter().flat_map(|s| &s.points).map(|p| p.y);
        let (low, high) = heights.fold((0.0f64, 0.0f64), |(l, h), y| (l.min(y), h.max(y)));
        let chart = LineChart {
            description: "Mean width of the bounds of logits by radius, for four ways to bound.".into(),
            x_label: "log₁₀ of the radius ε".into(),
            y_label: "log₁₀ of the width".into(),
            x_range: (RADII[0].log10(), RADII[RADII.len() - 1].log10()),
            y_range: (low - 0.1, high + 0.1),
            percent: false,
            series,
            regions: Vec::new(),
        };
        let caption = "Bounds of the logits of a plainly trained perceptron on test images. Mean over seeds.";
        vec![Figure { name: "widths", caption: caption.into(), chart }]
    }
}

/// What leaves the bounds of random graphs, and the error of the bounds of affine ones.
fn random_graphs(run: &Run, found: &mut Measurements) -> Result<(), RunError> {
    let (mut escaped, mut error) = (0, 0.0f64);
    let graphs = 100;
    for i in 0..graphs {
        let seed = run.seed * graphs + i;
        // Ten thousand samples of each graph in the full tier.
        escaped += RandomGraph::draw(seed, false).escapes(run.scaled(4, 40), seed)?;
        error = error.max(RandomGraph::draw(seed, true).affine_error()?);
    }
    found.record(ESCAPES.of(LINEAR), escaped as f64)?;
    found.record(INEXACT.of(LINEAR), error)?;
    Ok(())
}

/// Operations of the gradient of a bound of the loss of 32 examples, over a network whose hidden layers are large compared
/// with its last one.
fn cost(bounded: Bounded, classes: usize) -> Result<f64, RunError> {
    const EXAMPLES: usize = 32;
    let x = Expr::input("x", [1, PIXELS], DType::F32);
    let logits = perceptron(&x, &[256, 256, 64], classes, 0);
    let network = Graph::new(vec![x], vec![("logits".into(), logits)])?;
    let loss = bound(&network, bounded, EXAMPLES)?;
    let parameters = network.params();
    let gradients = grad(&loss.value.sum(), &parameters)?;
    // As in training, weights are not known when the graph is compiled.
    let leaves: Vec<Expr> = parameters.iter().map(|p| Expr::input("weight", p.shape(), DType::F32)).collect();
    let pairs: Vec<(Expr, Expr)> = parameters.into_iter().zip(leaves.iter().cloned()).collect();
    let outputs = perturb_graph::substitute(&gradients, &pairs)?;
    let inputs: Vec<Expr> = [loss.centers, loss.targets, loss.radius].into_iter().chain(leaves).collect();
    let executable = Executable::compile(&outputs, &inputs, &Options::default())?;
    Ok(executable.statistics().flops as f64)
}

/// A bound of the loss of each example of a batch, and what it is a function of.
struct BatchBound {
    centers: Expr,
    targets: Expr,
    radius: Expr,
    /// `[N]`.
    value: Expr,
}

fn bound(network: &Graph, bounded: Bounded, n: usize) -> Result<BatchBound, RunError> {
    let (input, logits) = (network.inputs[0].clone(), network.outputs[0].1.clone());
    let center = Expr::input("center", input.shape(), DType::F32);
    let target = Expr::input("target", logits.shape(), DType::F32);
    let radius = Expr::input("radius", [], DType::F32);
    let within = Some((center.like(0.0), center.like(1.0)));
    let domain = Domain::Ball { center: center.clone(), radius: radius.clone(), norm: Norm::Linf, within };
    let value = match bounded {
        Bounded::Loss => fused_cross_entropy(&logits, &target, &[(input, domain)])?,
        Bounded::Margins => {
            let margins = linear_margins(&logits, &target, &[(input, domain)])?;
            margins.reshape(target.shape()).cross_entropy(&target).sum()
        }
    };
    let batched = |e: &Expr| Expr::input(e.name().unwrap_or("x"), e.shape().prepend(n), DType::F32);
    let (centers, targets) = (batched(&center), batched(&target));
    let value = vmap(&[value], &[(center, centers.clone()), (target, targets.clone())], n)?.remove(0);
    Ok(BatchBound { centers, targets, radius, value })
}

/// Networks on the data of one run.
struct Study<'a> {
    run: &'a Run<'a>,
    data: &'a Digits,
}

impl Study<'_> {
    fn network(&self) -> Result<Graph, RunError> {
        let x = Expr::input("image", [1, PIXELS], DType::F32);
        let logits = perceptron(&x, &[64, 64], CLASSES, self.run.seed);
        Ok(Graph::new(vec![x], vec![("logits".into(), logits)])?)
    }

    fn fit(&self, network: &Graph, epochs: usize, hook: &dyn Hook) -> Result<Graph, RunError> {
        let fit = Fit { batch: BATCH, classes: CLASSES, epochs, seed: self.run.seed, hook: Some(hook) };
        fit.run(network, &self.data.train, &self.data.train_labels, |_| ())
    }

    fn accuracy(&self, network: &Graph) -> Result<f64, RunError> {
        let predicted = Classifier::new(network, BATCH)?.predictions(&self.data.test)?;
        let right = predicted.iter().zip(&self.data.test_labels).filter(|(p, l)| **p == Some(**l)).count();
        Ok(right as f64 / predicted.len() as f64)
    }

    /// The share of test images that intervals do not verify.
    fn verified_error(&self, network: &Graph) -> Result<f64, RunError> {
        let certifier = Certifier::new(network, Method::Ibp, Settings { batch: BATCH, ..Settings::default() })?;
        let region = Region::from(EPSILON).within(0.0, 1.0);
        let margins = certifier.margins(&self.data.test, &self.data.test_labels, &region)?;
        Ok(margins.iter().filter(|m| **m <= 0.0).count() as f64 / margins.len() as f64)
    }

    /// How many of the first test images have, under PGD, a larger loss than the fused bound.
    fn exceeded(&self, network: &Graph) -> Result<f64, RunError> {
        let (images, labels) = (self.data.test.rows(0, BATCH), &self.data.test_labels[..BATCH]);
        let fused = bound(network, Bounded::Loss, BATCH)?;
        let inputs = [fused.centers, fused.targets, fused.radius];
        let executable = Executable::compile(&[fused.value], &inputs, &Options::default())?;
        let one_hot = one_hot(labels).reshape([BATCH, 1, CLASSES])?;
        let found = executable.run(&[&images, &one_hot, &Tensor::scalar(EPSILON as f32)])?;
        let bounds = found[0].to_f64_vec();
        let model = Classifier::new(network, BATCH)?;
        let ball = Ball::new(perturb_attack::Norm::Linf, EPSILON, (0.0, 1.0))?;
        let criterion = Criterion::Misclassify { labels: labels.to_vec() };
        let attack = Pgd { steps: 40, relative_step: 0.1, loss: Loss::CrossEntropy, ..Pgd::default() };
        let attacked = attack.run(&model, &images, &criterion, &ball, &Seed::new(self.run.seed, 0))?;
        let logits = model.logits(&attacked.inputs)?.to_f64_vec();
        let losses = logits.chunks_exact(CLASSES).zip(labels).map(|(z, &label)| {
            let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            largest + z.iter().map(|z| (z - largest).exp()).sum::<f64>().ln() - z[label]
        });
        // Both are sums in f32.
        Ok(losses.zip(bounds).filter(|(loss, bound)| *loss > bound + 1e-4 * (1.0 + bound)).count() as f64)
    }

    /// How far the mean loss on the test images rises when every weight may change by a share, by ascent along signs of
    /// gradients.
    fn rise(&self, network: &Graph) -> Result<f64, RunError> {
        let n = self.data.test_labels.len();
        let batched = network.vmap(n)?;
        let parameters = network.params();
        let logits = batched.outputs[0].1.reshape([n, CLASSES]);
        let targets = Expr::constant(one_hot(&self.data.test_labels));
        let loss = logits.cross_entropy(&targets).reduce_mean(&[0], false);
        let leaves: Vec<Expr> = parameters.iter().map(|p| Expr::input("weight", p.shape(), DType::F32)).collect();
        let mut outputs = vec![loss.clone()];
        outputs.extend(grad(&loss, &parameters)?);
        let pairs: Vec<(Expr, Expr)> = parameters.iter().cloned().zip(leaves.iter().cloned()).collect();
        let outputs = perturb_graph::substitute(&outputs, &pairs)?;
        let inputs: Vec<Expr> = batched.inputs.iter().cloned().chain(leaves).collect();
        let executable = Executable::compile(&outputs, &inputs, &Options::default())?;
        let start: Vec<Tensor> = parameters.iter().filter_map(|p| p.value().cloned()).collect();
        let mut weights = start.clone();
        let images = self.data.test.reshape(batched.inputs[0].shape())?;
        let (mut clean, mut worst) = (0.0, f64::NEG_INFINITY);
        for step in 0..20 {
            let feeds: Vec<&Tensor> = std::iter::once(&images).chain(&weights).collect();
            let found = executable.run(&feeds)?;
            let loss = found[0].to_f64_vec()[0];
            clean = if step == 0 { loss } else { clean };
            worst = worst.max(loss);
            for ((weight, start), gradient) in weights.iter_mut().zip(&start).zip(&found[1..]) {
                let gradient = gradient.as_slice::<f32>();
                let steps = weight.as_mut_slice::<f32>().iter_mut().zip(start.as_slice::<f32>()).zip(gradient);
                for ((w, &center), g) in steps {
                    let reach = CHANGE as f32 * center.abs();
                    *w = (*w + 0.25 * reach * g.signum()).clamp(center - reach, center + reach);
                }
            }
        }
        Ok(worst - clean)
    }

    /// Mean widths by method and radius, and the share of outputs that CROWN bounds tighter than intervals do.
    fn widths(&self, network: &Graph, found: &mut Measurements) -> Result<f64, RunError> {
        let images = self.data.test.rows(0, COMPARED);
        let mut at_tight: Vec<Vec<f64>> = Vec::new();
        for (name, method, ..) in METHODS {
            let certifier = Certifier::new(network, method, Settings { batch: COMPARED, ..Settings::default() })?;
            let mut curve = Vec::new();
            for radius in RADII {
                let bounds = certifier.bounds(&images, &Region::from(radius).within(0.0, 1.0))?;
                let (lower, upper) = (bounds.lower.to_f64_vec(), bounds.upper.to_f64_vec());
                let widths: Vec<f64> = upper.iter().zip(&lower).map(|(u, l)| u - l).collect();
                curve.push((radius, widths.iter().sum::<f64>() / widths.len() as f64));
                if radius == TIGHT {
                    at_tight.push(widths);
                }
            }
            found.curve(&format!("width by {name}"), curve);
        }
        // By a thousandth at least: less could be rounding.
        let tighter = at_tight[0].iter().zip(&at_tight[2]).filter(|(ibp, crown)| **crown < 0.999 * **ibp).count();
        Ok(tighter as f64 / at_tight[0].len() as f64)
    }
}

fn one_hot(labels: &[usize]) -> Tensor {
    let values = labels.iter().flat_map(|&l| (0..CLASSES).map(move |j| if j == l { 1.0f32 } else { 0.0 })).collect();
    Tensor::new([labels.len(), CLASSES], values).expect("a row for each label")
}
