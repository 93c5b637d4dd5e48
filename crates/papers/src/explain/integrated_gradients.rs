//! Axiomatic Attribution for Deep Networks (Sundararajan, Taly & Yan 2017).
//!
//! Claim: integrated gradients satisfy sensitivity, completeness and implementation invariance, where other methods break
//! one or another. Baselines: the gradient (saliency), and the gradient times the input. Exact functions with random
//! coefficients, two networks that compute one function, and a CNN on the `shapes` world. DeepLIFT and LRP, which the
//! paper also compares with, are not part of the library yet.

use crate::training::Fit;
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_data::worlds::Shapes;
use perturb_explain::{
    Attribution, Baseline, Gradient, InputTimesGradient, IntegratedGradients as Method, Model, Quadrature,
    completeness_gaps,
};
use perturb_graph::{Conv, DType, Expr, Graph, Tensor};
use perturb_nn::{Initializer, Layers, flatten};
use perturb_report::chart::{Hue, LineChart, Marker, Sample, Series};
use perturb_report::picture::Picture;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub struct IntegratedGradients;

const IG: &str = "integrated gradients";
const SALIENCY: &str = "gradient";
const PRODUCT: &str = "input times gradient";

const MASS: Quantity = Quantity::share("share of the attribution on the object");
const SATURATED: Quantity = Quantity::real("attribution to x of 1 − max(1 − x, 0), which rises by 1");
const INTERACTION: Quantity = Quantity::positive("gap to x₁x₂/2 for x₁x₂");
const INVARIANCE: Quantity = Quantity::positive("gap between two networks of one function");
const COMPLETENESS: Quantity =
    Quantity::positive("completeness gap relative to the change of the logit (CNN, 50 steps)");
const GAUSS: Quantity = Quantity::positive("error with 32 Gauss–Legendre points (tanh network)");
const TRAPEZOID: &str = "error of the trapezoid rule against intervals (tanh network)";

const SIZE: usize = 16;

