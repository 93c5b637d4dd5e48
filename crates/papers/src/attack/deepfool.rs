//! DeepFool: a simple and accurate method to fool deep neural networks (Moosavi-Dezfooli, Fawzi & Frossard 2016).
//!
//! Claim: stepping to the nearest linearised boundary finds smaller perturbations than earlier methods, at a small cost.
//! Method: DeepFool in ℓ2 on small convolutional networks for MNIST and CIFAR-10. Baselines: the smallest of 40 budgets of
//! FGSM that suffices, and the attack of Carlini and Wagner with 200 steps in each of nine searches. Exact: the distance to
//! the boundary of affine models; certified radii, which no perturbation can undercut. Where it need not be right: from
//! within an ellipsoid, whose boundary is curved, the true distance is known and DeepFool goes farther.
//!
//! A gradient is counted for every class that DeepFool looks at, nine in each step; the runs that share them are fewer. Carlini
//! and Wagner search nine times, with 10,000 steps each. (With four searches of 250 steps, DeepFool's share of their gradients
//! was 0.104 on MNIST and the rule failed by that.)

use super::subjects::{accuracy, cifar, cnn, median, mnist, right, trained};
use crate::curves::mean_series;
use crate::training::Split;
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::measure::rho_adv;
use perturb_attack::{
    Attack, Ball, CarliniWagner, Classifier, Criterion, DeepFool as Attacker, Fgsm, Norm, Seed, minimal_epsilon,
};
use perturb_certify::{Certifier, Method, Region, Settings};
use perturb_graph::{DType, Expr, Graph, Tensor};
use perturb_report::chart::{Hue, LineChart, Marker, Series};
use perturb_report::picture::Picture;
use perturb_threat::distance;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub struct DeepFool;

const DEEPFOOL: &str = "DeepFool";
const FGSM: &str = "smallest sufficient FGSM";
const CW: &str = "C&W";
const TRUTH: &str = "true distance";

/// What is measured on one data set.
struct Subject {
    accuracy: Quantity,
    norm: Quantity,
    gradients: Quantity,
    rho: Quantity,
}

const MNIST: Subject = Subject {
    accuracy: Quantity::share("accuracy, MNIST"),
    norm: Quantity::positive("median ℓ2 norm, MNIST"),
    gradients: Quantity::positive("gradients per image, MNIST"),
    rho: Quantity::positive("ρ_adv, MNIST"),
};
const CIFAR: Subject = Subject {
    accuracy: Quantity::share("accuracy, CIFAR-10"),
    norm: Quantity::positive("median ℓ2 norm, CIFAR-10"),
    gradients: Quantity::positive("gradients per image, CIFAR-10"),
    rho: Quantity::positive("ρ_adv, CIFAR-10"),
};
const GAP: Quantity = Quantity::positive("largest gap to the exact distance, affine models");
const STEPS: Quantity = Quantity::positive("steps on affine models");
const CERTIFIED: Quantity = Quantity::positive("certified radius ÷ norm found, the largest (MNIST)");
const CURVED: Quantity = Quantity::positive("mean distance to the surface of an ellipsoid");
const FOOLED: &str = "images fooled by DeepFool against ℓ2 norm, MNIST";
const FOOLED_FGSM: &str = "images fooled by FGSM against ℓ2 norm, MNIST";

const WIDE: (f64, f64) = (-100.0, 100.0);
const LARGEST_NORM: f64 = 8.0;

