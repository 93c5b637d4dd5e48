//! Sparse and Transferable Universal Singular Vectors Attack (Kuvshinova et al. 2024).
//!
//! Claim: one perturbation of 5 % of the pixels, the sparse vector that excites a hidden layer most on 256 images, changes
//! more than half of a network's decisions, and many of those of other networks. Here on small convolutional networks of
//! CIFAR-10; layer, q and sign are chosen on a validation split. Baselines: the dense vector of equal ℓ2 length, and random
//! signs on as many random pixels.
//!
//! That the iteration finds singular vectors, and nearly the best sparse ones, is tested beside it against enumeration.

use super::cifar_networks::{Network, subjects};
use crate::curves::{Axes, share_figure};
use crate::{Claim, Estimator, Figure, Measurements, Quantity, Reproduction, Run, RunError, SeedResult};
use perturb_attack::feature::rectified;
use perturb_attack::{Ball, Norm, Seed, TPower, Universal};
use perturb_graph::{Graph, Tensor};
use perturb_report::chart::{Hue, Marker};
use perturb_report::picture::Picture;
use rand::seq::index;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub struct SparseSingularVectors;

const SPARSE: &str = "sparse, 256 images";
const FEW: &str = "sparse, 64 images";
const DENSE: &str = "dense, of equal length";
const RANDOM: &str = "random signs, sparse";

const FOOLED: Quantity = Quantity::share("decisions changed");
const TRANSFER: Quantity = Quantity::share("decisions changed of another network");
const ACCURACY: Quantity = Quantity::share("clean accuracy, the worse network");
const KEPT: Quantity = Quantity::share("length left within the pixels' range");
const LAYER: Quantity = Quantity::positive("layer chosen");
const EXPONENT: Quantity = Quantity::positive("q chosen");
const CURVE: &str = "decisions changed against the share of pixels";
const RANDOM_CURVE: &str = "decisions changed against the share of pixels, random signs";

const PIXELS: f64 = 0.05;
const EPSILON: f64 = 0.3;
const SAMPLES: usize = 256;

impl Reproduction for SparseSingularVectors {
    fn slug(&self) -> &'static str {
        "sparse-singular-vectors"
    }

    fn claim(&self) -> Claim {
        let level = |quantity: Quantity, arm| Estimator::Level(quantity.of(arm));
        Claim {
            method: SPARSE,
            baselines: &[FEW, DENSE, RANDOM],
            seeds: 5,
            preconditions: vec![level(ACCURACY, SPARSE).at_least(0.45)],
            rules: vec![
                Estimator::Difference(FOOLED.of(SPARSE), FOOLED.of(RANDOM)).at_least(0.2),
                level(FOOLED, SPARSE).at_least(0.4),
                Estimator::Ratio(FOOLED.of(SPARSE), FOOLED.of(DENSE)).at_least(0.7),
                Estimator::Ratio(TRANSFER.of(SPARSE), FOOLED.of(SPARSE)).at_least(0.6),
                level(FOOLED, RANDOM).at_most(0.2),
            ],
        }
    }

    fn run(&self, run: &Run) -> Result<Measurements, RunError> {
        let mut found = Measurements::new();
        let (data, network, other) = subjects(run)?;
        found.record(ACCURACY.of(SPARSE), network.accuracy.min(other.accuracy))?;
        run.progress(0.5, "layer and exponent");
        let split = Fitting {
            network: &network,
            layers: rectified(&network.graph)?,
            samples: data.train.rows(0, SAMPLES),
            validation: data.train.rows(SAMPLES, 2 * SAMPLES),
            seed: Seed::new(run.seed, 0),
        };
        let (layer, q) = split.choose()?;
        found.record(LAYER.of(SPARSE), (layer + 1) as f64)?;
        found.record(EXPONENT.of(SPARSE), q)?;
        run.progress(0.8, "perturbations");
        let attack = |pixels| TPower { q, pixels, ..TPower::default() };
        let sparse = split.fit(&attack(PIXELS), layer, SAMPLES, EPSILON)?;
        // Signs: the length is ε·√k.
        let dense = split.fit(&attack(1.0), layer, SAMPLES, EPSILON * PIXELS.sqrt())?;
        let few = split.fit(&attack(PIXELS), layer, 64, EPSILON)?;
        let mut record = |arm, universal: &Universal| -> Result<f64, RunError> {
            let fooled = universal.success_rate(&network.model, &data.test, &network.clean)?;
            found.record(FOOLED.of(arm), fooled)?;
            found.record(TRANSFER.of(arm), universal.success_rate(&other.model, &data.test, &other.clean)?)?;
            found.record(KEPT.of(arm), length_kept(universal, &data.test)?)?;
            Ok(fooled)
        };
        let reached = record(SPARSE, &sparse)?;
        record(DENSE, &dense)?;
        record(FEW, &few)?;
        let random = Scatter::new(run.seed);
        let noise = random.rate(&network, &data.test, PIXELS)?;
        found.record(FOOLED.of(RANDOM), noise)?;
        found.record(TRANSFER.of(RANDOM), random.rate(&other, &data.test, PIXELS)?)?;
        let (mut curve, mut scattered) = (vec![(PIXELS, reached)], vec![(PIXELS, noise)]);
        for share in run.scaled(&[0.01, 0.1][..], &[0.005, 0.01, 0.02, 0.1, 0.2][..]) {
            let universal = split.fit(&attack(*share), layer, SAMPLES, EPSILON)?;
            curve.push((*share, universal.success_rate(&network.model, &data.test, &network.clean)?));
            scattered.push((*share, random.rate(&network, &data.test, *share)?));
        }
        for (name, mut points) in [(CURVE, curve), (RANDOM_CURVE, scattered)] {
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            found.curve(name, points);
        }
        show(&mut found, &data.test, &sparse)?;
        Ok(found)
    }

    fn figures(&self, seeds: &[SeedResult]) -> Vec<Figure> {
        let axes = Axes {
            description: "Share of decisions changed, against the share of pixels that change.",
            x: "share of pixels",
            y: "decisions changed",
            last: 0.2,
        };
        let arms = [
            (CURVE, "TPower", Hue::Vermillion, Marker::Circle),
            (RANDOM_CURVE, "random signs", Hue::Grey, Marker::Diamond),
        ];
        vec![share_figure("pixels", seeds, "TPower", &arms, &axes)]
    }
}

