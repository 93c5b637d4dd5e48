//! What attacks by colour and by texture are compared on: a network, a colouriser, and images of CIFAR-10 with targets.

use super::cifar_networks::{Network, Plan};
use super::colorizer::HintedColorizer;
use super::subjects::{BATCH, CLASSES, cifar, right};
use crate::{Run, RunError};
use perturb_attack::perceptual::{Distances, Metric};
use perturb_attack::unrestricted::{lab, probability_gap, srgb};
use perturb_attack::{Attack, Ball, Classifier, Criterion, Seed};
use perturb_data::augment::{Augmentation, Squeeze};
use perturb_engine::{Executable, Options};
use perturb_graph::{DType, Expr, Graph, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(super) const SIDE: usize = 32;
/// By how much the target's probability must exceed the next.
pub(super) const GAP: f64 = 0.05;
/// Images that textures are taken from.
const TEXTURES: usize = 500;

/// Networks, and images with targets.
pub(super) struct Bench {
    seed: u64,
    pub network: Network,
    pub colorizer: Graph,
    /// Mean distances of the colouriser's colours from the true ones in Lab, without hints and with hints at 3 % of the
    /// pixels.
    pub color_errors: [f64; 2],
    /// The network as it is.
    pub plain: Classifier,
    /// The network, whose decision for the target needs the gap.
    pub confident: Classifier,
    /// Where textures come from, with their classes.
    pub textures: (Tensor, Vec<usize>),
    /// `[N, 3, 32, 32]`, all classified rightly.
    pub images: Tensor,
    pub labels: Vec<usize>,
    pub targets: Vec<usize>,
}

impl Bench {
    pub fn train(run: &Run) -> Result<Bench, RunError> {
        let data = cifar(run, run.scaled([8000, 300], [10_000, 2000]))?;
        let (epochs, colored, color_epochs) = run.scaled((6, 4000, 3), (12, 10_000, 15));
        let seed = run.seed;
        let (network, colorizer) = std::thread::scope(|scope| {
            let network = scope.spawn(|| Network::train(Plan::Spread, &data, seed, epochs));
            let colorizer = HintedColorizer::train(&data.train.rows(0, colored), color_epochs, seed);
            (network.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), colorizer)
        });
        let (network, colorizer) = (network?, colorizer?);
        let count = run.scaled(30, 100);
        let (images, labels) = right(&network.model, &data, count)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let targets: Vec<usize> = labels.iter().map(|l| (l + rng.random_range(1..CLASSES)) % CLASSES).collect();
        let batch = count.min(BATCH);
        Ok(Bench {
            seed,
            color_errors: colorizer.errors(&data.test, [0.0, 0.03])?,
            colorizer: colorizer.graph()?,
            plain: Classifier::new(&network.graph, batch)?,
            confident: confident(&network.graph, batch, &targets)?,
            network,
            textures: (data.train.rows(0, TEXTURES), data.train_labels[..TEXTURES].to_vec()),
            images: images.reshape([count, 3, SIDE, SIDE])?,
            labels,
            targets,
        })
    }

    pub fn attack(&self, attack: &dyn Attack, model: &Classifier, ball: &Ball) -> Result<Tensor, RunError> {
        let criterion = Criterion::Targeted { classes: self.targets.clone() };
        Ok(attack.run(model, &self.images, &criterion, ball, &Seed::new(self.seed, 0))?.inputs)
    }

    /// Which of the images are classified as their targets, with the gap.
    pub fn reached(&self, images: &Tensor) -> Result<Vec<bool>, RunError> {
        let right = self.targeted(images)?;
        Ok(right.into_iter().zip(self.gaps(images)?).map(|(right, gap)| right && gap > GAP).collect())
    }

    pub fn gaps(&self, images: &Tensor) -> Result<Vec<f64>, RunError> {
        let logits = self.plain.logits(images)?;
        Ok(logits.as_slice::<f32>().chunks_exact(CLASSES).map(probability_gap).collect())
    }

    fn targeted(&self, images: &Tensor) -> Result<Vec<bool>, RunError> {
        let predictions = self.plain.predictions(images)?;
        Ok(predictions.iter().zip(&self.targets).map(|(p, t)| *p == Some(*t)).collect())
    }

    /// Which of the images are classified as their targets after a transformation.
    pub fn survives(&self, images: &Tensor, squeeze: Squeeze) -> Result<Vec<bool>, RunError> {
        let numbers: Vec<u64> = (0..self.targets.len() as u64).collect();
        self.targeted(&squeeze.batch(images, 0, &numbers)?)
    }

    /// Which of the images are not classified as their labels.
    pub fn wrong(&self, images: &Tensor) -> Result<Vec<bool>, RunError> {
        let predictions = self.plain.predictions(images)?;
        Ok(predictions.iter().zip(&self.labels).map(|(p, l)| *p != Some(*l)).collect())
    }

    /// Mean of a metric between the first `count` originals and the images in their place.
    pub fn distance(&self, metric: &dyn Metric, images: &Tensor, count: usize) -> Result<f64, RunError> {
        let count = count.min(self.targets.len());
        let distances = Distances::new(metric, [3, SIDE, SIDE], count)?;
        let found = distances.of(&self.images.rows(0, count), &images.rows(0, count))?;
        Ok(found.iter().sum::<f64>() / count as f64)
    }

    /// The largest change of a channel of a pixel, mean over images.
    pub fn largest_change(&self, images: &Tensor) -> f64 {
        let [before, after] = [&self.images, images].map(|t| t.as_slice::<f32>().chunks_exact(3 * SIDE * SIDE));
        let largest = |(x, y): (&[f32], &[f32])| x.iter().zip(y).fold(0.0, |m: f32, (a, b)| m.max((a - b).abs()));
        before.zip(after).map(|pair| f64::from(largest(pair))).sum::<f64>() / self.targets.len() as f64
    }
}

