//! On the Effectiveness of Interval Bound Propagation for Training Verifiably Robust Models (Gowal et al. 2018).
//!
//! Claim: training on interval bounds verifies more than more complex methods, because the network adapts until its bounds are
//! tight; ramps of the radius and of the bound's share are essential. Method: a small convolutional network on MNIST, trained
//! by interval bounds with elision, ε = 0.1. Baselines: the same network trained plainly and by PGD, and a small perceptron
//! trained by PGD, whose bounds CROWN tightens. Where it must not work: a large radius from the first step on.
//!
//! The step size and the numbers of epochs were chosen by what intervals verify with initial weights of seeds 100 and
//! 101. Networks without intervals have a smaller step size: at that of the others two PGD trainings of ten
//! collapsed to one class; at this one the perceptron of seed 2 still does, which only weakens what CROWN adds.

use crate::curves::mean_curve;
use crate::training::perceptron;
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::{Attack, Ball, Classifier, Criterion, Loss, Norm, Pgd, Seed};
use perturb_certify::train::IbpLoss;
use perturb_certify::{Certifier, Method, Region, Settings};
use perturb_data::{LoadOptions, load};
use perturb_defend::AdversarialTraining;
use perturb_graph::{Conv, DType, Expr, Graph, Interval, Rounding, Tensor, intervals};
use perturb_nn::{
    Adam, Callback, Control, Cosine, Evaluator, Examples, Hook, Initializer, Layers, Ramp, Shuffled, Step, TrainError,
    Trainer, flatten,
};
use perturb_report::chart::{Hue, LineChart, Marker, Sample, Series};
use std::sync::Arc;

pub struct Ibp;

const IBP: &str = "IBP training";
const PLAIN: &str = "plain training";
const PGD: &str = "PGD training";
const PERCEPTRON: &str = "PGD training of a perceptron";
const LARGE: &str = "IBP training, ε = 0.3";
const ABRUPT: &str = "IBP training, ε = 0.3 without ramps";

const VERIFIED: Quantity = Quantity::share("accuracy that intervals verify");
const ADDED: Quantity = Quantity { name: "accuracy that CROWN adds to intervals", lowest: -1.0, highest: 1.0 };
const ROBUST: Quantity = Quantity::share("accuracy under PGD");
const CLEAN: Quantity = Quantity::share("accuracy");
const CONTRADICTIONS: Quantity = Quantity::positive("verified images that PGD changes, or that are wrong");

const EPSILON: f64 = 0.1;
const BATCH: usize = 100;
const CLASSES: usize = 10;
/// Images that CROWN bounds: it is slower than the other measurements by far.
const CROWN_IMAGES: usize = 64;
/// Names of the layers in the figure, and of their curves after IBP and plain training.
const LAYERS: [(&str, &str, &str, Hue, Marker); 4] = [
    ("conv1", "width of conv1, IBP", "width of conv1, plain", Hue::Blue, Marker::Square),
    ("conv2", "width of conv2, IBP", "width of conv2, plain", Hue::Green, Marker::Wedge),
    ("fc1", "width of fc1, IBP", "width of fc1, plain", Hue::Amber, Marker::Triangle),
    ("fc2", "width of fc2, IBP", "width of fc2, plain", Hue::Vermillion, Marker::Circle),
];

/// What is trained: its name, network, hook, and epochs and step size.
type Arm<'a> = (&'static str, &'a Graph, &'a dyn Hook, (usize, f64));

