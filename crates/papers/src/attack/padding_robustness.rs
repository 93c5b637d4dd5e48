//! On the Interplay of Convolutional Padding and Adversarial Robustness (Gavrikov & Keuper 2023).
//!
//! Claim: perturbations are unlike at the border of the image, where convolutions see padding. Networks of one architecture
//! are trained with each kind of padding and attacked by DeepFool and DDN, whose perturbations have the length that they
//! need. On the `shapes` world drawn on a torus content is the same everywhere, and a network with circular padding and
//! strides of 1 is exactly equivariant to shifts: what it leaves at the border is chance, the control. On CIFAR-10, where
//! content varies with the place, zero padding is compared with none on the same images, there with A(0) itself, not with
//! |log A(0)|: without padding fewer windows see the border (3 of 9 positions of a 3×3 one, with padding 6), so that
//! perturbations avoid it on the torus too, where content cannot be why, and |log A(0)| is largest of all.

use super::subjects::{BATCH, cifar, right};
use crate::curves::mean_series;
use crate::training::{Fit, Split};
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::measure::padding::ring_profile;
use perturb_attack::{Attack, Ball, Classifier, Criterion, Ddn, DeepFool, Norm, Seed};
use perturb_data::worlds::shapes::{Placement, Radii, Scenes, ShapeKind};
use perturb_graph::{Conv, DType, Expr, Graph, Padding, Tensor};
use perturb_nn::{Initializer, Layers};
use perturb_report::chart::{Hue, LineChart, Marker};
use perturb_report::picture::Picture;

pub struct PaddingRobustness;

const ZERO: &str = "zero padding";
const REFLECT: &str = "reflect";
const REPLICATE: &str = "replicate";
const CIRCULAR: &str = "circular";
const NONE: &str = "no padding";
const MODES: [(Padding, &str); 5] = [
    (Padding::Zero, ZERO),
    (Padding::Reflect, REFLECT),
    (Padding::Replicate, REPLICATE),
    (Padding::Circular, CIRCULAR),
    (Padding::None, NONE),
];

/// What one attack measures.
struct Measured {
    anomaly: Quantity,
    border: Quantity,
    robust: Quantity,
}

const TORUS: [Measured; 2] = [
    Measured {
        anomaly: Quantity::positive("anomaly on the torus, DeepFool"),
        border: Quantity::real("log A(0) on the torus, DeepFool"),
        robust: Quantity::share("robust accuracy on the torus, DeepFool"),
    },
    Measured {
        anomaly: Quantity::positive("anomaly on the torus, DDN"),
        border: Quantity::real("log A(0) on the torus, DDN"),
        robust: Quantity::share("robust accuracy on the torus, DDN"),
    },
];
const CIFAR: [Measured; 2] = [
    Measured {
        anomaly: Quantity::positive("anomaly on CIFAR-10, DeepFool"),
        border: Quantity::real("log A(0) on CIFAR-10, DeepFool"),
        robust: Quantity::share("robust accuracy on CIFAR-10, DeepFool"),
    },
    Measured {
        anomaly: Quantity::positive("anomaly on CIFAR-10, DDN"),
        border: Quantity::real("log A(0) on CIFAR-10, DDN"),
        robust: Quantity::share("robust accuracy on CIFAR-10, DDN"),
    },
];
const CLEAN: Quantity = Quantity::share("accuracy on the torus");
const CLEAN_CIFAR: Quantity = Quantity::share("accuracy on CIFAR-10");

const SIDE: usize = 16;
const RINGS: usize = 5;
const KINDS: [ShapeKind; 3] = [ShapeKind::Circle, ShapeKind::Triangle, ShapeKind::Cross];
/// Robust accuracy is that against perturbations of this ℓ2 length, on the torus and on CIFAR-10.
const BUDGETS: [f64; 2] = [1.0, 0.25];

