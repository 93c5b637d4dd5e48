//! How many perturbations break this model? Evaluating robustness beyond adversarial accuracy (Olivier & Raj 2023).
//!
//! Claim: how far an attack must be free to leave a random direction tells networks apart that no point of which resists:
//! training on augmented images makes perturbations harder to meet while adversarial accuracy stays at zero. First exactly,
//! on a plane: angles against the formula, numbers of freed coordinates against addition. Then networks trained on MNIST, on
//! images as they are and with noise added, each image as often. Where there must be no difference: one network, with other
//! random directions.
//!
//! The claim does not name the augmentation. Moving images (rotation, shift, scale, shear) instead is recorded.

use super::subjects::{BATCH, cnn, gather, mnist, right, trained};
use crate::curves::mean_series;
use crate::training::Split;
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::measure::sparsity::{Sparse, Sparsity};
use perturb_attack::{Attack, Ball, Classifier, Criterion, Norm, Pgd, Seed};
use perturb_data::augment::{Augmentation, RandomAffine};
use perturb_data::corrupt::{Corrupt, Corruption, Profile, Severity};
use perturb_graph::{DType, Expr, Graph, Tensor};
use perturb_report::chart::{Hue, LineChart, Marker};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::f64::consts::PI;

pub struct AdversarialSparsity;

const AUGMENTED: &str = "noise added";
const MOVED: &str = "moved";
const PLAIN: &str = "plain";
const AGAIN: &str = "plain, other directions";
const PLANE: &str = "plane";

const ANGLE: Quantity = Quantity { name: "angular sparsity, radians", lowest: 0.0, highest: PI };
const COUNT: Quantity = Quantity::positive("vertex sparsity, coordinates");
const CLEAN: Quantity = Quantity::share("accuracy");
const ROBUST: Quantity = Quantity::share("adversarial accuracy, ℓ2");
const ROBUST_LINF: Quantity = Quantity::share("adversarial accuracy, ℓ∞");
const ANGLE_ERROR: Quantity = Quantity::positive("relative error of the angle, against the integral");
const COUNT_ERROR: Quantity = Quantity::positive("relative error of the number, against addition");
const CHANGE: Quantity = Quantity::positive("relative change of the angle");

const EPSILON: f64 = 2.5;
const EPSILON_LINF: f64 = 0.15;
/// How often each training image is seen, changed or not.
const COPIES: usize = 3;
/// Of the plane: dimensions, and its distance.
const DIMENSIONS: usize = 10;
const NEAR: f64 = 0.5;