impl Reproduction for Ibp {
    fn slug(&self) -> &'static str {
        "ibp"
    }

    fn claim(&self) -> Claim {
        let level = |quantity: Quantity, arm| Estimator::Level(quantity.of(arm));
        Claim {
            method: IBP,
            baselines: &[PLAIN, PGD, PERCEPTRON, LARGE, ABRUPT],
            seeds: 5,
            preconditions: vec![level(ROBUST, PGD).at_least(0.7), level(CLEAN, PLAIN).at_least(0.9)],
            rules: vec![
                level(VERIFIED, IBP).at_least(0.85),
                Estimator::Difference(VERIFIED.of(IBP), VERIFIED.of(PGD)).at_least(0.5),
                level(VERIFIED, PLAIN).at_most(0.05),
                level(VERIFIED, PGD).at_most(0.05),
                Estimator::Difference(ROBUST.of(IBP), VERIFIED.of(IBP)).at_most(0.05),
                level(ADDED, IBP).at_most(0.03),
                level(ADDED, PERCEPTRON).at_least(0.2),
                Estimator::Largest(CONTRADICTIONS.of(IBP)).at_most(0.0),
                // Where it must not work.
                Estimator::Difference(VERIFIED.of(LARGE), VERIFIED.of(ABRUPT)).at_least(0.1),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let data = Split::load(run)?;
        let mut found = Measurements::new();
        let network = convolutional(run.seed)?;
        let pgd = AdversarialTraining { epsilon: EPSILON, step: EPSILON / 3.0, steps: 5, ..Default::default() };
        let ibp = IbpLoss::ramped(1.2 * EPSILON, 0.05, 0.5);
        let large = IbpLoss::ramped(0.3, 0.05, 0.5);
        let constant = |at: f64| Ramp { from: at, to: at, start: 0.0, end: 0.0 };
        let abrupt = IbpLoss { epsilon: constant(0.3), kappa: constant(0.5), ..large };
        let x = Expr::input("image", [1, 1, 28, 28], DType::F32);
        let logits = perceptron(&x, &[48], CLASSES, run.seed);
        let small = Graph::new(vec![x], vec![("logits".into(), logits)])?;

        let (long, middle, short) = run.scaled((16, 6, 4), (60, 60, 20));
        let arms: [Arm<'_>; 6] = [
            (IBP, &network, &ibp, (long, 7e-3)),
            (PLAIN, &network, &|_: &mut Step| Ok(()), (short, 2e-3)),
            (PGD, &network, &pgd, (short, 2e-3)),
            (PERCEPTRON, &small, &pgd, (short, 2e-3)),
            (LARGE, &network, &large, (middle, 7e-3)),
            (ABRUPT, &network, &abrupt, (middle, 7e-3)),
        ];
        let mut contradictions = 0;
        for (i, (arm, graph, hook, fit)) in arms.into_iter().enumerate() {
            run.progress(i as f64 / arms.len() as f64, arm);
            let widths = [IBP, PLAIN].contains(&arm);
            let Some((graph, curves)) = data.train(run, graph, hook, fit, widths)? else {
                // A loss that is no number any more verifies nothing.
                found.record(VERIFIED.of(arm), 0.0)?;
                continue;
            };
            for ((_, ibp, plain, ..), points) in LAYERS.iter().zip(curves) {
                found.curve(if arm == IBP { ibp } else { plain }, points);
            }
            let verified = data.verified(&graph, Method::Ibp, data.test_labels.len())?;
            found.record(VERIFIED.of(arm), share(&verified))?;
            if [LARGE, ABRUPT].contains(&arm) {
                continue;
            }
            let (clean, robust) = (data.right(&graph, None)?, data.right(&graph, Some(run.scaled(20, 100)))?);
            found.record(CLEAN.of(arm), share(&clean))?;
            found.record(ROBUST.of(arm), share(&robust))?;
            contradictions += (0..clean.len()).filter(|&i| verified[i] && !(robust[i] && clean[i])).count();
            if [IBP, PERCEPTRON].contains(&arm) {
                let tighter = data.verified(&graph, Method::Crown, CROWN_IMAGES)?;
                found.record(ADDED.of(arm), share(&tighter) - share(&verified[..CROWN_IMAGES]))?;
            }
        }
        found.record(CONTRADICTIONS.of(IBP), contradictions as f64)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let figure = |name: &'static str, title: &str, plain: bool| {
            let series: Vec<Series> = LAYERS
                .iter()
                .map(|&(layer, ibp, other, hue, marker)| {
                    let sample =
                        |p: Sample| Sample { y: p.y.log10(), interval: None, note: format!("{:.3}", p.y), ..p };
                    let points = mean_curve(seeds, if plain { other } else { ibp }).into_iter().map(sample).collect();
                    Series { name: layer.into(), points, hue, marker, dashed: plain, bold: false }
                })
                .collect();
            let heights = series.iter().flat_map(|s| &s.points).map(|p| p.y);
            let (low, high) = heights.fold((0.0f64, 0.0f64), |(l, h), y| (l.min(y), h.max(y)));
            let last = series[0].points.last().map_or(1.0, |p| p.x);
            let chart = LineChart {
                description: format!("Mean width of the intervals at each layer by epoch, {title}."),
                x_label: "epoch".into(),
                y_label: "log₁₀ of the intervals' width".into(),
                x_range: (1.0, last.max(2.0)),
                y_range: (low - 0.2, high + 0.2),
                percent: false,
                series,
                regions: Vec::new(),
            };
            let caption =
                format!("Intervals before each activation at ε = {EPSILON} on test images, {title}. Mean over seeds.");
            Figure { name, caption, chart }
        };
        vec![figure("ibp", "IBP training", false), figure("plain", "plain training", true)]
    }
}

