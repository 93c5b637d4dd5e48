//! Robust Weight Perturbation for Adversarial Training (Yu et al. 2022).
//!
//! Claim: perturbing the weights by examples of small adversarial loss only cures robust overfitting without the loss of
//! robustness that adversarial weight perturbation (AWP) has. Method: RWP on top of PGD adversarial training. Baselines:
//! adversarial training alone, and AWP. Where it must not hold: perturbing by examples of large loss only.
//!
//! Half as many images as the specification's 1000, a network four times as wide, a larger learning rate and twice the
//! epochs: with its own setting robust accuracy did not fall by the three points without which there is nothing to cure
//! (found on seeds from 100 on).

use crate::curves::mean_curve;
use crate::training::{Split, perceptron};
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::{Attack, Ball, Classifier, Criterion, Loss, Norm, Pgd, Seed};
use perturb_defend::{AdversarialTraining, Perturbing, WeightPerturbation};
use perturb_graph::{DType, Expr, Graph, Tensor};
use perturb_nn::{Adam, Callback, Control, Examples, Shuffled, Step, TrainError, Trainer};
use perturb_report::chart::{Hue, LineChart, Marker, Series};

pub struct Rwp;

const EPSILON: f64 = 0.1;
const TRAINING: usize = 500;
const EPOCHS: usize = 130;
const BATCH: usize = 100;
/// Units of the only hidden layer.
const HIDDEN: usize = 512;
const LEARNING_RATE: f64 = 3e-3;
const CLASSES: usize = 10;
const SIDE: usize = 14;
/// Epochs between two points of the curves.
const EVERY: u64 = 5;

const RWP: &str = "RWP";
const PLAIN: &str = "adversarial training";
const AWP: &str = "AWP";
const LARGE: &str = "perturbation by large losses";

const ROBUST: Quantity = Quantity::share("robust accuracy after the last epoch");
const FALL: Quantity = Quantity { name: "fall of robust accuracy from its best epoch", lowest: 0.0, highest: 1.0 };

/// The arms, how their weights are perturbed, and the names of their curves.
const ARMS: [(&str, Option<WeightPerturbation>, &str, Hue, Marker); 4] = [
    (PLAIN, None, "robust accuracy of adversarial training", Hue::Blue, Marker::Square),
    (AWP, Some(perturbation(1, Perturbing::All)), "robust accuracy of AWP", Hue::Amber, Marker::Triangle),
    (
        RWP,
        Some(perturbation(10, Perturbing::LossBelow(C_MIN))),
        "robust accuracy of RWP",
        Hue::Vermillion,
        Marker::Circle,
    ),
    (
        LARGE,
        Some(perturbation(10, Perturbing::LossFrom(C_MIN))),
        "robust accuracy by large losses",
        Hue::Purple,
        Marker::Diamond,
    ),
];

/// ¾ of the loss of a guess among ten classes.
const C_MIN: f64 = 0.75 * std::f64::consts::LN_10;

const fn perturbation(ascents: usize, examples: Perturbing) -> WeightPerturbation {
    WeightPerturbation { gamma: 0.01, ascents, examples }
}

impl Reproduction for Rwp {
    fn slug(&self) -> &'static str {
        "rwp"
    }

    fn claim(&self) -> Claim {
        let difference = |a, b| Estimator::Difference(ROBUST.of(a), ROBUST.of(b));
        Claim {
            method: RWP,
            baselines: &[PLAIN, AWP, LARGE],
            seeds: 5,
            preconditions: vec![Estimator::Level(FALL.of(PLAIN)).at_least(0.03)],
            rules: vec![
                difference(RWP, PLAIN).at_least(0.01),
                difference(RWP, AWP).at_least(0.003),
                // Where it must not hold.
                difference(LARGE, PLAIN).at_most(0.01),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let data = Halved::load(run)?;
        run.progress(0.0, "training four networks");
        let (seed, steps) = (run.seed, run.scaled(20, 50));
        let arm = |perturbation: &Option<WeightPerturbation>| -> Result<(f64, Vec<(f64, f64)>), RunError> {
            let (graph, points) = data.train(seed, perturbation.as_ref())?;
            Ok((data.robust_accuracy(&graph, steps, &[Loss::CrossEntropy, Loss::Margin])?, points))
        };
        // Steps of so small a network do not fill two cores, but two networks do.
        let trained: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = ARMS.iter().map(|(_, perturbation, ..)| scope.spawn(|| arm(perturbation))).collect();
            threads.into_iter().map(|t| t.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        });
        let mut found = Measurements::new();
        for ((arm, _, curve, ..), trained) in ARMS.iter().zip(trained) {
            let (robust, points) = trained?;
            let best = points.iter().map(|p| p.1).fold(0.0, f64::max);
            let last = points.last().map_or(0.0, |p| p.1);
            found.record(ROBUST.of(arm), robust)?;
            found.record(FALL.of(arm), best - last)?;
            found.curve(curve, points);
        }
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let series = ARMS.iter().map(|&(arm, _, curve, hue, marker)| Series {
            name: arm.into(),
            points: mean_curve(seeds, curve),
            hue,
            marker,
            dashed: false,
            bold: arm == RWP,
        });
        let chart = LineChart {
            description: "Robust accuracy on test images by epoch, for four ways to train.".into(),
            x_label: "epoch".into(),
            y_label: "accuracy under PGD".into(),
            x_range: (0.0, EPOCHS as f64),
            y_range: (0.0, 1.0),
            percent: true,
            series: series.collect(),
            regions: Vec::new(),
        };
        let caption = "Mean over seeds; bars from the lowest to the highest seed. Without perturbed weights robustness falls \
                       again while training goes on.";
        vec![Figure { name: "epochs", caption: caption.into(), chart }]
    }
}