impl Reproduction for IntegratedGradients {
    fn slug(&self) -> &'static str {
        "integrated-gradients"
    }

    fn claim(&self) -> Claim {
        Claim {
            method: IG,
            baselines: &[SALIENCY, PRODUCT],
            seeds: 3,
            preconditions: Vec::new(),
            rules: vec![
                Estimator::Difference(MASS.of(IG), MASS.of(SALIENCY)).at_least(0.05),
                Estimator::Level(SATURATED.of(IG)).within(0.99, 1.01),
                Estimator::Difference(SATURATED.of(IG), SATURATED.of(PRODUCT)).at_least(0.99),
                Estimator::Largest(INTERACTION.of(IG)).at_most(1e-5),
                Estimator::Largest(INVARIANCE.of(IG)).at_most(1e-5),
                Estimator::Largest(COMPLETENESS.of(IG)).at_most(0.01),
                Estimator::Slope(TRAPEZOID).within(-2.2, -1.8),
                Estimator::Largest(GAUSS.of(IG)).at_most(1e-5),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        let mut rng = ChaCha8Rng::seed_from_u64(run.seed);
        functions(&mut found, &mut rng)?;
        convergence(&mut found, &mut rng)?;
        run.progress(0.1, "training a CNN on shapes");
        shapes(&mut found, run)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let Some(points) = seeds.first().and_then(|s| s.measurements.points(TRAPEZOID)) else { return Vec::new() };
        let logs: Vec<(f64, f64)> = points.iter().map(|p| (p.0.log10(), p.1.log10())).collect();
        let sample = |&(x, y): &(f64, f64)| Sample { x, y, interval: None, note: String::new() };
        let (first, last) = (logs[0], logs[logs.len() - 1]);
        let quadratic = [first, (last.0, first.1 - 2.0 * (last.0 - first.0))];
        let series = |name: &str, points: &[(f64, f64)], hue, dashed| Series {
            name: name.into(),
            points: points.iter().map(sample).collect(),
            hue,
            marker: Marker::Circle,
            dashed,
            bold: false,
        };
        let low = last.1.min(quadratic[1].1).floor();
        let chart = LineChart {
            description: "Error of the trapezoid rule falls with the square of the number of intervals.".into(),
            x_label: "log₁₀ of the number of intervals".into(),
            y_label: "log₁₀ of the error".into(),
            x_range: (first.0, last.0),
            y_range: (low, first.1.ceil()),
            percent: false,
            series: vec![
                series("trapezoid rule", &logs, Hue::Vermillion, false),
                series("slope −2", &quadratic, Hue::Grey, true),
            ],
            regions: Vec::new(),
        };
        let caption = "Largest error of an attribution of a random tanh network, first seed.";
        vec![Figure { name: "convergence", caption: caption.into(), chart }]
    }
}

/// A model of two logits, the function and zero.
fn model(inputs: usize, function: impl Fn(&Expr) -> Expr) -> Result<Model, RunError> {
    let x = Expr::input("x", [1, inputs], DType::F32);
    let value = function(&x).reshape([1, 1]);
    let logits = Expr::try_concat(&[value.clone(), value.like(0.0)], 1)?;
    Ok(Model::compile(&Graph::new(vec![x], vec![("logits".into(), logits)])?, 50)?)
}

fn part(x: &Expr, k: usize) -> Expr {
    x.slice_axis(1, k, k + 1)
}

fn attribute(method: &dyn Attribution, model: &Model, x: &[f32]) -> Result<Vec<f64>, RunError> {
    Ok(method.attribute(model, &Tensor::new([1, x.len()], x.to_vec())?, &[0])?.to_f64_vec())
}

/// The paper's examples: saturation, interaction, and two networks of one function.
fn functions(found: &mut Measurements, rng: &mut ChaCha8Rng) -> Result<(), RunError> {
    // The kink lies inside the path, where quadrature converges like 1/steps.
    let fine = Method { steps: 2000, rule: Quadrature::Middle, ..Method::default() };
    let saturating = model(1, |x| x.like(1.0).sub(&x.like(1.0).sub(x).relu()))?;
    let x = [rng.random_range(1.5..3.0f32)];
    for (arm, method) in [(IG, &fine as &dyn Attribution), (SALIENCY, &Gradient), (PRODUCT, &InputTimesGradient)] {
        found.record(SATURATED.of(arm), attribute(method, &saturating, &x)?[0])?;
    }
    let product = model(2, |x| part(x, 0).mul(&part(x, 1)))?;
    let x = [rng.random_range(0.5..2.0f32), rng.random_range(0.5..2.0f32)];
    let half = 0.5 * f64::from(x[0]) * f64::from(x[1]);
    let gap = |values: &[f64]| values.iter().map(|v| (v - half).abs()).fold(0.0, f64::max);
    found.record(INTERACTION.of(IG), gap(&attribute(&Method::default(), &product, &x)?))?;
    found.record(INTERACTION.of(PRODUCT), gap(&attribute(&InputTimesGradient, &product, &x)?))?;
    // Appendix B of the paper: equal for x₁, x₂ ≥ 0.
    let one = |x: &Expr| x.like(1.0).slice_axis(1, 0, 1);
    let a = model(2, |x| part(x, 0).relu().sub(&one(x)).sub(&part(x, 1).relu()).relu())?;
    let b = model(2, |x| part(x, 0).sub(&one(x)).relu().sub(&part(x, 1).relu()).relu())?;
    let x = [rng.random_range(2.5..4.0f32), rng.random_range(0.5..1.0f32)];
    let (in_a, in_b) = (attribute(&fine, &a, &x)?, attribute(&fine, &b, &x)?);
    found.record(INVARIANCE.of(IG), in_a.iter().zip(&in_b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max))
}

/// Errors of quadrature on a random tanh network, against 128 Gauss–Legendre points.
fn convergence(found: &mut Measurements, rng: &mut ChaCha8Rng) -> Result<(), RunError> {
    let mut weights = |rows: usize, columns: usize| {
        let values = (0..rows * columns).map(|_| rng.random_range(-0.7..0.7f32)).collect();
        Tensor::new([rows, columns], values).map(Expr::constant)
    };
    let (first, second) = (weights(8, 16)?, weights(16, 1)?);
    let network = model(8, |x| x.matmul(&first).tanh().matmul(&second))?;
    let x: Vec<f32> = (0..8).map(|_| rng.random_range(-1.0..1.0)).collect();
    let with = |rule, steps| attribute(&Method { steps, rule, ..Method::default() }, &network, &x);
    let exact = with(Quadrature::GaussLegendre, 128)?;
    let error = |values: &[f64]| values.iter().zip(&exact).map(|(v, e)| (v - e).abs()).fold(0.0, f64::max);
    found.record(GAUSS.of(IG), error(&with(Quadrature::GaussLegendre, 32)?))?;
    let intervals = [2, 4, 8, 16, 32];
    let errors: Result<Vec<f64>, RunError> =
        intervals.iter().map(|n| Ok(error(&with(Quadrature::Trapezoid, n + 1)?))).collect();
    found.curve(TRAPEZOID, intervals.iter().map(|n| *n as f64).zip(errors?).collect());
    Ok(())
}

/// Completeness, and where the attribution lies, for a CNN on the `shapes` world.
fn shapes(found: &mut Measurements, run: &Run) -> Result<(), RunError> {
    let world = Shapes { size: SIZE, ..Shapes::default() };
    let train = world.dataset(2 * run.seed + 100, run.scaled(4000, 20_000));
    let images = train.images.reshape([train.labels.len(), 1, 3, SIZE, SIZE])?;
    let fit = Fit { batch: 50, classes: 6, epochs: 6, seed: run.seed, hook: None };
    let progress = |share: f64| run.progress(0.1 + 0.6 * share, "training a CNN on shapes");
    let graph = fit.run(&network(run.seed)?, &images, &train.labels, progress)?;
    let model = Model::compile(&graph, 50)?;

    run.progress(0.7, "attributions");
    let test = world.dataset(2 * run.seed + 101, run.scaled(200, 1000));
    let method = Method::default();
    let arms: [(&str, &dyn Attribution); 3] = [(IG, &method), (SALIENCY, &Gradient), (PRODUCT, &InputTimesGradient)];
    for (arm, attribution) in arms {
        let maps = attribution.attribute(&model, &test.images, &test.labels)?;
        found.record(MASS.of(arm), mass_on_object(&maps, &test.masks))?;
        let first = &maps.as_slice::<f32>()[..3 * SIZE * SIZE];
        found.image(arm, &Picture::new(first, [3, SIZE, SIZE])?.heatmap_png(8)?);
        if arm == IG {
            let gaps = completeness_gaps(&model, &test.images, &maps, &test.labels, &Baseline::Zero)?;
            // Attributions of zero have the whole change of the logit as their gap.
            let none = Tensor::full(test.images.shape(), 0.0f32);
            let changes = completeness_gaps(&model, &test.images, &none, &test.labels, &Baseline::Zero)?;
            found.record(COMPLETENESS.of(IG), gaps.iter().sum::<f64>() / changes.iter().sum::<f64>())?;
        }
    }
    let image = &test.images.as_slice::<f32>()[..3 * SIZE * SIZE];
    found.image("image", &Picture::new(image, [3, SIZE, SIZE])?.png(8)?);
    Ok(())
}

fn network(seed: u64) -> Result<Graph, RunError> {
    let x = Expr::input("image", [1, 3, SIZE, SIZE], DType::F32);
    let layers = Layers::new(Initializer::he(seed));
    let same = |stride: usize| Conv { padding: vec![(1, 1); 2], ..Conv::default() }.stride(stride);
    let h = layers.at("conv1").conv2d(&x, 16, 3, same(1)).relu();
    let h = layers.at("conv2").conv2d(&h, 32, 3, same(2)).relu();
    let h = layers.at("fc1").linear(&flatten(&h), 64).relu();
    Ok(Graph::new(vec![x], vec![("logits".into(), layers.at("fc2").linear(&h, 6))])?)
}

/// Mean over images of the share of `Σ |attribution|` on the mask.
fn mass_on_object(maps: &Tensor, masks: &Tensor) -> f64 {
    let area = SIZE * SIZE;
    let shares = maps.as_slice::<f32>().chunks_exact(3 * area).zip(masks.as_slice::<f32>().chunks_exact(area));
    let share = |(map, mask): (&[f32], &[f32])| {
        let total: f64 = map.iter().map(|v| f64::from(v.abs())).sum();
        let inside = map.iter().enumerate().filter(|(i, _)| mask[i % area] > 0.0).map(|(_, v)| f64::from(v.abs()));
        inside.sum::<f64>() / total.max(f64::MIN_POSITIVE)
    };
    let shares: Vec<f64> = shares.map(share).collect();
    shares.iter().sum::<f64>() / shares.len() as f64
}
