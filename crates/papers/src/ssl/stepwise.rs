//! On the Stepwise Nature of Self-Supervised Learning (Simon et al. 2023).
//!
//! Claim: embeddings are learned one dimension at a time, in a solvable linear model and in networks trained by Barlow
//! Twins, SimCLR and VICReg. Method: (a) the gradient flow of the linear model against its closed form; (b) a small
//! convolutional network on pairs of views of the `shapes` world, whose last layer starts small. Baselines, where it must
//! not hold: modes of equal strength in (a), a last layer of usual size in (b).
//!
//! As in the theory, Barlow Twins takes covariances instead of correlations (with these, the size of the embedding does
//! not matter), weights all of their elements alike, and training is gradient descent on all pairs at once. SimCLR's
//! cosines do not see the size of the embedding either, so that a small last layer cannot make its learning stepwise; its
//! learning rate is scaled by the square of the size, with which it takes the same path at any.

use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_data::augment::{Augmentation, ColorJitter, HorizontalFlip, Pipeline, RandomCrop};
use perturb_data::worlds::Shapes;
use perturb_graph::{Conv, DType, Expr, Tensor};
use perturb_metrics::Matrix;
use perturb_metrics::rank::{pearson, spearman};
use perturb_metrics::representation::effective_rank;
use perturb_nn::{
    Callback, Control, Evaluator, Examples, Initializer, Layers, Sgd, Shuffled, TrainError, Trainer, flatten,
};
use perturb_report::chart::{Hue, LineChart, Marker, Sample, Series};
use perturb_ssl::eval::{LearnedStep, StepDetector, separated, spectrum};
use perturb_ssl::finite::stepwise::{BarlowFlow, Simulation, analytic, step_time};
use perturb_ssl::objective::{BarlowTwins, CrossMoment, NtXent, VicReg};
use perturb_ssl::{Objective, joint_embedding};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

pub struct Stepwise;

const SMALL: &str = "small start";
const USUAL: &str = "start of usual size";
const EQUAL: &str = "modes of equal strength";

const LEARNED: Quantity = Quantity::positive("separate steps of the network, mean over three losses");
const SHARE: Quantity = Quantity::share("two of three losses: four steps and more, effective rank rising");
const LINEAR: Quantity = Quantity::positive("separate steps of the linear model");
const FORMULA: Quantity = Quantity::positive("largest relative error of the closed form");
const TIMES: Quantity = Quantity::share("R² of logarithms of step times");
const ANGLE: Quantity = Quantity::share("sine of the angle to the strongest modes at the end");
const STAIRCASE: &str = "eigenvalue";

/// Modes of the linear model: eight positive ones, each 1.6 times the next, and four that never grow.
const MODES: usize = 8;
const RATIO: f64 = 1.6;
const START: f64 = 1e-4;
/// Width of the network's embedding.
const WIDTH: usize = 10;
const SIZE: usize = 16;
/// A loss passes with so many separate steps, and such a rank correlation of effective rank with time from the first on.
const LEAST_STEPS: usize = 4;
const LEAST_RISE: f64 = 0.9;

/// The loss that does not see sizes.
const COSINE: &str = "SimCLR";

/// The losses, the learning rate of each, and the factor of the last layer's usual weights at the small start.
const LOSSES: [(&str, &dyn Objective, f64); 3] = [
    ("Barlow Twins", &BarlowTwins { lambda: 1.0, moment: CrossMoment::Covariance }, 4e-3),
    ("VICReg", &VicReg { invariance: 25.0, variance: 25.0, covariance: 1.0 }, 4e-3),
    (COSINE, &NtXent { temperature: 0.5 }, 4e-2),
];
const FACTOR: f64 = 1e-3;