/// Fashion-MNIST at half its size.
struct Halved(Split);

impl Halved {
    fn load(run: &Run) -> Result<Halved, RunError> {
        Ok(Halved(Split::load(run, "fashion-mnist", [TRAINING, run.scaled(500, 2000)])?.map(halved)?))
    }

    /// The trained network, and robust accuracy under a short attack after every few epochs.
    fn train(
        &self,
        seed: u64,
        perturbation: Option<&WeightPerturbation>,
    ) -> Result<(Graph, Vec<(f64, f64)>), RunError> {
        let x = Expr::input("image", [1, SIDE * SIDE], DType::F32);
        let logits = perceptron(&x, &[HIDDEN], CLASSES, seed);
        let graph = Graph::new(vec![x], vec![("logits".into(), logits)])?;
        let mut step = Step::classifier(&graph, BATCH)?;
        let attack = AdversarialTraining { epsilon: EPSILON, step: EPSILON / 4.0, steps: 10, ..Default::default() };
        step.apply(&attack)?;
        if let Some(hook) = perturbation {
            step.apply(hook)?;
        }
        let examples = Examples::labelled(self.0.train.clone(), &self.0.train_labels, CLASSES)?;
        let optimizer = Adam { learning_rate: LEARNING_RATE, ..Adam::default() };
        let trainer = Trainer { epochs: EPOCHS, seed, ..Trainer::with(optimizer) };
        let mut watch = Watch { data: self, graph: &graph, points: Vec::new(), failed: None };
        let trained = trainer.fit(step, &Shuffled::new(examples, BATCH)?, &mut [&mut watch])?;
        match watch.failed {
            Some(error) => Err(error),
            None => Ok((trained.parameters.bind(&graph)?, watch.points)),
        }
    }

    /// The share of test images that no attack of these losses changes the class of.
    fn robust_accuracy(&self, graph: &Graph, steps: usize, losses: &[Loss]) -> Result<f64, RunError> {
        let model = Classifier::new(graph, BATCH)?;
        let ball = Ball::new(Norm::Linf, EPSILON, (0.0, 1.0))?;
        let criterion = Criterion::Misclassify { labels: self.0.test_labels.clone() };
        let mut held = vec![true; self.0.test_labels.len()];
        for (i, &loss) in losses.iter().enumerate() {
            let attack = Pgd { steps, relative_step: 2.5 / steps as f64, loss, ..Pgd::default() };
            let found = attack.run(&model, &self.0.test, &criterion, &ball, &Seed::new(i as u64, 0))?;
            held.iter_mut().zip(&found.success).for_each(|(held, fell)| *held &= !fell);
        }
        Ok(held.iter().filter(|h| **h).count() as f64 / held.len() as f64)
    }
}

/// Measures robust accuracy while training goes on.
struct Watch<'a> {
    data: &'a Halved,
    graph: &'a Graph,
    points: Vec<(f64, f64)>,
    failed: Option<RunError>,
}

impl Callback for Watch<'_> {
    fn epoch(&mut self, run: &mut perturb_nn::Run) -> Result<Control, TrainError> {
        if !run.epoch().is_multiple_of(EVERY) {
            return Ok(Control::Continue);
        }
        let graph = run.parameters().bind(self.graph)?;
        match self.data.robust_accuracy(&graph, 10, &[Loss::CrossEntropy]) {
            Ok(accuracy) => self.points.push((run.epoch() as f64, accuracy)),
            Err(error) => {
                self.failed = Some(error);
                return Ok(Control::Stop);
            }
        }
        Ok(Control::Continue)
    }
}

/// Images `[N, 1, 28, 28]` as rows `[N, 1, 196]` of the means of 2×2 pixels.
fn halved(images: &Tensor) -> Result<Tensor, RunError> {
    let n = images.shape()[0];
    let mut rows = Vec::with_capacity(n * SIDE * SIDE);
    for image in images.as_slice::<f32>().chunks_exact(4 * SIDE * SIDE) {
        for (i, j) in (0..SIDE).flat_map(|i| (0..SIDE).map(move |j| (i, j))) {
            let at = |di: usize, dj: usize| image[(2 * i + di) * 2 * SIDE + 2 * j + dj];
            rows.push((at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4.0);
        }
    }
    Ok(Tensor::new([n, 1, SIDE * SIDE], rows)?)
}
