//! Contrasting Adversarial Perturbations: The Space of Harmless Perturbations (Chen et al. 2024).
//!
//! Claim: what the first affine layer maps to zero leaves a network's output as it is, at any magnitude. Method: the null
//! space of that layer, for a network with 256 hidden units and for one that begins with a convolution, trained on MNIST.
//! Baseline: random perturbations of equal length, ten times that of the image. Around one image the space behind the first
//! ReLU is larger still. What is harmless to one of ten networks tells it from the others. Where there must be none: a
//! first layer of 1024 units, which sees every direction.
//!
//! Pixels are not clipped, because clipping leaves the space: how many decisions it costs is recorded.

use super::subjects::{BATCH, CLASSES, gather, mnist, trained};
use crate::training::{Split, perceptron};
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::measure::harmless::{AffineLayer, NullSpace, identify};
use perturb_engine::{Executable, Options};
use perturb_graph::{Conv, DType, Expr, Graph, Tensor};
use perturb_nn::{Initializer, Layers, Parameters, flatten};
use perturb_report::picture::Picture;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

pub struct HarmlessPerturbations;

const HARMLESS: &str = "in the null space";
const RANDOM: &str = "random, of equal length";
const CLIPPED: &str = "in the null space, clipped to pixels";
const RELU: &str = "behind ReLU";

const FLIPPED: Quantity = Quantity::share("decisions changed, MLP");
const FLIPPED_CNN: Quantity = Quantity::share("decisions changed, CNN");
const CHANGE: Quantity = Quantity::positive("largest relative change of logits in f32");
const CHANGE_F64: Quantity = Quantity::positive("largest relative change of logits in f64");
const DIMENSION: Quantity = Quantity::positive("dimension, MLP");
const DIMENSION_CNN: Quantity = Quantity::positive("dimension, CNN");
const EXCESS: Quantity = Quantity::real("dimension − (inputs − rows of the layer)");
const LARGER: Quantity = Quantity::share("images around which the space is at least as large");
const GAIN: Quantity = Quantity::real("mean dimension gained");
const FULL: Quantity = Quantity::positive("dimension for 1024 units");
const IDENTIFIED: Quantity = Quantity::share("networks told by what is harmless to them");

const PIXELS: usize = 784;
const HIDDEN: usize = 256;
const LENGTH: f64 = 10.0;
const NETWORKS: usize = 10;

