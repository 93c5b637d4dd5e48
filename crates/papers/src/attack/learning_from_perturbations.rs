//! Theoretical Understanding of Learning from Adversarial Perturbations (Kumano, Kera & Yamasaki 2024).
//!
//! Claim: perturbations, even of a few pixels, carry class features enough to generalise: a network that has seen nothing
//! but wrongly labelled samples, perturbed towards their labels, classifies clean samples rightly. Exact: 100 orthonormal
//! points, for which the boundary of the learned network is known, with flipped and with random labels, against the size c
//! of the perturbations in the theory's unit `‖x‖/√N`. Real: noise images perturbed towards random labels teach 3 against
//! 8 of MNIST. Baselines: the same without perturbations; perturbations too small to win against flipped labels.
//!
//! In the theory random labels leave a part orthogonal to q, as long as `1/c` of the other; on Gaussian points two
//! directions with that angle agree in the share `1 − atan(1/c)/π`.

use super::subjects::mnist;
use crate::curves::mean_series;
use crate::training::{Fit, Split, perceptron};
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::measure::perturbation_learning::{
    Form, boundary, boundary_cosine, geometry_perturbation, imprint, relabel,
};
use perturb_attack::{Ball, Classifier, Norm};
use perturb_graph::{DType, Expr, Graph, Tensor};
use perturb_nn::{Examples, Sgd, Shuffled, Step, Trainer};
use perturb_report::chart::{Hue, LineChart, Marker, Sample, Series};
use perturb_report::picture::Picture;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

pub struct LearningFromPerturbations;

const LEARNED: &str = "perturbed";
const SMALL: &str = "perturbed too little";
const UNPERTURBED: &str = "not perturbed";
const L0: &str = "perturbed in ℓ0";
const L2: &str = "perturbed in ℓ2";
const LINF: &str = "perturbed in ℓ∞";

const COSINE: Quantity = Quantity::real("cosine of the learned direction with q");
const FLIPPED: Quantity = Quantity::share("agreement with the standard network, flipped labels");
const RISE: Quantity = Quantity::real("agreement at c = 8 − agreement at c = 1, random labels");
const MISFIT: Quantity = Quantity::positive("gap to 1 − atan(1/c)/π at c = 4 and 8, the larger");
const ACCURACY: Quantity = Quantity::share("accuracy on clean 3 and 8");
const STANDARD: Quantity = Quantity::share("accuracy of the network that the perturbations come from");
const FLIPPED_CURVE: &str = "agreement against c, flipped labels";
const RANDOM_CURVE: &str = "agreement against c, random labels";

const POINTS: usize = 100;
const WIDTH: usize = 400;
const HIDDEN: usize = 50;
const SLOPE: f64 = 0.5;