impl Reproduction for Stepwise {
    fn slug(&self) -> &'static str {
        "stepwise-ssl"
    }

    fn claim(&self) -> Claim {
        let level = |quantity: Quantity, arm| Estimator::Level(quantity.of(arm));
        Claim {
            method: SMALL,
            baselines: &[USUAL, EQUAL],
            seeds: 5,
            preconditions: Vec::new(),
            rules: vec![
                Estimator::Difference(LEARNED.of(SMALL), LEARNED.of(USUAL)).at_least(2.0),
                level(SHARE, SMALL).at_least(0.8),
                Estimator::Largest(FORMULA.of(SMALL)).at_most(1e-4),
                level(TIMES, SMALL).at_least(0.98),
                Estimator::Largest(ANGLE.of(SMALL)).at_most(1e-3),
                level(LINEAR, SMALL).at_least(LEAST_STEPS as f64),
                // Where it must not hold.
                level(LEARNED, USUAL).at_most(1.99),
                level(LINEAR, EQUAL).at_most(1.99),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        linear(&mut found, run.seed)?;
        let data = Pairs::draw(run)?;
        for (arm, factor) in [(SMALL, FACTOR), (USUAL, 1.0)] {
            let (mut total, mut passed) = (0, 0);
            for (i, (name, objective, rate)) in LOSSES.into_iter().enumerate() {
                let done = i + if arm == SMALL { 0 } else { LOSSES.len() };
                run.progress((done as f64 + 0.5) / (2 * LOSSES.len()) as f64, name);
                let rate = if name == COSINE { rate * factor * factor } else { rate };
                let history = data.train(run, objective, rate, factor)?;
                let steps = StepDetector::default().detect(&history.times, &history.spectra)?;
                let apart = separated(&steps);
                total += apart;
                let first = steps.first().map_or(0.0, |s| s.time);
                passed += usize::from(apart >= LEAST_STEPS && history.rise(first)? >= LEAST_RISE);
                if arm == SMALL {
                    history.record(&mut found, name);
                }
            }
            found.record(LEARNED.of(arm), total as f64 / LOSSES.len() as f64)?;
            found.record(SHARE.of(arm), f64::from(passed >= 2))?;
        }
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let Some(first) = seeds.first() else { return Vec::new() };
        let hues = [Hue::Vermillion, Hue::Amber, Hue::Green, Hue::Blue, Hue::Purple];
        let markers = [Marker::Circle, Marker::Square, Marker::Triangle, Marker::Diamond, Marker::Wedge];
        let points = |name: &str, k: usize| -> Vec<Sample> {
            let found = first.measurements.points(&format!("{STAIRCASE} {} of {name}", k + 1)).unwrap_or_default();
            found.iter().map(|&(x, y)| Sample { x, y, interval: None, note: String::new() }).collect()
        };
        let chart = |name: &'static str, width: usize, description: &str, x_label: &str| {
            let series: Vec<Series> = (0..width)
                .map(|k| Series {
                    name: format!("{}.", k + 1),
                    points: points(name, k),
                    hue: hues[k % hues.len()],
                    marker: markers[k % markers.len()],
                    dashed: false,
                    bold: false,
                })
                .collect();
            let range = |f: fn(&Sample) -> f64| {
                let all = || series.iter().flat_map(|s| &s.points).map(f);
                (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max))
            };
            LineChart {
                description: description.into(),
                x_label: x_label.into(),
                y_label: "eigenvalue".into(),
                x_range: range(|s| s.x),
                y_range: (0.0, 1.05 * range(|s| s.y).1),
                percent: false,
                series,
                regions: Vec::new(),
            }
        };
        let log = "log₁₀ of learning rate × step";
        let mut figures: Vec<Figure> = [("Barlow Twins", "barlow"), ("VICReg", "vicreg"), ("SimCLR", "simclr")]
            .into_iter()
            .map(|(name, file)| Figure {
                name: file,
                caption: format!("Eigenvalues of the embeddings' covariance under {name}, first seed, small start."),
                chart: chart(name, 6, "Eigenvalues of the covariance of embeddings while a network is trained.", log),
            })
            .collect();
        let mut exact = chart(
            "the linear model",
            MODES,
            "Eigenvalues of the cross moment of the linear model, simulated and by formula.",
            "log₁₀ of time",
        );
        exact.series.extend((0..MODES).map(|k| Series {
            name: format!("formula {}.", k + 1),
            points: points("the formula", k),
            hue: Hue::Grey,
            marker: Marker::Circle,
            dashed: true,
            bold: false,
        }));
        let caption = "The linear model from a random start, first seed; dashed, the closed form.";
        figures.insert(0, Figure { name: "linear", caption: caption.into(), chart: exact });
        figures
    }
}

/// Γ with these eigenvalues on random orthonormal axes.
fn world(modes: &[f64], rng: &mut ChaCha8Rng) -> Result<BarlowFlow, RunError> {
    let n = modes.len();
    let normal: Vec<f64> = (0..n * n).map(|_| rng.sample::<f64, _>(StandardNormal)).collect();
    let mut factors = vec![0.0; 2 * n * n];
    perturb_graph::linear_algebra::qr(n, n, &normal, &mut factors);
    let q = |i: usize, k: usize| factors[i * n + k];
    let entry = |i: usize, j: usize| (0..n).map(|k| q(i, k) * modes[k] * q(j, k)).sum::<f64>();
    let gamma = (0..n * n).map(|at| entry((at / n).max(at % n), (at / n).min(at % n))).collect();
    Ok(BarlowFlow::new(&Matrix::from_vec(gamma, n)?)?)
}