impl Reproduction for HarmlessPerturbations {
    fn slug(&self) -> &'static str {
        "harmless-perturbations"
    }

    fn claim(&self) -> Claim {
        let largest = |quantity: Quantity| Estimator::Largest(quantity.of(HARMLESS));
        let fewer = |quantity: Quantity| Estimator::Difference(quantity.of(HARMLESS), quantity.of(RANDOM));
        Claim {
            method: HARMLESS,
            baselines: &[RANDOM, CLIPPED, RELU],
            seeds: 3,
            preconditions: Vec::new(),
            rules: vec![
                fewer(FLIPPED).at_most(-0.5),
                fewer(FLIPPED_CNN).at_most(-0.5),
                largest(FLIPPED).at_most(0.0),
                largest(CHANGE).at_most(1e-4),
                largest(CHANGE_F64).at_most(1e-12),
                Estimator::Level(EXCESS.of(HARMLESS)).within(0.0, 0.0),
                Estimator::Level(LARGER.of(RELU)).at_least(1.0),
                Estimator::Level(IDENTIFIED.of(HARMLESS)).at_least(1.0),
                // Where there must be none.
                largest(FULL).at_most(0.0),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let count = run.scaled(20, 100);
        let data = mnist(run, run.scaled([2000, 200], [20_000, 1000]))?;
        let mut found = Measurements::new();
        run.progress(0.05, "a dense network");
        let graph = trained(&dense(HIDDEN, DType::F32, run.seed)?, &data, run, 3, None)?;
        let layer = AffineLayer::first(&graph)?;
        let space = NullSpace::of(&layer)?;
        found.record(DIMENSION.of(HARMLESS), space.dimension() as f64)?;
        found.record(EXCESS.of(HARMLESS), space.dimension() as f64 - (PIXELS - HIDDEN) as f64)?;
        let images = data.test.rows(0, count);
        let trial = Trial::new(&space, &images, run.seed);
        record_flips(&mut found, FLIPPED, &graph, &trial)?;
        found.record(CHANGE.of(HARMLESS), largest_change(&graph, &trial)?)?;
        found.record(CHANGE_F64.of(HARMLESS), largest_change(&double(&graph, run.seed)?, &trial)?)?;
        behind_relu(&mut found, &layer, &space, &trial)?;

        run.progress(0.4, "a convolution");
        let convolutional = trained(&convolutional(run.seed)?, &data, run, 3, None)?;
        let convolution = NullSpace::of(&AffineLayer::first(&convolutional)?)?;
        found.record(DIMENSION_CNN.of(HARMLESS), convolution.dimension() as f64)?;
        record_flips(&mut found, FLIPPED_CNN, &convolutional, &Trial::new(&convolution, &images, run.seed))?;

        run.progress(0.55, "a wide layer");
        let wide = NullSpace::of(&AffineLayer::first(&dense(1024, DType::F32, run.seed)?)?)?;
        found.record(FULL.of(HARMLESS), wide.dimension() as f64)?;
        run.progress(0.65, "ten networks");
        found.record(IDENTIFIED.of(HARMLESS), identified(&data, run)?)?;
        pictures(&mut found, &graph, &space, &data)?;
        Ok(found)
    }

    fn figures(&self, _: &[SeedResult]) -> Vec<Figure> {
        Vec::new()
    }
}

fn dense(hidden: usize, dtype: DType, seed: u64) -> Result<Graph, RunError> {
    let x = Expr::input("image", [1, 1, 28, 28], dtype);
    let logits = match dtype {
        DType::F64 => {
            let layers = Layers::new(Initializer::he(seed)).dtype(dtype);
            layers.mlp(&flatten(&x), &[hidden, CLASSES], Expr::relu)
        }
        _ => perceptron(&x, &[hidden], CLASSES, seed),
    };
    Ok(Graph::new(vec![x], vec![("logits".into(), logits)])?)
}

/// The same network, with the same weights, in f64.
fn double(graph: &Graph, seed: u64) -> Result<Graph, RunError> {
    let wide: Parameters =
        Parameters::of(graph).iter().map(|(name, value)| (name.to_string(), value.to_dtype(DType::F64))).collect();
    Ok(wide.bind(&dense(HIDDEN, DType::F64, seed)?)?)
}

/// A network whose first layer has fewer outputs, 2·14·14, than there are pixels.
fn convolutional(seed: u64) -> Result<Graph, RunError> {
    let layers = Layers::new(Initializer::he(seed));
    let x = Expr::input("image", [1, 1, 28, 28], DType::F32);
    let first = layers.at("conv").conv2d(&x, 2, 3, Conv::same().stride(2)).relu();
    let hidden = layers.at("fc1").linear(&flatten(&first), 64).relu();
    let logits = layers.at("fc2").linear(&hidden, CLASSES);
    Ok(Graph::new(vec![x], vec![("logits".into(), logits)])?)
}

/// Images, and for each a perturbation in the space and a random one, of [`LENGTH`] times its length.
struct Trial {
    images: Vec<Vec<f64>>,
    harmless: Vec<Vec<f64>>,
    random: Vec<Vec<f64>>,
}

impl Trial {
    fn new(space: &NullSpace, images: &Tensor, seed: u64) -> Trial {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let images: Vec<Vec<f64>> = images.to_f64_vec().chunks_exact(PIXELS).map(<[f64]>::to_vec).collect();
        let random: Vec<Vec<f64>> = images
            .iter()
            .map(|x| scaled(&(0..PIXELS).map(|_| StandardNormal.sample(&mut rng)).collect::<Vec<f64>>(), x))
            .collect();
        let harmless = random.iter().zip(&images).map(|(v, x)| scaled(&space.project(v), x)).collect();
        Trial { images, harmless, random }
    }
}

fn length(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn scaled(v: &[f64], image: &[f64]) -> Vec<f64> {
    let factor = LENGTH * length(image) / length(v).max(f64::MIN_POSITIVE);
    v.iter().map(|v| factor * v).collect()
}

fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// Logits of some images.
fn logits(graph: &Graph, images: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, RunError> {
    let batched = graph.vmap(images.len())?;
    let input = &batched.inputs[0];
    let values = Tensor::from_f64(input.shape(), input.dtype(), images.concat())?;
    let found = Executable::of(&batched, &Options::default())?.run(&[&values])?;
    Ok(found[0].to_f64_vec().chunks_exact(CLASSES).map(<[f64]>::to_vec).collect())
}

fn decisions(graph: &Graph, images: &[Vec<f64>]) -> Result<Vec<usize>, RunError> {
    let largest = |z: &Vec<f64>| (0..z.len()).fold(0, |best, k| if z[k] > z[best] { k } else { best });
    Ok(logits(graph, images)?.iter().map(largest).collect())
}

fn record_flips(found: &mut Measurements, quantity: Quantity, graph: &Graph, trial: &Trial) -> Result<(), RunError> {
    let clean = decisions(graph, &trial.images)?;
    let moved = |deltas: &[Vec<f64>]| trial.images.iter().zip(deltas).map(|(x, d)| sum(x, d)).collect::<Vec<_>>();
    let harmless = moved(&trial.harmless);
    let clipped = harmless.iter().map(|x| x.iter().map(|v| v.clamp(0.0, 1.0)).collect()).collect();
    for (arm, images) in [(HARMLESS, harmless), (RANDOM, moved(&trial.random)), (CLIPPED, clipped)] {
        let changed = decisions(graph, &images)?.iter().zip(&clean).filter(|(a, b)| a != b).count();
        found.record(quantity.of(arm), changed as f64 / clean.len() as f64)?;
    }
    Ok(())
}

/// The largest change of an image's logits by its harmless perturbation, in proportion to their length.
fn largest_change(graph: &Graph, trial: &Trial) -> Result<f64, RunError> {
    let moved: Vec<Vec<f64>> = trial.images.iter().zip(&trial.harmless).map(|(x, d)| sum(x, d)).collect();
    let (clean, moved) = (logits(graph, &trial.images)?, logits(graph, &moved)?);
    let change =
        |(a, b): (&Vec<f64>, &Vec<f64>)| length(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>()) / length(a);
    Ok(clean.iter().zip(&moved).map(change).fold(0.0, f64::max))
}

fn behind_relu(
    found: &mut Measurements,
    layer: &AffineLayer,
    space: &NullSpace,
    trial: &Trial,
) -> Result<(), RunError> {
    let mut gains = Vec::with_capacity(trial.images.len());
    for x in &trial.images {
        gains.push(NullSpace::of(&layer.active(x))?.dimension() as f64 - space.dimension() as f64);
    }
    let n = gains.len() as f64;
    found.record(LARGER.of(RELU), gains.iter().filter(|g| **g >= 0.0).count() as f64 / n)?;
    found.record(GAIN.of(RELU), gains.iter().sum::<f64>() / n)
}

/// The share of ten networks, each trained from other weights, that what is harmless to them tells.
fn identified(data: &Split, run: &Run) -> Result<f64, RunError> {
    let mut layers = Vec::with_capacity(NETWORKS);
    for network in 0..NETWORKS as u64 {
        let graph = dense(HIDDEN, DType::F32, 1000 * (run.seed + 1) + network)?;
        layers.push(AffineLayer::first(&trained(&graph, data, run, 1, None)?)?);
    }
    let image = data.test.rows(0, 1);
    let mut right = 0;
    for (network, layer) in layers.iter().enumerate() {
        let trial = Trial::new(&NullSpace::of(layer)?, &image, run.seed + network as u64);
        right += usize::from(identify(&layers, &trial.harmless[0]) == Some(network));
    }
    Ok(right as f64 / NETWORKS as f64)
}

/// Two images, and the one that looks like the first and is read as the second.
fn pictures(found: &mut Measurements, graph: &Graph, space: &NullSpace, data: &Split) -> Result<(), RunError> {
    let rows: Vec<Vec<f64>> = data.test.rows(0, BATCH).to_f64_vec().chunks_exact(PIXELS).map(<[f64]>::to_vec).collect();
    let read = decisions(graph, &rows)?;
    let other = (1..rows.len()).find(|&i| read[i] != read[0]);
    let other = other.ok_or_else(|| RunError::Measurement("all images are read alike".into()))?;
    let hidden = space.hide(&rows[other], &rows[0]);
    let class = decisions(graph, std::slice::from_ref(&hidden))?[0];
    let chosen = gather(&data.test, &[0, other])?;
    let values = chosen.as_slice::<f32>().chunks_exact(PIXELS);
    let captions = [format!("cover, read as {}", read[0]), format!("read as {}", read[other])];
    for (caption, image) in captions.iter().zip(values) {
        found.image(caption, &Picture::new(image, [1, 28, 28])?.png(6)?);
    }
    let hidden: Vec<f32> = hidden.iter().map(|&v| v as f32).collect();
    found.image(&format!("both: read as {class}"), &Picture::new(&hidden, [1, 28, 28])?.png(6)?);
    Ok(())
}