impl Reproduction for PaddingRobustness {
    fn slug(&self) -> &'static str {
        "padding-robustness"
    }

    fn claim(&self) -> Claim {
        let more = |m: &Measured, than| Estimator::Difference(m.anomaly.of(ZERO), m.anomaly.of(than));
        let shifted = |m: &Measured| Estimator::Difference(m.border.of(ZERO), m.border.of(NONE));
        let border = |m: &Measured| Estimator::Level(m.border.of(CIRCULAR));
        Claim {
            method: ZERO,
            baselines: &[REFLECT, REPLICATE, CIRCULAR, NONE],
            seeds: 5,
            preconditions: MODES.iter().map(|(_, arm)| Estimator::Level(CLEAN.of(arm)).at_least(0.5)).collect(),
            rules: vec![
                more(&TORUS[0], CIRCULAR).at_least(0.1),
                more(&TORUS[1], CIRCULAR).at_least(0.1),
                shifted(&CIFAR[0]).at_least(0.1),
                shifted(&CIFAR[1]).at_least(0.1),
                // Where there must be none.
                border(&TORUS[0]).within(-0.05, 0.05),
                border(&TORUS[1]).within(-0.05, 0.05),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        let [train, test, count] = run.scaled([1000, 400, 300], [3000, 1000, 800]);
        let torus = torus(run.seed, [train, test])?;
        let epochs = run.scaled(10, 20);
        for (k, (mode, arm)) in MODES.into_iter().enumerate() {
            run.progress(0.12 * k as f64, arm);
            let subject = Subject { data: &torus, classes: KINDS.len(), widths: &[12, 16, 16], mode, arm };
            let model = subject.train(run, epochs)?;
            found.record(CLEAN.of(arm), subject.accuracy(&model)?)?;
            let deltas = subject.attack(&mut found, &model, &TORUS, count, BUDGETS[0], run)?;
            found.curve(arm, profile(&deltas)?);
            let map = mean_map(&deltas);
            found.image(&format!("mean |δ| on the torus, {arm}"), &Picture::new(&map, [1, SIDE, SIDE])?.png(8)?);
        }
        let shrink = run.scaled(2, 1);
        let data = cifar(run, run.scaled([2000, 500], [10_000, 2000]))?.map(|images| shrunk(images, shrink))?;
        let modes: &[usize] = run.scaled(&[0, 4], &[0, 1, 2, 3, 4]);
        for (k, &index) in modes.iter().enumerate() {
            let (mode, arm) = MODES[index];
            run.progress(0.6 + 0.4 * k as f64 / modes.len() as f64, &format!("CIFAR-10, {arm}"));
            let subject = Subject { data: &data, classes: 10, widths: &[12, 16, 24], mode, arm };
            let model = subject.train(run, run.scaled(6, 10))?;
            found.record(CLEAN_CIFAR.of(arm), subject.accuracy(&model)?)?;
            subject.attack(&mut found, &model, &CIFAR, run.scaled(100, 600), BUDGETS[1], run)?;
        }
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let looks = [
            (Hue::Vermillion, Marker::Circle),
            (Hue::Blue, Marker::Square),
            (Hue::Sky, Marker::Diamond),
            (Hue::Green, Marker::Triangle),
            (Hue::Grey, Marker::Circle),
        ];
        let series = MODES.iter().zip(looks);
        let series = series.map(|((_, arm), (hue, marker))| mean_series(seeds, arm, arm, hue, marker));
        let chart = LineChart {
            description: "Mean size of perturbations on the rings of pixels from the border inwards, over the inside."
                .into(),
            x_label: "ring".into(),
            y_label: "A(k)".into(),
            x_range: (0.0, RINGS as f64 - 1.0),
            y_range: (0.0, 2.0),
            percent: false,
            series: series.collect(),
            regions: Vec::new(),
        };
        let caption = "DDN on the torus. Mean over seeds; bars from the lowest to the highest seed.";
        vec![Figure { name: "rings", caption: caption.into(), chart }]
    }
}

/// Pictures `[N, 1, 3, 16, 16]` of one object anywhere on a torus, labelled by its kind.
fn torus(seed: u64, [train, test]: [usize; 2]) -> Result<Split, RunError> {
    let world = Scenes {
        size: SIDE,
        objects: [1, 1],
        kinds: KINDS.map(|kind| (kind, 1.0)).to_vec(),
        radii: Radii::Between(0.28, 0.38),
        placement: Placement::Torus,
        ..Scenes::default()
    };
    let part = |seed: u64, count: usize| -> Result<(Tensor, Vec<usize>), RunError> {
        let set = world.dataset(seed, count)?;
        let label = |kind| KINDS.iter().position(|&k| k == kind).unwrap_or(0);
        let labels = set.scenes.iter().map(|s| label(s.objects[0].kind)).collect();
        Ok((set.images.reshape([count, 1, 3, SIDE, SIDE])?, labels))
    };
    let ((train, train_labels), (test, test_labels)) = (part(2 * seed, train)?, part(2 * seed + 1, test)?);
    Ok(Split { train, train_labels, test, test_labels })
}

/// Images `[N, 1, 3, H, W]` with means over squares in place of their pixels.
fn shrunk(images: &Tensor, factor: usize) -> Result<Tensor, RunError> {
    let &[n, one, c, h, w] = &images.shape()[..] else {
        return Err(RunError::Measurement(format!("no images: {}", images.shape())));
    };
    let (rows, columns, values) = (h / factor, w / factor, images.as_slice::<f32>());
    let mean = |k: usize| {
        let (plane, row, column) = (k / (rows * columns), k / columns % rows * factor, k % columns * factor);
        let start = (plane * h + row) * w + column;
        let square = (0..factor).flat_map(|i| &values[start + i * w..start + i * w + factor]);
        square.sum::<f32>() / (factor * factor) as f32
    };
    let values = (0..n * c * rows * columns).map(mean).collect();
    Ok(Tensor::new([n, one, c, rows, columns], values)?)
}

/// A network of one kind of padding on some data.
struct Subject<'a> {
    data: &'a Split,
    classes: usize,
    widths: &'a [usize],
    mode: Padding,
    arm: &'static str,
}

