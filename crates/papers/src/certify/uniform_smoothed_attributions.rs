//! Certified ℓ2 Attribution Robustness via Uniformly Smoothed Attributions.
//!
//! Claim: for any model, the cosine similarity of an attribution that is averaged over a ball is bounded from below for every
//! perturbation. Method: gradients of unit length averaged over an ℓ2 ball, for networks trained plainly and by PGD; their
//! certified cosine. Baselines: the cosine that attacks leave to the smoothed attribution and to the gradient itself. Where
//! it must not hold: from twice the ball's radius on there is no certificate.

use super::digits::{CLASSES, Digits, PIXELS, Smooth, length, predicted, unit};
use crate::curves::mean_curve;
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_certify::attribution::smoothed::{UniformSmooth, overlap};
use perturb_defend::AdversarialTraining;
use perturb_graph::{DType, Expr, Graph, Tensor, grad};
use perturb_metrics::distance::cosine;
use perturb_nn::{Evaluator, Examples, Hook, Parameters, Step};
use perturb_report::chart::{Hue, LineChart, Marker, Sample, Series};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub struct UniformSmoothedAttributions;

const CERTIFIED: &str = "smoothed, certified";
const SMOOTHED: &str = "smoothed, attacked";
const GRADIENT: &str = "gradient, attacked";

const COSINE: Quantity = Quantity { name: "mean cosine at ε = 0.1, plain network", lowest: -1.0, highest: 1.0 };
const COSINE_ROBUST: Quantity =
    Quantity { name: "mean cosine at ε = 0.1, PGD-trained network", lowest: -1.0, highest: 1.0 };
const VIOLATIONS: Quantity = Quantity::positive("attacked cosines below their certificate");
const OVERLAP: Quantity = Quantity::positive("largest gap of κ to a count of points, d = 20");
const WALL: Quantity = Quantity::positive("shift across a wall ÷ its bound, d = 20");
const BEYOND: Quantity = Quantity::positive("certificates at twice the ball's radius");

const EPSILON: f64 = 0.1;
/// Distances of the figure.
const EPSILONS: [f64; 4] = [0.05, 0.1, 0.2, 0.4];
const ALPHA: f64 = 0.001;
/// Radius of the ball that is averaged over.
const RADIUS: f64 = 4.0;
/// Draws through which attacks see the smoothed attribution.
const SEEN: usize = 64;
const CURVES: [(&str, &str, Hue, Marker); 3] = [
    (CERTIFIED, "certified cosine against ε", Hue::Blue, Marker::Square),
    (SMOOTHED, "attacked cosine, smoothed, against ε", Hue::Green, Marker::Triangle),
    (GRADIENT, "attacked cosine, gradient, against ε", Hue::Vermillion, Marker::Circle),
];