impl Reproduction for DeepFool {
    fn slug(&self) -> &'static str {
        "deepfool"
    }

    fn claim(&self) -> Claim {
        let ratio = |quantity: Quantity, over| Estimator::Ratio(quantity.of(DEEPFOOL), quantity.of(over));
        let largest = |quantity: Quantity| Estimator::Largest(quantity.of(DEEPFOOL));
        Claim {
            method: DEEPFOOL,
            baselines: &[FGSM, CW, TRUTH],
            seeds: 5,
            preconditions: vec![
                Estimator::Level(MNIST.accuracy.of(DEEPFOOL)).at_least(0.9),
                Estimator::Level(CIFAR.accuracy.of(DEEPFOOL)).at_least(0.4),
            ],
            rules: vec![
                ratio(MNIST.norm, FGSM).at_most(0.6),
                ratio(CIFAR.norm, FGSM).at_most(0.6),
                ratio(MNIST.norm, CW).at_most(1.5),
                ratio(CIFAR.norm, CW).at_most(1.5),
                ratio(MNIST.gradients, CW).at_most(0.1),
                ratio(CIFAR.gradients, CW).at_most(0.1),
                largest(GAP).at_most(1e-6),
                largest(STEPS).at_most(1.0),
                largest(CERTIFIED).at_most(1.0),
                // Where it need not be right.
                ratio(CURVED, TRUTH).at_least(1.01),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        affine(&mut found, run.seed)?;
        ellipsoids(&mut found, run.seed)?;
        let count = run.scaled(25, 200);
        run.progress(0.02, "MNIST");
        let data = mnist(run, run.scaled([5000, 500], [20_000, 2000]))?;
        let graph = trained(&cnn([1, 28, 28], 8, run.seed)?, &data, run, run.scaled(3, 6), None)?;
        let model = Classifier::new(&graph, count)?;
        let subject = measure(&mut found, &MNIST, &model, &data, count)?;
        found.curve(FOOLED, shares(&subject.norms));
        found.curve(FOOLED_FGSM, shares(&subject.fgsm));
        run.progress(0.4, "certified radii");
        certified(&mut found, &graph, &subject, run.scaled(10, 30))?;
        slice(&mut found, &model, &subject.images.rows(0, 1), subject.labels[0])?;
        run.progress(0.5, "CIFAR-10");
        let data = cifar(run, run.scaled([6000, 300], [10_000, 2000]))?;
        let graph = trained(&cnn([3, 32, 32], 12, run.seed)?, &data, run, run.scaled(6, 10), None)?;
        measure(&mut found, &CIFAR, &Classifier::new(&graph, count)?, &data, count)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let series =
            [(FOOLED, DEEPFOOL, Hue::Vermillion, Marker::Circle), (FOOLED_FGSM, FGSM, Hue::Blue, Marker::Square)];
        let series = series.into_iter().map(|(curve, name, hue, marker)| Series {
            bold: name == DEEPFOOL,
            ..mean_series(seeds, curve, name, hue, marker)
        });
        let chart = LineChart {
            description: "Share of images that perturbations up to a norm fool, for DeepFool and FGSM.".into(),
            x_label: "ℓ2 norm of the perturbation".into(),
            y_label: "images fooled".into(),
            x_range: (0.0, LARGEST_NORM),
            y_range: (0.0, 1.0),
            percent: true,
            series: series.collect(),
            regions: Vec::new(),
        };
        let caption = "MNIST; mean over seeds, bars from the lowest to the highest seed.";
        vec![Figure { name: "fooled", caption: caption.into(), chart }]
    }
}

/// Images that a model classifies rightly, and the norms that fool it.
struct Attacked {
    images: Tensor,
    labels: Vec<usize>,
    norms: Vec<f64>,
    fgsm: Vec<f64>,
}

fn measure(
    found: &mut Measurements,
    subject: &Subject,
    model: &Classifier,
    data: &Split,
    count: usize,
) -> Result<Attacked, RunError> {
    found.record(subject.accuracy.of(DEEPFOOL), accuracy(model, &data.test, &data.test_labels)?)?;
    let (images, labels) = right(model, data, count)?;
    let criterion = Criterion::Misclassify { labels: labels.clone() };
    let (free, seed) = (Ball::unbounded(Norm::L2, (0.0, 1.0))?, Seed::new(0, 0));

    let deepfool = Attacker::default().run(model, &images, &criterion, &free, &seed)?;
    let norms: Vec<f64> = failures_infinite(&deepfool.distances, &deepfool.success);
    let rivals = (model.classes() - 1) as f64;
    let mean = |queries: &[u64]| queries.iter().sum::<u64>() as f64 / queries.len() as f64;
    found.record(subject.norm.of(DEEPFOOL), median(&norms))?;
    found.record(subject.gradients.of(DEEPFOOL), rivals * mean(&deepfool.queries))?;
    let rho = rho_adv(&images, &deepfool).ok_or_else(|| RunError::Measurement("DeepFool fooled nothing".into()))?;
    found.record(subject.rho.of(DEEPFOOL), rho)?;

    let budgets: Vec<f64> = (1..=40).map(|i| 0.5 * (f64::from(i) / 40.0).powi(2)).collect();
    let ball = Ball::new(Norm::Linf, 1.0, (0.0, 1.0))?;
    let signs = minimal_epsilon(&Fgsm, model, &images, &criterion, &ball, &budgets, &seed)?;
    let width = images.count() / count;
    let pairs =
        images.as_slice::<f32>().chunks_exact(width).zip(signs.adversarial.inputs.as_slice().chunks_exact(width));
    let lengths: Vec<f64> = pairs.map(|(x, moved)| distance(Norm::L2, x, moved)).collect();
    let fgsm = failures_infinite(&lengths, &signs.adversarial.success);
    found.record(subject.norm.of(FGSM), median(&fgsm))?;

    let attack = CarliniWagner { steps: 200, searches: 9, initial_weight: 1.0, rate: 0.05, ..CarliniWagner::default() };
    let cw = attack.run(model, &images, &criterion, &free, &seed)?;
    found.record(subject.norm.of(CW), median(&failures_infinite(&cw.distances, &cw.success)))?;
    found.record(subject.gradients.of(CW), mean(&cw.queries))?;
    Ok(Attacked { images, labels, norms, fgsm })
}

fn failures_infinite(distances: &[f64], success: &[bool]) -> Vec<f64> {
    distances.iter().zip(success).map(|(&d, &s)| if s { d } else { f64::INFINITY }).collect()
}

/// Share of images with at most each norm.
fn shares(norms: &[f64]) -> Vec<(f64, f64)> {
    let share = |limit: f64| norms.iter().filter(|&&n| n <= limit).count() as f64 / norms.len() as f64;
    (0..=16).map(|i| LARGEST_NORM * f64::from(i) / 16.0).map(|limit| (limit, share(limit))).collect()
}

/// The largest share of the norm found up to which bound propagation proves that nothing changes, by bisection.
fn certified(found: &mut Measurements, graph: &Graph, subject: &Attacked, count: usize) -> Result<(), RunError> {
    let settings = Settings { norm: perturb_graph::Norm::L2, batch: 5, ..Settings::default() };
    let certifier = Certifier::new(graph, Method::Crown, settings)?;
    let (images, labels) = (subject.images.rows(0, count), &subject.labels[..count]);
    let (mut low, mut high) = (vec![0.0; count], vec![2.0; count]);
    for _ in 0..6 {
        let middle: Vec<f64> = low.iter().zip(&high).map(|(l, h)| 0.5 * (l + h)).collect();
        let radii: Vec<f64> = middle.iter().zip(&subject.norms).map(|(share, norm)| share * norm).collect();
        let margins = certifier.margins(&images, labels, &Region::from(radii).within(0.0, 1.0))?;
        for (row, margin) in margins.into_iter().enumerate() {
            if margin > 0.0 { low[row] = middle[row] } else { high[row] = middle[row] }
        }
    }
    found.record(CERTIFIED.of(DEEPFOOL), low.into_iter().fold(0.0, f64::max))
}

/// Random affine models of ten classes, whose nearest boundary is known in closed form.
fn affine(found: &mut Measurements, seed: u64) -> Result<(), RunError> {
    const WIDTH: usize = 30;
    const CLASSES: usize = 10;
    const COUNT: usize = 100;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.random_range(-1.0..1.0)).collect() };
    let (weights, bias, inputs) = (draw(CLASSES * WIDTH), draw(CLASSES), draw(COUNT * WIDTH));
    let x = Expr::input("x", [1, WIDTH], DType::F32);
    let w = Expr::param("w", Tensor::new([CLASSES, WIDTH], weights.clone())?);
    let logits = x.matmul(&w.transpose(&[1, 0])).add(&Expr::param("b", Tensor::new([CLASSES], bias.clone())?));
    let model = Classifier::new(&Graph::new(vec![x], vec![("logits".into(), logits)])?, COUNT)?;
    let points = Tensor::new([COUNT, WIDTH], inputs.clone())?;
    let labels = predictions(&model, &points)?;
    let criterion = Criterion::Misclassify { labels: labels.clone() };
    let free = Ball::unbounded(Norm::L2, WIDE)?;
    let approach = Attacker::default().approach(&model, &points, &criterion, &free, &Seed::new(0, 0))?;
    let rows = inputs.chunks_exact(WIDTH).zip(&labels).zip(approach.steps.as_slice::<f32>().chunks_exact(WIDTH));
    let gap = |((x, &label), step): ((&[f32], &usize), &[f32])| {
        let to = |class: usize| {
            let difference = |i: usize| f64::from(weights[label * WIDTH + i]) - f64::from(weights[class * WIDTH + i]);
            let offset = f64::from(bias[label]) - f64::from(bias[class]);
            let margin = (0..WIDTH).map(|i| difference(i) * f64::from(x[i])).sum::<f64>() + offset;
            margin / (0..WIDTH).map(|i| difference(i).powi(2)).sum::<f64>().sqrt()
        };
        let nearest = (0..CLASSES).filter(|&c| c != label).map(to).fold(f64::INFINITY, f64::min);
        (distance(Norm::L2, &[0.0; WIDTH], step) - nearest).abs()
    };
    found.record(GAP.of(DEEPFOOL), rows.map(gap).fold(0.0, f64::max))?;
    // The last run of the model is the look at where the step led.
    let steps = approach.found.queries.iter().map(|q| q - 1).max().unwrap_or(0);
    found.record(STEPS.of(DEEPFOOL), steps as f64)
}