impl Reproduction for LearningFromPerturbations {
    fn slug(&self) -> &'static str {
        "learning-from-perturbations"
    }

    fn claim(&self) -> Claim {
        let level = |quantity: Quantity, arm| Estimator::Level(quantity.of(arm));
        Claim {
            method: LEARNED,
            baselines: &[SMALL, UNPERTURBED, L0, L2, LINF],
            seeds: 5,
            preconditions: vec![level(STANDARD, LEARNED).at_least(0.9)],
            rules: vec![
                Estimator::Difference(FLIPPED.of(LEARNED), FLIPPED.of(SMALL)).at_least(0.5),
                level(FLIPPED, LEARNED).at_least(0.99),
                level(COSINE, LEARNED).at_least(0.999),
                level(RISE, LEARNED).at_least(0.05),
                level(MISFIT, LEARNED).at_most(0.06),
                level(ACCURACY, L0).at_least(0.7),
                level(ACCURACY, L2).at_least(0.7),
                level(ACCURACY, LINF).at_least(0.7),
                // Where it must not hold.
                level(FLIPPED, SMALL).at_most(0.1),
                level(ACCURACY, UNPERTURBED).within(0.42, 0.58),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        run.progress(0.0, "orthonormal points");
        orthonormal(&mut found, run)?;
        run.progress(0.5, "MNIST");
        digits(&mut found, run)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let series =
            |curve, name: &str, hue, marker, bold| Series { bold, ..mean_series(seeds, curve, name, hue, marker) };
        let theory = (1..=80).map(|i| f64::from(i) / 10.0).map(|c| (c, predicted(c)));
        let theory = theory.map(|(x, y)| Sample { x, y, interval: None, note: String::new() }).collect();
        let chart = LineChart {
            description: "Agreement with the standard network against the size of the perturbations.".into(),
            x_label: "c, size of the perturbations times √N".into(),
            y_label: "agreement with the standard network".into(),
            x_range: (0.0, 8.0),
            y_range: (0.0, 1.0),
            percent: true,
            series: vec![
                series(FLIPPED_CURVE, "flipped labels", Hue::Blue, Marker::Square, false),
                series(RANDOM_CURVE, "random labels", Hue::Vermillion, Marker::Circle, true),
                Series {
                    name: "1 − atan(1/c)/π".into(),
                    points: theory,
                    hue: Hue::Grey,
                    marker: Marker::Diamond,
                    dashed: true,
                    bold: false,
                },
            ],
            regions: Vec::new(),
        };
        let caption = "Orthonormal points; mean over seeds, bars from the lowest to the highest seed.";
        vec![Figure { name: "agreement", caption: caption.into(), chart }]
    }
}

fn predicted(c: f64) -> f64 {
    1.0 - (1.0 / c).atan() / std::f64::consts::PI
}

fn orthonormal(found: &mut Measurements, run: &Run) -> Result<(), RunError> {
    let mut rng = ChaCha8Rng::seed_from_u64(run.seed);
    let x = points(&mut rng)?;
    // As many of one label as of the other.
    let mut labels: Vec<f64> = (0..POINTS).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
    labels.shuffle(&mut rng);
    let standard = Network::fit(&x, &labels, run.seed)?;
    let q = boundary(&x, &labels)?;
    found.record(COSINE.of(LEARNED), boundary_cosine(&standard.direction(), &q))?;
    let test: Vec<f64> = (0..run.scaled(1000, 10_000) * WIDTH).map(|_| StandardNormal.sample(&mut rng)).collect();
    let expected = standard.signs(&test);
    let agreement = |c: f64, labels: &[f64]| -> Result<f64, RunError> {
        let eta = geometry_perturbation(&q, Form::Euclidean, c / (POINTS as f64).sqrt());
        let network = Network::fit(&relabel(&x, &eta, labels)?, labels, run.seed + 1)?;
        let same = network.signs(&test).iter().zip(&expected).filter(|(a, b)| a == b).count();
        Ok(same as f64 / expected.len() as f64)
    };
    let flipped: Vec<f64> = labels.iter().map(|y| -y).collect();
    let curve = |sizes: &[f64], labels: &[f64]| -> Result<Vec<(f64, f64)>, RunError> {
        sizes.iter().map(|&c| Ok((c, agreement(c, labels)?))).collect()
    };
    let flips = curve(&[0.25, 0.5, 1.0, 2.0, 4.0], &flipped)?;
    found.record(FLIPPED.of(SMALL), flips[0].1.max(flips[1].1))?;
    found.record(FLIPPED.of(LEARNED), flips[3].1.min(flips[4].1))?;
    found.curve(FLIPPED_CURVE, flips);
    let random: Vec<f64> = (0..POINTS).map(|_| if rng.random::<bool>() { 1.0 } else { -1.0 }).collect();
    let random = curve(&[1.0, 2.0, 4.0, 8.0], &random)?;
    found.record(RISE.of(LEARNED), random[3].1 - random[0].1)?;
    let misfit = random[2..].iter().map(|(c, a)| (a - predicted(*c)).abs()).fold(0.0, f64::max);
    found.record(MISFIT.of(LEARNED), misfit)?;
    found.curve(RANDOM_CURVE, random);
    Ok(())
}

/// Random orthonormal points, by Gram and Schmidt.
fn points(rng: &mut ChaCha8Rng) -> Result<Tensor, RunError> {
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(POINTS);
    for _ in 0..POINTS {
        let mut row: Vec<f64> = (0..WIDTH).map(|_| StandardNormal.sample(rng)).collect();
        for other in &rows {
            let along: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
            row.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
        }
        let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        row.iter_mut().for_each(|v| *v /= length);
        rows.push(row);
    }
    Ok(Tensor::from_f64([POINTS, WIDTH], DType::F32, rows.concat())?)
}

/// The theory's network, `f(x) = Σ v_j·φ(w_j·x)/√m` with v_j = ±1 fixed and φ a leaky ReLU.
struct Network {
    // w, row by row.
    weights: Vec<f64>,
}

impl Network {
    /// Gradient descent on the logistic loss, from weights close to 0.
    fn fit(inputs: &Tensor, labels: &[f64], seed: u64) -> Result<Network, RunError> {
        const START: f64 = 1e-5;
        const RATE: f64 = 8.0;
        const STEPS: usize = 400;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let start = (0..HIDDEN * WIDTH).map(|_| rng.random_range(-START..START)).collect();
        let weights = Expr::param("w", Tensor::from_f64([HIDDEN, WIDTH], DType::F32, start)?);
        let signs: Vec<f64> = (0..HIDDEN).map(|j| sign(j) / (HIDDEN as f64).sqrt()).collect();
        let signs = Expr::constant(Tensor::from_f64([HIDDEN, 1], DType::F32, signs)?);
        let mut step = Step::new();
        let x = step.input("x", [POINTS, WIDTH], DType::F32);
        let y = step.input("y", [POINTS, 1], DType::F32);
        let outputs = x.matmul(&weights.transpose(&[1, 0])).leaky_relu(SLOPE).matmul(&signs);
        step.minimize(outputs.mul(&y).neg().softplus());
        let labels = Tensor::from_f64([POINTS, 1], DType::F32, labels.to_vec())?;
        let examples = Examples::new("x", inputs.clone())?.with("y", labels)?;
        let trainer = Trainer { epochs: STEPS, ..Trainer::with(Sgd { learning_rate: RATE, ..Sgd::default() }) };
        let trained = trainer.fit(step, &Shuffled::new(examples, POINTS)?, &mut [])?;
        let weights = trained.parameters.get("w").map(Tensor::to_f64_vec);
        let missing = || RunError::Measurement("training left no weights".into());
        Ok(Network { weights: weights.ok_or_else(missing)? })
    }

    /// `Σ v_j·w_j`.
    fn direction(&self) -> Vec<f64> {
        let mut direction = vec![0.0; WIDTH];
        for (j, w) in self.weights.chunks_exact(WIDTH).enumerate() {
            direction.iter_mut().zip(w).for_each(|(d, w)| *d += sign(j) * w);
        }
        direction
    }

    /// Which of the points, row by row, are classified as +1.
    fn signs(&self, points: &[f64]) -> Vec<bool> {
        let output = |z: &[f64]| -> f64 {
            let units = self.weights.chunks_exact(WIDTH).enumerate().map(|(j, w)| {
                let along: f64 = w.iter().zip(z).map(|(w, z)| w * z).sum();
                sign(j) * if along > 0.0 { along } else { SLOPE * along }
            });
            units.sum()
        };
        points.chunks_exact(WIDTH).map(|z| output(z) > 0.0).collect()
    }
}

fn sign(unit: usize) -> f64 {
    if unit.is_multiple_of(2) { 1.0 } else { -1.0 }
}

/// 3 against 8 of MNIST, learned from noise images.
fn digits(found: &mut Measurements, run: &Run) -> Result<(), RunError> {
    const IMAGES: usize = 2000;
    let data = mnist(run, run.scaled([10_000, 2000], [60_000, 10_000]))?;
    let [(train, train_labels), (test, test_labels)] = threes_and_eights(&data)?;
    let fit = |images: &Tensor, labels: &[usize], seed: u64| -> Result<Classifier, RunError> {
        let x = Expr::input("image", [1, 1, 28, 28], DType::F32);
        // Noise is brighter than digits: each image is seen without its mean.
        let mean = x.reduce_mean(&[1, 2, 3], true);
        let logits = perceptron(&x.sub(&mean), &[100], 2, seed);
        let graph = Graph::new(vec![x], vec![("logits".into(), logits)])?;
        let fit = Fit { batch: 50, classes: 2, epochs: run.scaled(6, 12), seed: run.seed, hook: None };
        Ok(Classifier::new(&fit.run(&graph, images, labels, |_| ())?, 100)?)
    };
    let accuracy = |model: &Classifier| super::subjects::accuracy(model, &test, &test_labels);
    let teacher = fit(&train, &train_labels, run.seed)?;
    found.record(STANDARD.of(LEARNED), accuracy(&teacher)?)?;
    let mut rng = ChaCha8Rng::seed_from_u64(run.seed + 7);
    let noise = Tensor::new([IMAGES, 1, 1, 28, 28], (0..IMAGES * 784).map(|_| rng.random::<f32>()).collect())?;
    let labels: Vec<usize> = (0..IMAGES).map(|_| rng.random_range(0..2)).collect();
    found.record(ACCURACY.of(UNPERTURBED), accuracy(&fit(&noise, &labels, run.seed + 1)?)?)?;
    for (arm, norm, epsilon) in [(L0, Norm::L0, 40.0), (L2, Norm::L2, 2.0), (LINF, Norm::Linf, 0.1)] {
        run.progress(0.6, arm);
        let ball = Ball::new(norm, epsilon, (0.0, 1.0))?;
        let moved = imprint(&teacher, &noise, &labels, &ball, 10, 0.25)?;
        found.record(ACCURACY.of(arm), accuracy(&fit(&moved, &labels, run.seed + 1)?)?)?;
        let first: Vec<f32> =
            noise.as_slice::<f32>().iter().zip(moved.as_slice::<f32>()).take(784).map(|(n, m)| m - n).collect();
        found.image(
            &format!("perturbation of a noise image, {arm}"),
            &Picture::new(&first, [1, 28, 28])?.heatmap_png(6)?,
        );
    }
    Ok(())
}

type Labelled = (Tensor, Vec<usize>);

/// Training and test images of 3, class 0, and 8, class 1.
fn threes_and_eights(data: &Split) -> Result<[Labelled; 2], RunError> {
    let part = |images: &Tensor, labels: &[usize]| -> Result<Labelled, RunError> {
        let rows: Vec<usize> = (0..labels.len()).filter(|&i| [3, 8].contains(&labels[i])).collect();
        let classes = rows.iter().map(|&i| usize::from(labels[i] == 8)).collect();
        Ok((super::subjects::gather(images, &rows)?, classes))
    };
    Ok([part(&data.train, &data.train_labels)?, part(&data.test, &data.test_labels)?])
}