/// The exact part: closed form from an aligned start, and step times, spectra and end from a random one.
fn linear(found: &mut Measurements, seed: u64) -> Result<(), RunError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let unequal: Vec<f64> = (0..MODES).map(|j| RATIO.powi(-(j as i32))).chain([-0.02, -0.05, -0.1, -0.2]).collect();
    let flow = world(&unequal, &mut rng)?;
    // The slowest mode takes its step at time 77; at 160 it has ended.
    let simulation = Simulation { step: 0.02, steps: 8000, every: 5 };
    let mut error = 0.0f64;
    for moment in simulation.run(&flow, &flow.aligned(MODES, START)?)? {
        for (amplitude, &gamma) in flow.amplitudes(&moment.weights)?.iter().zip(&flow.modes()[..MODES]) {
            error = error.max((amplitude / analytic(gamma, START, moment.time) - 1.0).abs());
        }
    }
    found.record(FORMULA.of(SMALL), error)?;

    let start = random_start(unequal.len(), &mut rng)?;
    let starts = flow.effective_starts(&start)?;
    let simulated = Simulated::run(&flow, &simulation, &start)?;
    let steps = simulated.steps()?;
    found.record(LINEAR.of(SMALL), separated(&steps) as f64)?;
    let predicted: Vec<f64> = flow.modes().iter().zip(&starts).map(|(&g, &s)| step_time(g, s).ln()).collect();
    let measured: Vec<f64> = steps.iter().map(|s| s.time.ln()).collect();
    let r = if measured.len() == MODES { pearson(&predicted[..MODES], &measured)? } else { 0.0 };
    found.record(TIMES.of(SMALL), r * r)?;
    found.record(ANGLE.of(SMALL), flow.angle_to_top(&simulated.end)?.min(1.0))?;
    for (k, (&gamma, &start)) in flow.modes()[..MODES].iter().zip(&starts).enumerate() {
        let curve = |value: &dyn Fn(usize, f64) -> f64| {
            let mut next = 1.0;
            let later = |&(_, t): &(usize, &f64)| {
                let due = *t >= next;
                next = if due { 1.04 * t } else { next };
                due
            };
            simulated.times.iter().enumerate().filter(later).map(|(i, &t)| (t.log10(), value(i, t))).collect()
        };
        found.curve(&format!("{STAIRCASE} {} of the linear model", k + 1), curve(&|i, _| simulated.spectra[i][k]));
        let formula = |_, t: f64| gamma * analytic(gamma, start, t).powi(2);
        found.curve(&format!("{STAIRCASE} {} of the formula", k + 1), curve(&formula));
    }

    let flow = world(&[1.0; 8 * MODES], &mut rng)?;
    let start = random_start(8 * MODES, &mut rng)?;
    let simulated = Simulated::run(&flow, &Simulation { step: 0.01, steps: 600, every: 1 }, &start)?;
    found.record(LINEAR.of(EQUAL), separated(&simulated.steps()?) as f64)
}

fn random_start(features: usize, rng: &mut ChaCha8Rng) -> Result<Matrix<'static>, RunError> {
    let values = (0..MODES * features).map(|_| START * rng.sample::<f64, _>(StandardNormal)).collect();
    Ok(Matrix::from_vec(values, features)?)
}

/// A simulation after its start.
struct Simulated {
    times: Vec<f64>,
    /// Eigenvalues of C.
    spectra: Vec<Vec<f64>>,
    /// The last weights.
    end: Matrix<'static>,
}

impl Simulated {
    fn run(flow: &BarlowFlow, simulation: &Simulation, start: &Matrix) -> Result<Simulated, RunError> {
        let mut moments = simulation.run(flow, start)?;
        moments.remove(0);
        let spectra = moments.iter().map(|m| flow.spectrum(&m.weights)).collect::<Result<_, _>>()?;
        let times = moments.iter().map(|m| m.time).collect();
        let last = moments.pop().ok_or_else(|| RunError::Measurement("a simulation of no steps".into()))?;
        Ok(Simulated { times, spectra, end: last.weights })
    }

    fn steps(&self) -> Result<Vec<LearnedStep>, RunError> {
        Ok(StepDetector::default().detect(&self.times, &self.spectra)?)
    }
}

/// Two views of each of some images.
struct Pairs {
    first: Tensor,
    second: Tensor,
}