impl Reproduction for AdversarialSparsity {
    fn slug(&self) -> &'static str {
        "adversarial-sparsity"
    }

    fn claim(&self) -> Claim {
        let level = |quantity: Quantity, arm| Estimator::Level(quantity.of(arm));
        let difference = |quantity: Quantity| Estimator::Difference(quantity.of(AUGMENTED), quantity.of(PLAIN));
        Claim {
            method: AUGMENTED,
            baselines: &[MOVED, PLAIN, AGAIN, PLANE],
            seeds: 5,
            preconditions: vec![level(ROBUST, AUGMENTED).at_most(0.02), level(ROBUST, PLAIN).at_most(0.02)],
            rules: vec![
                difference(ANGLE).at_least(0.001),
                level(ANGLE_ERROR, PLANE).at_most(0.03),
                level(COUNT_ERROR, PLANE).at_most(0.03),
                // Where there must be no difference.
                level(CHANGE, AGAIN).at_most(0.03),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        plane(&mut found, run)?;
        run.progress(0.2, "training");
        let data = mnist(run, run.scaled([1500, 300], [10_000, 1000]))?;
        let graph = cnn([1, 28, 28], 8, run.seed)?;
        let noise =
            Corrupt { corruption: Corruption::GaussianNoise, severity: Severity::new(3)?, profile: Profile::ImageNet };
        let affine = RandomAffine { degrees: 15.0, translate: 0.1, scale: (0.85, 1.15), shear: 10.0, fill: 0.0 };
        let subjects = [
            (AUGMENTED, augmented(&data, COPIES, &noise, run.seed)?),
            (MOVED, augmented(&data, COPIES, &affine, run.seed)?),
            (PLAIN, repeated(&data, COPIES)?),
        ];
        for (k, (arm, data)) in subjects.iter().enumerate() {
            run.progress(0.3 + 0.23 * k as f64, arm);
            let model = Classifier::new(&trained(&graph, data, run, run.scaled(3, 6), None)?, BATCH)?;
            found.record(CLEAN.of(arm), super::subjects::accuracy(&model, &data.test, &data.test_labels)?)?;
            measure(&mut found, &model, data, arm, run)?;
        }
        let (first, again) = (found.value(ANGLE.of(PLAIN)), found.value(ANGLE.of(AGAIN)));
        let change = first.zip(again).map_or(f64::NAN, |(first, again)| (again - first).abs() / first);
        found.record(CHANGE.of(AGAIN), change)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let series = [
            (AUGMENTED, Hue::Vermillion, Marker::Circle),
            (MOVED, Hue::Sky, Marker::Diamond),
            (PLAIN, Hue::Blue, Marker::Square),
        ]
        .map(|(arm, hue, marker)| mean_series(seeds, arm, arm, hue, marker));
        let chart = LineChart {
            description: "Share of directions within the angle of which a perturbation is found.".into(),
            x_label: "angle α, radians".into(),
            y_label: "directions".into(),
            x_range: (0.0, 1.6),
            y_range: (0.0, 1.0),
            percent: true,
            series: series.into(),
            regions: Vec::new(),
        };
        let caption = "Mean over seeds; bars from the lowest to the highest seed.";
        vec![Figure { name: "angles", caption: caption.into(), chart }]
    }
}

/// The training images, so many copies of each, changed at random.
fn augmented(data: &Split, copies: usize, augmentation: &dyn Augmentation, seed: u64) -> Result<Split, RunError> {
    let repeated = repeated(data, copies)?;
    let count = repeated.train_labels.len();
    let images = repeated.train.reshape([count, 1, 28, 28])?;
    let images = augmentation.batch(&images, seed, &(0..count as u64).collect::<Vec<u64>>())?;
    Ok(Split { train: images.reshape([count, 1, 1, 28, 28])?, ..repeated })
}

/// The training images, so many times.
fn repeated(data: &Split, copies: usize) -> Result<Split, RunError> {
    let count = data.train_labels.len();
    let rows: Vec<usize> = (0..copies).flat_map(|_| 0..count).collect();
    Ok(Split {
        train: gather(&data.train, &rows)?,
        train_labels: rows.iter().map(|&row| data.train_labels[row]).collect(),
        test: data.test.clone(),
        test_labels: data.test_labels.clone(),
    })
}

fn measure(
    found: &mut Measurements,
    model: &Classifier,
    data: &Split,
    arm: &'static str,
    run: &Run,
) -> Result<(), RunError> {
    let (images, labels) = right(model, data, run.scaled(60, 200))?;
    let balls = [(Norm::L2, EPSILON), (Norm::Linf, EPSILON_LINF)];
    let [l2, linf] = balls.map(|(norm, epsilon)| Ball::new(norm, epsilon, (0.0, 1.0)));
    let (l2, linf) = (l2?, linf?);
    for (ball, quantity) in [(&l2, ROBUST), (&linf, ROBUST_LINF)] {
        let criterion = Criterion::Misclassify { labels: labels.clone() };
        let broken = Pgd::default().run(model, &images, &criterion, ball, &Seed::new(run.seed, 0))?;
        let left = broken.success.iter().filter(|s| !**s).count();
        found.record(quantity.of(arm), left as f64 / labels.len() as f64)?;
    }
    let sparsity = Sparsity { directions: 8, steps: 10, resolution: 512, ..Sparsity::default() };
    let at = |ball: &Ball, seed: u64| -> Result<Vec<f64>, RunError> {
        let all = sparsity.run(model, &images, &labels, ball, &Seed::new(seed, 0))?;
        Ok(all.into_iter().flatten().flat_map(|s: Sparse| s.per_direction).collect())
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let angles = at(&l2, run.seed)?;
    found.record(ANGLE.of(arm), mean(&angles))?;
    found.record(COUNT.of(arm), mean(&at(&linf, run.seed)?))?;
    let within = |limit: f64| angles.iter().filter(|a| **a <= limit).count() as f64 / angles.len() as f64;
    found.curve(arm, (0..=16).map(|k| 0.1 * f64::from(k)).map(|limit| (limit, within(limit))).collect());
    if arm == PLAIN {
        found.record(ANGLE.of(AGAIN), mean(&at(&l2, run.seed + 1000)?))?;
    }
    Ok(())
}

/// The measures on a linear classifier, whose values are known.
fn plane(found: &mut Measurements, run: &Run) -> Result<(), RunError> {
    let mut rng = ChaCha8Rng::seed_from_u64(run.seed);
    let w: Vec<f32> = (0..DIMENSIONS).map(|_| rng.random_range(-1.0..1.0)).collect();
    let length = |power: i32| w.iter().map(|v| f64::from(v.abs()).powi(power)).sum::<f64>();
    let directions = run.scaled(3000, 10_000);
    let sparsity = Sparsity { directions, steps: 10, relative_step: 0.5, resolution: 256 };
    let origin = Tensor::full([1, DIMENSIONS], 0.0f32);
    let at = |norm, bias: f64| -> Result<f64, RunError> {
        let ball = Ball::new(norm, 1.0, (-9.0, 9.0))?;
        let found = sparsity.run(&linear(&w, bias)?, &origin, &[0], &ball, &Seed::new(run.seed, 0))?;
        Ok(found[0].as_ref().map_or(f64::NAN, |s| s.mean))
    };
    // The bisection ends at the upper end of a part of the angle, on average half a part too far.
    let angle = at(Norm::L2, NEAR * length(2).sqrt())? - 0.5 * PI / sparsity.resolution as f64;
    let exact = mean_angle();
    found.record(ANGLE.of(PLANE), angle)?;
    found.record(ANGLE_ERROR.of(PLANE), (angle - exact).abs() / exact)?;

    let bias = NEAR * length(1);
    let count = at(Norm::Linf, bias)?;
    let exact = mean_count(&w, bias, 20 * directions, &mut rng);
    found.record(COUNT.of(PLANE), count)?;
    found.record(COUNT_ERROR.of(PLANE), (count - exact).abs() / exact)
}

/// Logits (w·x + b, 0).
fn linear(w: &[f32], bias: f64) -> Result<Classifier, RunError> {
    let x = Expr::input("x", [1, DIMENSIONS], DType::F32);
    let weights = Expr::constant(Tensor::new([DIMENSIONS, 1], w.to_vec())?);
    let score = x.matmul(&weights).offset(bias);
    let logits = Expr::concat(&[score.clone(), score.like(0.0)], 1);
    Ok(Classifier::new(&Graph::new(vec![x], vec![("logits".into(), logits)])?, 200)?)
}

/// The mean of max(0, θ − arccos(g/ε)) over angles θ to a fixed direction, whose density is sin^(d−2) θ.
fn mean_angle() -> f64 {
    const PARTS: usize = 100_000;
    let angles = (0..PARTS).map(|k| PI * (k as f64 + 0.5) / PARTS as f64);
    let density = |theta: f64| theta.sin().powi(DIMENSIONS as i32 - 2);
    let (sum, all) = angles.fold((0.0, 0.0), |(sum, all), theta| {
        (sum + density(theta) * (theta - NEAR.acos()).max(0.0), all + density(theta))
    });
    sum / all
}

/// The mean number of leading coordinates that must be turned against w until w·δ + b is negative, over random vertices.
/// The order of the coordinates does not matter for random ones: it is that of w, shuffled each time.
fn mean_count(w: &[f32], bias: f64, draws: usize, rng: &mut ChaCha8Rng) -> f64 {
    let mut shuffled: Vec<f64> = w.iter().map(|&v| f64::from(v)).collect();
    let mut total = 0;
    for _ in 0..draws {
        shuffled.shuffle(rng);
        let vertex: Vec<f64> = shuffled.iter().map(|v| if rng.random() { *v } else { -v }).collect();
        let mut score = bias + vertex.iter().sum::<f64>();
        let mut freed = 0;
        while score >= 0.0 && freed < w.len() {
            score -= vertex[freed] + shuffled[freed].abs();
            freed += 1;
        }
        total += freed;
    }
    total as f64 / draws as f64
}