impl Subject<'_> {
    /// Convolutions of 3×3 with strides of 1, the mean over all places, and a layer of logits.
    fn train(&self, run: &Run, epochs: usize) -> Result<Classifier, RunError> {
        let layers = Layers::new(Initializer::he(run.seed));
        let image = Expr::input("image", &self.data.train.shape()[1..], DType::F32);
        let mut x = image.offset(-0.5).scale(4.0);
        for (k, &width) in self.widths.iter().enumerate() {
            x = layers.at(format!("conv{k}")).conv2d(&x, width, 3, Conv::same().border(self.mode)).relu();
        }
        let logits = layers.at("fc").linear(&x.reduce_mean(&[2, 3], false), self.classes);
        let graph = Graph::new(vec![image], vec![("logits".into(), logits)])?;
        let fit = Fit { batch: BATCH / 2, classes: self.classes, epochs, seed: run.seed, hook: None };
        let trained = fit.run(&graph, &self.data.train, &self.data.train_labels, |_| ())?;
        Ok(Classifier::new(&trained, BATCH)?)
    }

    fn accuracy(&self, model: &Classifier) -> Result<f64, RunError> {
        super::subjects::accuracy(model, &self.data.test, &self.data.test_labels)
    }

    /// Records anomalies and robust accuracies of the two attacks, and returns the second's perturbations.
    fn attack(
        &self,
        found: &mut Measurements,
        model: &Classifier,
        measured: &[Measured; 2],
        count: usize,
        budget: f64,
        run: &Run,
    ) -> Result<Tensor, RunError> {
        let clean = self.accuracy(model)?;
        let count = count.min((clean * self.data.test_labels.len() as f64).round() as usize);
        let (images, labels) = right(model, self.data, count)?;
        let ball = Ball::unbounded(Norm::L2, (0.0, 1.0))?;
        let ddn = Ddn { steps: 20, rate: 0.1, levels: None, ..Ddn::default() };
        let attacks: [&dyn Attack; 2] = [&DeepFool::default(), &ddn];
        let mut last = images.clone();
        for (attack, measured) in attacks.into_iter().zip(measured) {
            let criterion = Criterion::Misclassify { labels: labels.clone() };
            let result = attack.run(model, &images, &criterion, &ball, &Seed::new(run.seed, 0))?;
            let deltas = result.inputs.as_slice::<f32>().iter().zip(images.as_slice::<f32>()).map(|(a, b)| a - b);
            last = Tensor::new(images.shape(), deltas.collect())?;
            let border = ring_profile(&last, RINGS)?.ratios[0].max(1e-6).ln();
            found.record(measured.anomaly.of(self.arm), border.abs())?;
            found.record(measured.border.of(self.arm), border)?;
            let near = result.success.iter().zip(&result.distances).filter(|(s, d)| **s && **d <= budget).count();
            found.record(measured.robust.of(self.arm), clean * (1.0 - near as f64 / count as f64))?;
        }
        Ok(last)
    }
}

fn profile(deltas: &Tensor) -> Result<Vec<(f64, f64)>, RunError> {
    let profile = ring_profile(deltas, RINGS)?;
    Ok(profile.ratios.iter().enumerate().map(|(k, a)| (k as f64, *a)).collect())
}

/// Mean of |δ| over images and channels, the largest drawn white.
fn mean_map(deltas: &Tensor) -> Vec<f32> {
    let mut map = vec![0.0f32; SIDE * SIDE];
    for plane in deltas.as_slice::<f32>().chunks_exact(SIDE * SIDE) {
        map.iter_mut().zip(plane).for_each(|(m, d)| *m += d.abs());
    }
    let largest = map.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    map.iter().map(|m| m / largest).collect()
}