/// What perturbations are fitted to.
struct Fitting<'a> {
    network: &'a Network,
    layers: Graph,
    samples: Tensor,
    validation: Tensor,
    seed: Seed,
}

impl Fitting<'_> {
    fn fit(&self, attack: &TPower, layer: usize, samples: usize, epsilon: f64) -> Result<Universal, RunError> {
        let layer = Graph::new(self.layers.inputs.clone(), vec![self.layers.outputs[layer].clone()])?;
        let ball = Ball::new(Norm::Linf, epsilon, (0.0, 1.0))?;
        Ok(attack.fit(&layer, &self.network.model, &self.samples.rows(0, samples), &ball, &self.seed)?)
    }

    /// The layer and q whose perturbation changes most decisions on the validation split.
    fn choose(&self) -> Result<(usize, f64), RunError> {
        let clean = super::cifar_networks::decisions(&self.network.model, &self.validation)?;
        let mut best = (f64::NEG_INFINITY, (0, 1.0));
        for layer in 0..self.layers.outputs.len() {
            for q in [2.0, 3.0, 5.0] {
                let attack = TPower { q, pixels: PIXELS, iterations: 20, ..TPower::default() };
                let universal = self.fit(&attack, layer, 64, EPSILON)?;
                let rate = universal.success_rate(&self.network.model, &self.validation, &clean)?;
                if rate > best.0 {
                    best = (rate, (layer, q));
                }
            }
        }
        Ok(best.1)
    }
}

/// Random signs on random pixels.
struct Scatter {
    seed: u64,
}

impl Scatter {
    const DRAWS: u64 = 5;

    fn new(seed: u64) -> Scatter {
        Scatter { seed }
    }

    /// The share of decisions changed, mean over draws.
    fn rate(&self, network: &Network, images: &Tensor, share: f64) -> Result<f64, RunError> {
        const PLACES: usize = 32 * 32;
        let mut total = 0.0;
        for draw in 0..Self::DRAWS {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed * Self::DRAWS + draw);
            let mut values = vec![0.0; 3 * PLACES];
            let count = (share * PLACES as f64).round() as usize;
            for place in index::sample(&mut rng, PLACES, count) {
                for channel in 0..3 {
                    let sign = if rng.random::<bool>() { 1.0 } else { -1.0 };
                    values[channel * PLACES + place] = (sign * EPSILON) as f32;
                }
            }
            let ball = Ball::new(Norm::Linf, EPSILON, (0.0, 1.0))?;
            let universal = Universal::new(Tensor::new([3, 32, 32], values)?, ball)?;
            total += universal.success_rate(&network.model, images, &network.clean)?;
        }
        Ok(total / Self::DRAWS as f64)
    }
}

/// The share of a perturbation's length that is left where images end at the pixels' range, mean over images.
fn length_kept(universal: &Universal, images: &Tensor) -> Result<f64, RunError> {
    let moved = universal.apply(images)?;
    let width = universal.delta.count();
    let length = |v: &mut dyn Iterator<Item = f32>| v.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    let whole = length(&mut universal.delta.as_slice::<f32>().iter().copied());
    let pairs = moved.as_slice::<f32>().chunks_exact(width).zip(images.as_slice::<f32>().chunks_exact(width));
    let kept: Vec<f64> = pairs.map(|(a, b)| length(&mut a.iter().zip(b).map(|(a, b)| a - b)) / whole).collect();
    Ok((kept.iter().sum::<f64>() / kept.len() as f64).min(1.0))
}

/// An image, with the perturbation, and what was added.
fn show(found: &mut Measurements, images: &Tensor, universal: &Universal) -> Result<(), RunError> {
    let clean = images.rows(0, 1);
    let moved = universal.apply(&clean)?;
    let [clean, moved] = [&clean, &moved].map(|image| Picture::new(image.as_slice::<f32>(), [3, 32, 32]));
    let (clean, moved) = (clean?, moved?);
    found.image("an image", &clean.png(6)?);
    found.image("with the perturbation", &moved.png(6)?);
    found.image("what was added", &clean.perturbation_png(&moved, 1.0, 6)?);
    Ok(())
}
