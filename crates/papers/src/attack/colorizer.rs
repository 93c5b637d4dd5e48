//! A small network that colours CIFAR-10 images, led by hints.

use crate::RunError;
use perturb_attack::unrestricted::lab;
use perturb_graph::{Conv, DType, Expr, Graph, GraphError, Resize, Tensor};
use perturb_nn::{
    Adam, Cosine, Evaluator, Examples, Initializer, Key, Layers, Parameters, Shuffled, Step, Trainer, losses,
};
use std::sync::Arc;

const SIDE: usize = 32;
const BATCH: usize = 50;
/// Largest absolute value of a and b.
const RANGE: f64 = 110.0;
/// Mean share of the pixels that have a hint.
const HINTED: f64 = 0.03;
/// Share of images that have hints everywhere.
const ALL_HINTED: f64 = 0.02;

/// Trained as in Zhang et al. 2017: the true colours are given at few random pixels, in geometric numbers, and all are to be
/// told; smooth ℓ₁ loss.
pub(super) struct HintedColorizer {
    layers: Layers,
    parameters: Parameters,
}

impl HintedColorizer {
    /// Trains on `images [N, 1, 3, 32, 32]`.
    pub fn train(images: &Tensor, epochs: usize, seed: u64) -> Result<HintedColorizer, RunError> {
        let layers = Layers::new(Initializer::he(seed));
        let mut step = Step::new();
        let image = step.input("image", [BATCH, 3, SIDE, SIDE], DType::F32);
        let seen = lab(&image)?;
        let (lightness, truth) = (seen.slice_axis(1, 0, 1), seen.slice_axis(1, 1, 3));
        let mask = hinted(&step.key());
        let told = network(&layers, &lightness, &truth.mul(&mask), &mask)?;
        step.minimize(losses::huber(&told.scale(1.0 / RANGE), &truth.scale(1.0 / RANGE), 0.1));
        let count = images.shape()[0];
        let examples = Examples::new("image", images.reshape([count, 3, SIDE, SIDE])?)?;
        let trainer = Trainer {
            epochs,
            seed,
            schedule: Arc::new(Cosine { warm_up: 20, floor: 0.0 }),
            ..Trainer::with(Adam { learning_rate: 4e-3, ..Adam::default() })
        };
        let parameters = trainer.fit(step, &Shuffled::new(examples, BATCH)?, &mut [])?.parameters;
        Ok(HintedColorizer { layers, parameters })
    }

    /// Mean distance in the a–b plane of the colours of `images [N, 1, 3, 32, 32]` from what is told with hints of these
    /// shares of the pixels, in units of Lab.
    pub fn errors<const N: usize>(&self, images: &Tensor, shares: [f64; N]) -> Result<[f64; N], RunError> {
        let image = Expr::input("image", [BATCH, 3, SIDE, SIDE], DType::F32);
        let seen = lab(&image)?;
        let (lightness, truth) = (seen.slice_axis(1, 0, 1), seen.slice_axis(1, 1, 3));
        let error = |share: f64| -> Result<Expr, GraphError> {
            let mask = Key::constant(0, 0).bernoulli(share, [BATCH, 1, SIDE, SIDE], DType::F32);
            let told = network(&self.layers, &lightness, &truth.mul(&mask), &mask)?;
            let apart = told.sub(&truth).square().reduce_sum(&[1], false).sqrt();
            Ok(apart.reduce_mean(&[1, 2], false))
        };
        let outputs = shares.iter().map(|&s| error(s)).collect::<Result<Vec<_>, _>>()?;
        let evaluator = Evaluator::new(&[image], &outputs)?;
        let count = images.shape()[0];
        let examples = Examples::new("image", images.reshape([count, 3, SIDE, SIDE])?)?;
        let found = evaluator.outputs(&self.parameters, &examples)?;
        Ok(std::array::from_fn(|k| found[k].to_f64_vec().iter().sum::<f64>() / count as f64))
    }

    /// As a graph for one image.
    pub fn graph(&self) -> Result<Graph, RunError> {
        let input = |name: &str, channels| Expr::input(name, [1, channels, SIDE, SIDE], DType::F32);
        let inputs = vec![input("lightness", 1), input("hints", 2), input("mask", 1)];
        let colors = network(&self.layers, &inputs[0], &inputs[1], &inputs[2])?;
        Ok(self.parameters.bind(&Graph::new(inputs, vec![("colors".into(), colors)])?)?)
    }
}

/// Two levels down and up again, at half and a quarter of the size; the last layer sees lightness and hints once more.
fn network(layers: &Layers, lightness: &Expr, hints: &Expr, mask: &Expr) -> Result<Expr, GraphError> {
    let seen = [lightness.offset(-50.0).scale(0.02), hints.scale(2.0 / RANGE), mask.clone()];
    let seen = Expr::try_concat(&seen, 1)?;
    let conv =
        |name: &str, x: &Expr, out, stride| layers.at(name).conv2d(x, out, 3, Conv::same().stride(stride)).relu();
    let up = |x: &Expr| x.try_resize(&[2 * x.shape()[2], 2 * x.shape()[3]], &Resize::linear());
    let half = conv("half.2", &conv("half.1", &seen, 24, 2), 24, 1);
    let quarter = conv("quarter.2", &conv("quarter.1", &half, 48, 2), 48, 1);
    let half = conv("half.3", &Expr::try_concat(&[up(&quarter)?, half], 1)?, 32, 1);
    let whole = conv("whole", &Expr::try_concat(&[up(&half)?, seen], 1)?, 16, 1);
    Ok(layers.at("colors").conv2d(&whole, 2, 1, Conv::default()).scale(0.1).tanh().scale(RANGE))
}

/// Masks `[50, 1, 32, 32]` of hints.
fn hinted(key: &Key) -> Expr {
    let draw = |index: u64| key.fold(index).uniform([BATCH, 1, 1, 1], DType::F32);
    // Exponential shares make geometric numbers.
    let share = draw(0).neg().offset(1.0).log().scale(-HINTED);
    let all = draw(1);
    let share = Expr::select(&all.less(&all.like(ALL_HINTED)), &share.like(1.0), &share);
    let pixels = key.fold(2).uniform([BATCH, 1, SIDE, SIDE], DType::F32);
    pixels.less(&share.broadcast_to(pixels.shape()))
}