impl Pairs {
    fn draw(run: &Run) -> Result<Pairs, RunError> {
        let count = run.scaled(128, 512);
        let images = Shapes { size: SIZE, ..Shapes::default() }.dataset(run.seed, count).images;
        let jitter = ColorJitter { brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.02 };
        let views = Pipeline::new().then(RandomCrop::padded(SIZE, 1)).then(HorizontalFlip::default()).then(jitter);
        let indices: Vec<u64> = (0..count as u64).collect();
        let view = |k: u64| -> Result<Tensor, RunError> {
            let view = views.batch(&images, 2 * run.seed + k, &indices)?;
            let values = view.as_slice::<f32>().iter().map(|v| (v - 0.35) / 0.25).collect();
            Ok(Tensor::new(view.shape(), values)?)
        };
        Ok(Pairs { first: view(0)?, second: view(1)? })
    }

    /// Trains the network, and keeps the spectrum of its embeddings.
    fn train(&self, run: &Run, objective: &dyn Objective, rate: f64, factor: f64) -> Result<History, RunError> {
        let layers = Layers::new(Initializer::he(run.seed));
        let conv = || Conv { padding: vec![(1, 1); 2], ..Conv::default() }.stride(2);
        let embed = |x: &Expr| {
            let h = layers.at("conv1").conv2d(x, 16, 3, conv()).relu();
            let h = layers.at("conv2").conv2d(&h, 32, 3, conv()).relu();
            let h = flatten(&h);
            let weight = perturb_nn::Init::Normal(factor / (h.shape()[1] as f64).sqrt());
            layers.at("head").init(weight).linear_without_bias(&h, WIDTH)
        };
        let count = self.first.shape()[0];
        let step = joint_embedding(objective, self.first.shape(), embed)?;
        let x = Expr::input("first", self.first.shape(), DType::F32);
        let evaluator = Evaluator::new(&[x.clone()], &[embed(&x)])?;
        let pairs = Examples::new("first", self.first.clone())?.with("second", self.second.clone())?;
        let trainer = Trainer {
            epochs: run.scaled(600, 3000),
            seed: run.seed,
            ..Trainer::with(Sgd { learning_rate: rate, ..Sgd::default() })
        };
        let mut watch = Watch { evaluator, pairs: pairs.clone(), rate, next: 1.0, history: History::default() };
        trainer.fit(step, &Shuffled::new(pairs, count)?, &mut [&mut watch])?;
        Ok(watch.history)
    }
}

/// How an embedding became what it is.
#[derive(Default)]
struct History {
    /// Learning rate × step.
    times: Vec<f64>,
    spectra: Vec<Vec<f64>>,
    effective_ranks: Vec<f64>,
}

impl History {
    /// The rank correlation of effective rank with time from `first` on.
    fn rise(&self, first: f64) -> Result<f64, RunError> {
        let from = self.times.partition_point(|t| *t < first).min(self.times.len() - 2);
        Ok(spearman(&self.times[from..], &self.effective_ranks[from..])?)
    }

    fn record(&self, found: &mut Measurements, name: &str) {
        for k in 0..WIDTH {
            let points = self.times.iter().zip(&self.spectra).map(|(t, s)| (t.log10(), s[k])).collect();
            found.curve(&format!("{STAIRCASE} {} of {name}", k + 1), points);
        }
        let points = self.times.iter().zip(&self.effective_ranks).map(|(t, r)| (t.log10(), *r)).collect();
        found.curve(&format!("effective rank of {name}"), points);
    }
}

/// Keeps the spectrum at steps of which each is 4 % later than the one before.
struct Watch {
    evaluator: Evaluator,
    pairs: Examples,
    rate: f64,
    next: f64,
    history: History,
}

impl Callback for Watch {
    fn step(&mut self, run: &mut perturb_nn::Run) -> Result<Control, TrainError> {
        if (run.step() as f64) < self.next {
            return Ok(Control::Continue);
        }
        self.next = 1.04 * run.step() as f64;
        let embedded = self.evaluator.outputs(&run.parameters(), &self.pairs)?.remove(0).to_f64_vec();
        let fail = |error: &dyn std::fmt::Display| TrainError::Setting(format!("no spectrum: {error}"));
        let embedded = Matrix::from_vec(embedded, WIDTH).map_err(|e| fail(&e))?;
        self.history.times.push(self.rate * run.step() as f64);
        self.history.effective_ranks.push(effective_rank(&embedded).map_err(|e| fail(&e))?);
        self.history.spectra.push(spectrum(&embedded).map_err(|e| fail(&e))?);
        Ok(Control::Continue)
    }
}