fn share(of: &[bool]) -> f64 {
    of.iter().filter(|b| **b).count() as f64 / of.len() as f64
}

/// Two convolutions and two dense layers on one image.
fn convolutional(seed: u64) -> Result<Graph, RunError> {
    let x = Expr::input("image", [1, 1, 28, 28], DType::F32);
    let logits = on_images(&Layers::new(Initializer::he(seed)), &x);
    Ok(Graph::new(vec![x], vec![("logits".into(), logits)])?)
}

fn on_images(layers: &Layers, x: &Expr) -> Expr {
    let halving = || Conv { padding: vec![(1, 1); 2], ..Conv::default() }.stride(2);
    let h = layers.tap("conv1", layers.at("conv1").conv2d(x, 8, 4, halving())).relu();
    let h = layers.tap("conv2", layers.at("conv2").conv2d(&h, 16, 4, halving())).relu();
    let h = layers.tap("fc1", layers.at("fc1").linear(&flatten(&h), 64)).relu();
    layers.tap("fc2", layers.at("fc2").linear(&h, CLASSES))
}

/// The points of the curve of each layer.
type Curves = Vec<Vec<(f64, f64)>>;

/// MNIST, as much of it as the tier takes.
struct Split {
    train: Tensor,
    train_labels: Vec<usize>,
    test: Tensor,
    test_labels: Vec<usize>,
}

impl Split {
    fn load(run: &Run) -> Result<Split, RunError> {
        let folder = run.data("mnist")?;
        let part = |name: &str, limit| -> Result<(Tensor, Vec<usize>), RunError> {
            let options = LoadOptions { limit: Some(limit), ..LoadOptions::default() };
            let data = load(&folder.join(name), &options)?;
            let labels = data.labels.ok_or_else(|| RunError::Measurement(format!("{name} has no labels")))?;
            Ok((data.inputs.reshape([labels.len(), 1, 1, 28, 28])?, labels))
        };
        let (train, train_labels) = part("train-images-idx3-ubyte.gz", run.scaled(10_000, 60_000))?;
        let (test, test_labels) = part("t10k-images-idx3-ubyte.gz", run.scaled(500, 5000))?;
        Ok(Split { train, train_labels, test, test_labels })
    }

    /// The trained network, and the widths of its intervals by epoch if asked; nothing if training diverged.
    fn train(
        &self,
        run: &Run,
        graph: &Graph,
        hook: &dyn Hook,
        (epochs, learning_rate): (usize, f64),
        widths: bool,
    ) -> Result<Option<(Graph, Curves)>, RunError> {
        let mut step = Step::classifier(graph, BATCH)?;
        step.apply(hook)?;
        let examples = Examples::labelled(self.train.clone(), &self.train_labels, CLASSES)?;
        let trainer = Trainer {
            epochs,
            seed: run.seed,
            schedule: Arc::new(Cosine::default()),
            ..Trainer::with(Adam { learning_rate, ..Adam::default() })
        };
        let mut watch = Widths::new(self)?;
        let mut callbacks: Vec<&mut dyn Callback> = Vec::new();
        if widths {
            callbacks.push(&mut watch);
        }
        match trainer.fit(step, &Shuffled::new(examples, BATCH)?, &mut callbacks) {
            Err(TrainError::Diverged { .. }) => Ok(None),
            trained => Ok(Some((trained?.parameters.bind(graph)?, watch.curves))),
        }
    }