fn predictions(model: &Classifier, inputs: &Tensor) -> Result<Vec<usize>, RunError> {
    let found = model.predictions(inputs)?.into_iter().collect::<Option<Vec<usize>>>();
    found.ok_or_else(|| RunError::Measurement("a logit is not a number".into()))
}

/// From points within an ellipsoid, whose two classes are inside and outside: the distance that DeepFool goes, without
/// overshoot, and the true one.
fn ellipsoids(found: &mut Measurements, seed: u64) -> Result<(), RunError> {
    const AXES: [f64; 4] = [0.5, 1.0, 2.0, 4.0];
    const COUNT: usize = 200;
    let x = Expr::input("x", [1, 4], DType::F32);
    let inverse = Tensor::from_f64([1, 4], DType::F32, AXES.iter().map(|a| 1.0 / (a * a)).collect())?;
    let outside = x.square().mul(&Expr::constant(inverse)).reduce_sum(&[1], true).offset(-1.0);
    let logits = Expr::concat(&[outside.scale(0.0), outside], 1);
    let model = Classifier::new(&Graph::new(vec![x], vec![("logits".into(), logits)])?, COUNT)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut points = Vec::with_capacity(4 * COUNT);
    while points.len() < 4 * COUNT {
        let point = AXES.map(|a| rng.random_range(-a..a));
        if (0.05..0.95).contains(&AXES.iter().zip(&point).map(|(a, v)| (v / a).powi(2)).sum::<f64>()) {
            points.extend(point);
        }
    }
    let inputs = Tensor::from_f64([COUNT, 4], DType::F32, points)?;
    let criterion = Criterion::Misclassify { labels: vec![0; COUNT] };
    let free = Ball::unbounded(Norm::L2, WIDE)?;
    let approach = Attacker::default().approach(&model, &inputs, &criterion, &free, &Seed::new(0, 0))?;
    let lengths = approach.steps.as_slice::<f32>().chunks_exact(4).map(|s| distance(Norm::L2, &[0.0; 4], s));
    let truth = inputs.as_slice::<f32>().chunks_exact(4).map(|p| to_ellipsoid(&AXES, p));
    found.record(CURVED.of(DEEPFOOL), lengths.sum::<f64>() / COUNT as f64)?;
    found.record(CURVED.of(TRUTH), truth.sum::<f64>() / COUNT as f64)
}