/// The network with logits `log(p + gap)` of all classes but the target, and `log p` of that: it decides for the target if
/// that is ahead by the gap. The cross-entropy of the target is the same but for a constant, so that nothing else changes.
fn confident(graph: &Graph, batch: usize, targets: &[usize]) -> Result<Classifier, RunError> {
    // So that no probability is without a logarithm.
    const TINY: f64 = 1e-30;
    let favoured = Expr::input("favoured", [1, CLASSES], DType::F32);
    let probabilities = graph.outputs[0].1.softmax(1);
    let logits = probabilities.add(&favoured.scale(GAP)).offset(TINY).log();
    let graph = Graph::new(vec![graph.inputs[0].clone(), favoured], vec![("logits".into(), logits)])?;
    let others = |&t: &usize| (0..CLASSES).map(move |k| if k == t { 0.0 } else { 1.0 });
    let rows = Tensor::new([targets.len(), CLASSES], targets.iter().flat_map(others).collect::<Vec<f32>>())?;
    Ok(Classifier::with_context(&graph, batch, &rows)?)
}

/// Images with changes of colour of the same size at every pixel as those from `images` to `recolored`, but another hue:
/// turned in the a–b plane, by 60° at least, one angle for each image.
pub(super) fn turned(images: &Tensor, recolored: &Tensor, seed: u64) -> Result<Tensor, RunError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let angles: Vec<f64> = (0..images.shape()[0]).map(|_| rng.random_range(60f64..300.0).to_radians()).collect();
    let column = |f: fn(f64) -> f64| -> Result<Expr, RunError> {
        let values = angles.iter().map(|&angle| f(angle)).collect();
        Ok(Expr::constant(Tensor::from_f64([angles.len(), 1, 1, 1], DType::F32, values)?))
    };
    let (cos, sin) = (column(f64::cos)?, column(f64::sin)?);
    let inputs = ["before", "after"].map(|name| Expr::input(name, images.shape(), DType::F32));
    let before = lab(&inputs[0])?;
    let change = lab(&inputs[1])?.sub(&before);
    let [a, b] = [1, 2].map(|c| change.slice_axis(1, c, c + 1));
    let [l, old_a, old_b] = [0, 1, 2].map(|c| before.slice_axis(1, c, c + 1));
    let parts = [l, old_a.add(&a.mul(&cos).sub(&b.mul(&sin))), old_b.add(&a.mul(&sin).add(&b.mul(&cos)))];
    let image = srgb(&Expr::try_concat(&parts, 1)?)?;
    Ok(Executable::compile(&[image], &inputs, &Options::default())?.run(&[images, recolored])?.remove(0))
}