    /// Which of the first test images are certified to keep their class.
    fn verified(&self, graph: &Graph, method: Method, count: usize) -> Result<Vec<bool>, RunError> {
        let certifier = Certifier::new(graph, method, Settings::default())?;
        let region = Region::from(EPSILON).within(0.0, 1.0);
        let margins = certifier.margins(&self.test.rows(0, count), &self.test_labels[..count], &region)?;
        Ok(margins.into_iter().map(|m| m > 0.0).collect())
    }

    /// Which test images are classified right: as they are, or after attacks of so many steps.
    fn right(&self, graph: &Graph, steps: Option<usize>) -> Result<Vec<bool>, RunError> {
        let model = Classifier::new(graph, BATCH)?;
        let Some(steps) = steps else {
            let predicted = model.predictions(&self.test)?;
            return Ok(predicted.iter().zip(&self.test_labels).map(|(p, l)| *p == Some(*l)).collect());
        };
        let ball = Ball::new(Norm::Linf, EPSILON, (0.0, 1.0))?;
        let criterion = Criterion::Misclassify { labels: self.test_labels.clone() };
        let mut held = vec![true; self.test_labels.len()];
        for (i, loss) in [Loss::CrossEntropy, Loss::Margin].into_iter().enumerate() {
            let attack = Pgd { steps, relative_step: 2.5 / steps as f64, loss, ..Pgd::default() };
            let found = attack.run(&model, &self.test, &criterion, &ball, &Seed::new(i as u64, 0))?;
            held.iter_mut().zip(&found.success).for_each(|(held, fell)| *held &= !fell);
        }
        Ok(held)
    }
}

/// Measures the intervals of each layer after every epoch.
struct Widths {
    evaluator: Evaluator,
    examples: Examples,
    curves: Curves,
}

impl Widths {
    fn new(data: &Split) -> Result<Widths, RunError> {
        let layers = Layers::new(Initializer::he(0));
        let x = Expr::input("image", [BATCH, 1, 28, 28], DType::F32);
        let logits = on_images(&layers, &x);
        let radius = x.like(EPSILON);
        let ball = Interval { lo: x.sub(&radius).maximum(&x.like(0.0)), hi: x.add(&radius).minimum(&x.like(1.0)) };
        let known = intervals(&[logits], &[(x.clone(), ball)], Rounding::Nearest);
        let width = |(_, node): (String, Expr)| {
            let bounds = &known[&node.id()];
            bounds.hi.sub(&bounds.lo).reduce_mean(&(1..node.rank()).collect::<Vec<_>>(), false)
        };
        let outputs: Vec<Expr> = layers.take_taps().into_iter().map(width).collect();
        let images = data.test.rows(0, BATCH).reshape([BATCH, 1, 28, 28])?;
        let curves = vec![Vec::new(); outputs.len()];
        Ok(Widths { evaluator: Evaluator::new(&[x], &outputs)?, examples: Examples::new("image", images)?, curves })
    }
}

impl Callback for Widths {
    fn epoch(&mut self, run: &mut perturb_nn::Run) -> Result<Control, TrainError> {
        let widths = self.evaluator.outputs(&run.parameters(), &self.examples)?;
        for (curve, widths) in self.curves.iter_mut().zip(widths) {
            let widths = widths.to_f64_vec();
            curve.push((run.epoch() as f64, widths.iter().sum::<f64>() / widths.len() as f64));
        }
        Ok(Control::Continue)
    }
}