/// Distance of a point inside to the surface `Σ (xᵢ/aᵢ)² = 1`. The nearest point is `aᵢ²xᵢ/(aᵢ² + t)` for the t in
/// (−min a², 0) that puts it on the surface, found by bisection.
fn to_ellipsoid(axes: &[f64], point: &[f32]) -> f64 {
    let at =
        |t: f64| -> Vec<f64> { axes.iter().zip(point).map(|(a, &v)| a * a * f64::from(v) / (a * a + t)).collect() };
    let beyond = |t: f64| at(t).iter().zip(axes).map(|(y, a)| (y / a).powi(2)).sum::<f64>() > 1.0;
    let smallest = axes.iter().copied().fold(f64::INFINITY, f64::min);
    let (mut low, mut high) = (-smallest * smallest, 0.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if beyond(middle) { low = middle } else { high = middle }
    }
    at(high).iter().zip(point).map(|(y, &v)| (y - f64::from(v)).powi(2)).sum::<f64>().sqrt()
}

/// The classes in a plane through an image, the direction of DeepFool to the right, and the points on its way.
fn slice(found: &mut Measurements, model: &Classifier, image: &Tensor, label: usize) -> Result<(), RunError> {
    const SIDE: usize = 120;
    const PATH_COLOR: [f32; 3] = [1.0, 1.0, 1.0];
    let criterion = Criterion::Misclassify { labels: vec![label] };
    let free = Ball::unbounded(Norm::L2, (0.0, 1.0))?;
    let x = image.as_slice::<f32>();
    let run = |attack: Attacker, criterion: &Criterion| -> Result<Vec<f64>, RunError> {
        let moved = attack.run(model, image, criterion, &free, &Seed::new(0, 0))?.inputs;
        Ok(moved.as_slice::<f32>().iter().zip(x).map(|(m, v)| f64::from(*m) - f64::from(*v)).collect())
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let first = run(Attacker::default(), &criterion)?;
    // The second axis leads to another class, as far as it is orthogonal to the first.
    let other = Criterion::Targeted { classes: vec![(label + 1) % model.classes()] };
    let mut second = run(Attacker::default(), &other)?;
    let length = dot(&first, &first).sqrt();
    let along = dot(&first, &second) / (length * length);
    second.iter_mut().zip(&first).for_each(|(s, f)| *s -= along * f);
    let height = dot(&second, &second).sqrt().max(f64::MIN_POSITIVE);
    let reach = 2.0 * length;
    let place = |i: usize| (2.0 * i as f64 / (SIDE - 1) as f64 - 1.0) * reach;
    let mut points = Vec::with_capacity(SIDE * SIDE * x.len());
    for (row, column) in (0..SIDE).flat_map(|r| (0..SIDE).map(move |c| (r, c))) {
        let (a, b) = (place(column) / length, -place(row) / height);
        points
            .extend(x.iter().zip(first.iter().zip(&second)).map(|(v, (f, s))| (f64::from(*v) + a * f + b * s) as f32));
    }
    let shape = [&[SIDE * SIDE], &image.shape()[1..]].concat();
    let classes = predictions(model, &Tensor::new(shape, points)?)?;
    let color = |class: usize| [0.25 + 0.07 * class as f32, 0.75 - 0.06 * class as f32, [0.3, 0.65][class % 2]];
    let mut values = vec![0.0; 3 * SIDE * SIDE];
    let mut paint = |pixel: usize, rgb: [f32; 3]| (0..3).for_each(|c| values[c * SIDE * SIDE + pixel] = rgb[c]);
    classes.iter().enumerate().for_each(|(pixel, &class)| paint(pixel, color(class)));
    let pixel = |v: f64| ((v / reach + 1.0) * 0.5 * (SIDE - 1) as f64).round().clamp(1.0, (SIDE - 2) as f64) as usize;
    for steps in 0..=Attacker::default().steps {
        let at = match steps {
            0 => vec![0.0; x.len()],
            _ => run(Attacker { steps, ..Attacker::default() }, &criterion)?,
        };
        let (column, row) = (pixel(dot(&at, &first) / length), pixel(-dot(&at, &second) / height));
        for (r, c) in (row - 1..=row + 1).flat_map(|r| (column - 1..=column + 1).map(move |c| (r, c))) {
            paint(r * SIDE + c, PATH_COLOR);
        }
        if at == first {
            break;
        }
    }
    let png = Picture::new(&values, [3, SIDE, SIDE])?.png(3)?;
    found.image("classes in a plane through an image, and the points of DeepFool from the middle to the right", &png);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_to_ellipsoids_by_hand() {
        assert!((to_ellipsoid(&[2.0, 2.0], &[0.5, 0.0]) - 1.5).abs() < 1e-12, "a circle");
        // No point of a fine grid on the ellipse is nearer.
        let (axes, point) = ([1.0, 3.0], [0.3f32, 0.9]);
        let grid = (0..100_000).map(|i| f64::from(i) * 2e-5 * std::f64::consts::PI);
        let nearest =
            grid.map(|t| ((t.cos() - 0.3).powi(2) + (3.0 * t.sin() - 0.9).powi(2)).sqrt()).fold(9.0, f64::min);
        assert!((to_ellipsoid(&axes, &point) - nearest).abs() < 1e-6);
    }
}