impl Reproduction for UniformSmoothedAttributions {
    fn slug(&self) -> &'static str {
        "uniform-smoothed-attributions"
    }

    fn claim(&self) -> Claim {
        let largest = |quantity: Quantity| Estimator::Largest(quantity.of(CERTIFIED));
        let gain = |quantity: Quantity| Estimator::Difference(quantity.of(CERTIFIED), quantity.of(GRADIENT));
        Claim {
            method: CERTIFIED,
            baselines: &[SMOOTHED, GRADIENT],
            seeds: 5,
            preconditions: Vec::new(),
            rules: vec![
                largest(VIOLATIONS).at_most(0.0),
                gain(COSINE).at_least(0.01),
                gain(COSINE_ROBUST).at_least(0.01),
                largest(OVERLAP).at_most(0.003),
                Estimator::Level(WALL.of(CERTIFIED)).within(0.99, 1.01),
                // Where it must not hold.
                largest(BEYOND).at_most(0.0),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        found.record(OVERLAP.of(CERTIFIED), overlap_gap(run.seed)?)?;
        found.record(WALL.of(CERTIFIED), across_the_wall(run.seed)?)?;
        let data = Digits::load(run)?;
        let smooth = Smooth { width: 64, activation: nearly_relu, seed: run.seed };
        let pgd = AdversarialTraining { epsilon: 0.1, step: 0.03, steps: 5, ..Default::default() };
        let plain = |_: &mut Step| Ok(());
        let nets: [(&str, &dyn Hook, Quantity); 2] =
            [("plain network", &plain, COSINE), ("PGD-trained network", &pgd, COSINE_ROBUST)];
        let (mut violations, mut beyond) = (0, 0);
        for (k, (name, hook, quantity)) in nets.into_iter().enumerate() {
            run.progress(0.05 + 0.47 * k as f64, name);
            let model = smooth.fit(run, &data, hook)?;
            let count = run.scaled(30, 100);
            let images = data.test.rows(0, count).reshape([count, PIXELS])?;
            let probe = Probe::new(run, &smooth, &model, &images)?;
            let epsilons = if k == 0 { &EPSILONS[..] } else { &[EPSILON] };
            let mut curves = [Vec::new(), Vec::new(), Vec::new()];
            for &epsilon in epsilons {
                let image = |i| probe.measure(i, epsilon, run.scaled(4, 20));
                let all = (0..count).map(image).collect::<Result<Vec<[f64; 3]>, RunError>>()?;
                violations += all.iter().filter(|c| c[1] < c[0]).count();
                let means: [f64; 3] = std::array::from_fn(|a| all.iter().map(|c| c[a]).sum::<f64>() / count as f64);
                curves.iter_mut().zip(means).for_each(|(curve, mean)| curve.push((epsilon, mean)));
                if epsilon == EPSILON {
                    for (arm, mean) in [CERTIFIED, SMOOTHED, GRADIENT].into_iter().zip(means) {
                        found.record(quantity.of(arm), mean)?;
                    }
                }
            }
            let none = |h: &Vec<f64>| Ok(probe.method.certify(h, 2.0 * RADIUS, ALPHA)?.cosine.is_some());
            let given: Vec<bool> = probe.smoothed.iter().map(none).collect::<Result<_, RunError>>()?;
            beyond += given.iter().filter(|g| **g).count();
            if k == 0 {
                CURVES.iter().zip(curves).for_each(|((_, name, ..), points)| found.curve(name, points));
            }
        }
        found.record(VIOLATIONS.of(CERTIFIED), violations as f64)?;
        found.record(BEYOND.of(CERTIFIED), beyond as f64)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let sample = |p: Sample| Sample { note: format!("{:.3}", p.y), ..p };
        let series = CURVES.iter().map(|&(arm, curve, hue, marker)| Series {
            name: arm.into(),
            points: mean_curve(seeds, curve).into_iter().map(sample).collect(),
            hue,
            marker,
            dashed: arm != CERTIFIED,
            bold: arm == CERTIFIED,
        });
        let chart = LineChart {
            description: "Certified and attacked cosines of attributions by the size of the perturbation.".into(),
            x_label: "ε, ℓ2".into(),
            y_label: "cosine with the attribution at the image".into(),
            x_range: (0.0, EPSILONS[3]),
            y_range: (0.0, 1.0),
            percent: false,
            series: series.collect(),
            regions: Vec::new(),
        };
        let caption = "Plain network, mean over images and seeds; bars from the lowest to the highest seed. Where there is no certificate, 0.";
        vec![Figure { name: "cosine", caption: caption.into(), chart }]
    }
}

/// ReLU with its bend rounded off, so that attacks on its gradient have one of their own.
fn nearly_relu(x: &Expr) -> Expr {
    x.scale(20.0).softplus().scale(1.0 / 20.0)
}

/// The gap of κ to the share of a ball's points that lie in the other, at the worst of some distances.
fn overlap_gap(seed: u64) -> Result<f64, RunError> {
    const DIMENSION: usize = 20;
    const POINTS: usize = 400_000;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Of a uniform point only its length and its height along the axis matter.
    let distances = [0.1, 0.3, 0.6, 1.0];
    let mut inside = [0usize; 4];
    for _ in 0..POINTS {
        let direction: [f64; DIMENSION] = std::array::from_fn(|_| normal(&mut rng));
        let norm = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
        let radius = rng.random::<f64>().powf(1.0 / DIMENSION as f64);
        let height = radius * direction[0] / norm;
        for (count, d) in inside.iter_mut().zip(distances) {
            *count += usize::from(radius * radius - 2.0 * d * height + d * d <= 1.0);
        }
    }
    let gap = |(count, d): (usize, f64)| Ok((count as f64 / POINTS as f64 - overlap(DIMENSION, d, 1.0)?).abs());
    let gaps = inside.into_iter().zip(distances).map(gap).collect::<Result<Vec<f64>, RunError>>()?;
    Ok(gaps.into_iter().fold(0.0, f64::max))
}

// Box and Muller (1958).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// For `g = sign(x₁)·e₁`, the shift from one side of the wall to the other over its bound.
fn across_the_wall(seed: u64) -> Result<f64, RunError> {
    const DIMENSION: usize = 20;
    let smooth = UniformSmooth { radius: 1.0, samples: 200_000, batch: 2000, seed };
    let side = |x: f32, example| -> Result<f64, RunError> {
        let mut at = vec![0.0; DIMENSION];
        at[0] = x;
        let sign = |points: &Tensor| -> Result<Tensor, RunError> {
            let mut signs = vec![0.0f32; points.count()];
            let rows = signs.chunks_exact_mut(DIMENSION).zip(points.as_slice::<f32>().chunks_exact(DIMENSION));
            rows.for_each(|(s, x)| s[0] = x[0].signum());
            Ok(Tensor::new(points.shape().clone(), signs)?)
        };
        Ok(smooth.smooth(&Tensor::new([DIMENSION], at)?, example, sign)?[0])
    };
    Ok((side(0.2, 0)? - side(-0.2, 1)?) / (2.0 * (1.0 - overlap(DIMENSION, 0.4, 1.0)?)))
}

/// Attributions of one model at some images, and attacks on them.
struct Probe {
    method: UniformSmooth,
    gradients: Evaluator,
    attack: Evaluator,
    plain: Evaluator,
    parameters: Parameters,
    images: Vec<Tensor>,
    targets: Vec<Tensor>,
    smoothed: Vec<Vec<f64>>,
    seen: Tensor,
}

impl Probe {
    fn new(run: &Run, smooth: &Smooth, model: &Graph, images: &Tensor) -> Result<Probe, RunError> {
        let (_, targets) = predicted(model, images)?;
        let samples = run.scaled(4000, 100_000);
        let method = UniformSmooth { radius: RADIUS, samples, batch: 500, seed: run.seed };
        let input = |name: &str, shape: &[usize]| Expr::input(name, shape, DType::F32);
        let (x, y) = (input("x", &[method.batch, PIXELS]), input("targets", &[method.batch, CLASSES]));
        let gradient = smooth.gradients(&x, &y)?.1;
        let gradients = Evaluator::new(&[x, y], &[gradient])?;
        let mut rng = ChaCha8Rng::seed_from_u64(run.seed + 1);
        let scale = RADIUS / (PIXELS as f64).sqrt();
        let seen = (0..SEEN * PIXELS).map(|_| (scale * normal(&mut rng)) as f32).collect();
        let n = images.shape()[0];
        let mut probe = Probe {
            method,
            gradients,
            attack: Probe::ascent(smooth, SEEN)?,
            plain: Probe::ascent(smooth, 1)?,
            parameters: Parameters::of(model),
            images: (0..n).map(|i| images.rows(i, i + 1).reshape([PIXELS])).collect::<Result<_, _>>()?,
            targets: (0..n).map(|i| targets.rows(i, i + 1)).collect(),
            smoothed: Vec::new(),
            seen: Tensor::new([1, SEEN, PIXELS], seen)?,
        };
        probe.smoothed = (0..n).map(|i| probe.smooth(i, &probe.images[i])).collect::<Result<_, _>>()?;
        Ok(probe)
    }

    // From a point, its draws, its target and the attribution at the image: the mean over draws, and the descent of the cosine.
    fn ascent(smooth: &Smooth, draws: usize) -> Result<Evaluator, RunError> {
        let input = |name: &str, shape: &[usize]| Expr::input(name, shape, DType::F32);
        let (x, noise) = (input("x", &[1, PIXELS]), input("noise", &[1, draws, PIXELS]));
        let (target, start) = (input("targets", &[1, CLASSES]), input("start", &[1, PIXELS]));
        let points = noise.reshape([draws, PIXELS]).add(&x);
        let gradient = smooth.gradients(&points, &target.broadcast_to([draws, CLASSES]))?.1;
        let mean = unit(&gradient).reduce_mean(&[0], true);
        let cosine = mean.mul(&start).reduce_sum(&[1], true).div(&length(&mean).mul(&length(&start)));
        let descent = grad(&cosine.neg(), std::slice::from_ref(&x))?.remove(0);
        Ok(Evaluator::new(&[x, noise, target, start], &[mean, descent])?)
    }

    // The smoothed attribution for the target of image `i` at `x [196]`, by the same draws for all of an image's points.
    fn smooth(&self, i: usize, x: &Tensor) -> Result<Vec<f64>, RunError> {
        let row = self.targets[i].as_slice::<f32>();
        let targets = Tensor::new([self.method.batch, CLASSES], row.repeat(self.method.batch))?;
        self.method.smooth(x, i as u64, |points| -> Result<Tensor, RunError> {
            let examples = Examples::new("x", points.clone())?.with("targets", targets.clone())?;
            Ok(self.gradients.outputs(&self.parameters, &examples)?.remove(0))
        })
    }

    /// The certified cosine of image `i` (0 where there is no certificate), and the least cosines that attacks leave to the
    /// smoothed attribution and to the gradient.
    fn measure(&self, i: usize, epsilon: f64, starts: usize) -> Result<[f64; 3], RunError> {
        let certified = self.method.certify(&self.smoothed[i], epsilon, ALPHA)?.cosine.unwrap_or(0.0);
        let (mut smoothed, mut plain) = (1.0f64, 1.0f64);
        let still = Tensor::full([1, 1, PIXELS], 0.0f32);
        let gradient = self.step(&self.plain, i, &self.images[i], &still, &self.smoothed[i])?.0;
        for start in 0..starts {
            let seed = start as u64;
            let moved = self.worst(&self.attack, i, epsilon, &self.seen, &self.smoothed[i], seed)?;
            smoothed = smoothed.min(cosine(&self.smooth(i, &moved)?, &self.smoothed[i])?);
            let moved = self.worst(&self.plain, i, epsilon, &still, &gradient, seed)?;
            plain = plain.min(cosine(&self.step(&self.plain, i, &moved, &still, &gradient)?.0, &gradient)?);
        }
        Ok([certified, smoothed, plain])
    }

    // The end of an ascent from a random point of the sphere.
    fn worst(
        &self,
        attack: &Evaluator,
        i: usize,
        epsilon: f64,
        noise: &Tensor,
        start: &[f64],
        seed: u64,
    ) -> Result<Tensor, RunError> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let center = self.images[i].to_f64_vec();
        let mut moved: Vec<f64> = (0..PIXELS).map(|_| normal(&mut rng)).collect();
        for _ in 0..10 {
            rescale(&mut moved, epsilon);
            let point = self.moved(&center, &moved)?;
            let mut ascent = self.step(attack, i, &point, noise, start)?.1;
            rescale(&mut ascent, 0.5 * epsilon);
            moved.iter_mut().zip(ascent).for_each(|(m, a)| *m += a);
        }
        rescale(&mut moved, epsilon);
        self.moved(&center, &moved)
    }

    fn moved(&self, center: &[f64], by: &[f64]) -> Result<Tensor, RunError> {
        Ok(Tensor::new([PIXELS], center.iter().zip(by).map(|(c, m)| (c + m) as f32).collect())?)
    }

    fn step(
        &self,
        attack: &Evaluator,
        i: usize,
        x: &Tensor,
        noise: &Tensor,
        start: &[f64],
    ) -> Result<(Vec<f64>, Vec<f64>), RunError> {
        let start = Tensor::from_f64([1, PIXELS], DType::F32, start.to_vec())?;
        let examples = Examples::new("x", x.reshape([1, PIXELS])?)?
            .with("noise", noise.clone())?
            .with("targets", self.targets[i].clone())?
            .with("start", start)?;
        let outputs = attack.outputs(&self.parameters, &examples)?;
        Ok((outputs[0].to_f64_vec(), outputs[1].to_f64_vec()))
    }
}

fn rescale(v: &mut [f64], length: f64) {
    let own = v.iter().map(|v| v * v).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    v.iter_mut().for_each(|v| *v *= length * (1.0 - 1e-6) / own);
}
