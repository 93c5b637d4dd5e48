//! A small diffusion model of `shapes`, led by the figure's kind.

use super::figure_networks::{FIGURES, SIDE};
use crate::RunError;
use crate::training::Split;
use perturb_attack::unrestricted::{AttentionTap, LatentDiffusion};
use perturb_generate::{At, Level, NoiseSchedule};
use perturb_graph::{Conv, DType, Expr, Graph, GraphError, Tensor};
use perturb_nn::{
    Adam, Attention, Cosine, Examples, Init, Initializer, Layers, Parameters, Shuffled, Step, Trainer, losses,
    sinusoidal_features,
};
use std::sync::Arc;

const BATCH: usize = 50;
/// A latent has the pixels of 2×2 as channels: what an encoder is for, fewer places, without one that has to be trained.
const CHANNELS: usize = 12;
const PLACES: usize = SIDE / 2;
/// Places of the attention, which is at half the latent's size.
pub(super) const ATTENTION_SIDE: usize = PLACES / 2;
/// Start, the figure's kind, end.
const TOKENS: usize = 3;
const WIDTH: usize = 32;
const HEADS: usize = 4;
/// Rows of the table of words: start, end, the kind that says nothing, then the kinds.
const START: usize = 0;
const END: usize = 1;
const NOTHING: usize = 2;
const FIRST_KIND: usize = 3;
/// Share of images whose kind is not told in training (Ho and Salimans 2022).
const UNTOLD: f64 = 0.1;

/// How much it learns.
#[derive(Clone, Copy)]
pub(super) struct Effort {
    /// Channels at the latent's size; twice as many at half of it.
    pub channels: usize,
    pub epochs: usize,
}

/// Trains one on the split's images (Ho et al. 2020, algorithm 1), with half of the times in the first quarter, which attacks
/// go through.
pub(super) fn train(data: &Split, effort: Effort, seed: u64) -> Result<LatentDiffusion, RunError> {
    let schedule = NoiseSchedule::linear();
    let layers = Layers::new(Initializer::pytorch(seed));
    let mut step = Step::new();
    let image = step.input("input", [BATCH, 3, SIDE, SIDE], DType::F32);
    let kind = step.input("label", [BATCH], DType::I64);
    let drawn = step.key().uniform([BATCH], DType::F32).square().scale(schedule.steps() as f64);
    let time = drawn.floor().cast(DType::I64).offset(1.0);
    let table = |value: fn(&Level) -> f64| -> Result<Expr, GraphError> {
        let values = (0..=schedule.steps()).map(|t| value(&schedule.level(t))).collect();
        Ok(Expr::constant(Tensor::from_f64([schedule.steps() + 1], DType::F32, values)?).gather(0, &time))
    };
    let at = At { time: time.cast(DType::F32), alpha: table(|l| l.alpha)?, sigma: table(|l| l.sigma)? };
    let latent = encode(&image);
    let noise = step.key().normal(latent.shape(), DType::F32);
    let noisy = latent.mul(&At::along(&at.alpha, &latent)).add(&noise.mul(&At::along(&at.sigma, &latent)));
    let told = step.key().bernoulli(1.0 - UNTOLD, [BATCH, 1, 1], DType::F32);
    let predicted = denoise(&layers, effort, &noisy, &at.time, &text(&layers, &kind, &told));
    layers.take_taps();
    step.minimize(losses::mse(&predicted, &noise));
    let trainer = Trainer {
        epochs: effort.epochs,
        seed,
        schedule: Arc::new(Cosine { warm_up: 50, floor: 0.0 }),
        ..Trainer::with(Adam { learning_rate: 3e-3, ..Adam::default() })
    };
    let examples = Examples::labelled(data.train.clone(), &data.train_labels, FIGURES)?;
    let trained = trainer.fit(step, &Shuffled::new(examples, BATCH)?, &mut [])?.parameters;
    assemble(&layers, effort, &trained, &schedule)
}

/// The trained model as graphs of one image.
fn assemble(
    layers: &Layers,
    effort: Effort,
    trained: &Parameters,
    schedule: &NoiseSchedule,
) -> Result<LatentDiffusion, RunError> {
    let input = |name: &str, shape: &[usize]| Expr::input(name, shape, DType::F32);
    let latent = input("latent", &[1, CHANNELS, PLACES, PLACES]);
    let (time, words) = (input("time", &[1]), input("text", &[1, TOKENS, WIDTH]));
    let noise = denoise(layers, effort, &latent, &time, &words);
    let maps = layers.take_taps().into_iter().filter(|(name, _)| name.ends_with("probabilities"));
    let outputs: Vec<(String, Expr)> = std::iter::once(("noise".to_string(), noise)).chain(maps).collect();
    let tap = |(i, (name, _)): (usize, &(String, Expr))| match name.contains("cross") {
        true => AttentionTap::Cross(i),
        false => AttentionTap::SelfAttention(i),
    };
    let attention = outputs.iter().enumerate().skip(1).map(tap).collect();
    let image = input("image", &[1, 3, SIDE, SIDE]);
    let encoder = Graph::new(vec![image.clone()], vec![("latent".into(), encode(&image))])?;
    let decoder = Graph::new(vec![latent.clone()], vec![("image".into(), decode(&latent))])?;
    let denoiser = trained.bind(&Graph::new(vec![latent, time, words], outputs)?)?;
    let missing = || RunError::Measurement("the diffusion model has no words".into());
    let table = trained.get("words.weight").ok_or_else(missing)?.as_slice::<f32>();
    let word = |row: usize| &table[row * WIDTH..(row + 1) * WIDTH];
    let sentence = |kind: usize| [word(START), word(kind), word(END)].concat();
    let prompts = (0..FIGURES).flat_map(|kind| sentence(FIRST_KIND + kind)).collect();
    Ok(LatentDiffusion {
        denoiser,
        attention,
        encoder: Some(encoder),
        decoder: Some(decoder),
        alpha_bar: (0..=schedule.steps()).map(|t| schedule.level(t).alpha.powi(2)).collect(),
        prompts: Tensor::new([FIGURES, TOKENS, WIDTH], prompts)?,
        unconditional: Tensor::new([TOKENS, WIDTH], sentence(NOTHING))?,
        class_tokens: 1..2,
    })
}

/// Images `[N, 3, 32, 32]` in [0, 1] as latents in [−1, 1].
fn encode(image: &Expr) -> Expr {
    let n = image.shape()[0];
    let apart = image.reshape([n, 3, PLACES, 2, PLACES, 2]).transpose(&[0, 1, 3, 5, 2, 4]);
    apart.reshape([n, CHANNELS, PLACES, PLACES]).scale(2.0).offset(-1.0)
}

fn decode(latent: &Expr) -> Expr {
    let n = latent.shape()[0];
    let apart = latent.reshape([n, 3, 2, 2, PLACES, PLACES]).transpose(&[0, 1, 4, 2, 5, 3]);
    apart.reshape([n, 3, SIDE, SIDE]).offset(1.0).scale(0.5)
}

/// Texts `[N, 3, 32]` that name the kinds where `told` is 1, and say nothing where it is 0.
fn text(layers: &Layers, kind: &Expr, told: &Expr) -> Expr {
    let n = kind.shape()[0];
    let table = layers.at("words").parameter("weight", [FIRST_KIND + FIGURES, WIDTH], Init::Normal(1.0));
    let word = |row: usize| table.slice_axis(0, row, row + 1).reshape([1, 1, WIDTH]).broadcast_to([n, 1, WIDTH]);
    let kind = table.gather(0, &kind.offset(FIRST_KIND as f64)).reshape([n, 1, WIDTH]);
    let said = kind.mul(told).add(&word(NOTHING).mul(&told.neg().offset(1.0)));
    Expr::concat(&[word(START), said, word(END)], 1)
}

/// A U-Net of two sizes: ε in `x` at these times, led by texts through attention at the smaller size.
fn denoise(layers: &Layers, effort: Effort, x: &Expr, time: &Expr, text: &Expr) -> Expr {
    let narrow = effort.channels;
    let wide = 2 * narrow;
    let condition = layers.at("time").mlp(&sinusoidal_features(time, 32), &[64, 64], Expr::silu);
    let block = |name: &str, x: &Expr, out| layers.at(name).conditional_block(x, out, Some(&condition));
    let skip = block("down", &layers.at("stem").conv2d(x, narrow, 3, Conv::same()), narrow);
    let half = block("half", &layers.at("halve").conv2d(&skip, wide, 3, Conv::same().stride(2)), wide);
    let half = attend(&layers.at("attend1"), &half, text);
    let half = block("middle", &half, wide);
    let half = attend(&layers.at("attend2"), &half, text);
    let [n, _, h, w] = [0, 1, 2, 3].map(|axis| half.shape()[axis]);
    let double = half.reshape([n, wide, h, 1, w, 1]).broadcast_to([n, wide, h, 2, w, 2]);
    let double = double.reshape([n, wide, 2 * h, 2 * w]);
    let whole = block("up", &Expr::concat(&[double, skip], 1), narrow);
    let last = layers.at("norm").group_norm(&whole, 4).silu();
    layers.at("noise").init(Init::Constant(0.0)).conv2d(&last, x.shape()[1], 3, Conv::same())
}

/// Places attend to places, and then to the text.
fn attend(layers: &Layers, x: &Expr, text: &Expr) -> Expr {
    let [n, channels, h, w] = [0, 1, 2, 3].map(|axis| x.shape()[axis]);
    let places = x.reshape([n, channels, h * w]).transpose(&[0, 2, 1]);
    let own = layers.at("own").self_attention(&layers.at("norm1").layer_norm(&places), &Attention::full(HEADS));
    let places = places.add(&own);
    let cross = layers.at("cross").cross_attention(&layers.at("norm2").layer_norm(&places), text, HEADS, None);
    places.add(&cross).transpose(&[0, 2, 1]).reshape([n, channels, h, w])
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_graph::eval;

    // The four pixels of a place are its channels, each colour's one after another.
    #[test]
    fn latents_are_blocks_of_pixels() {
        let values: Vec<f32> = (0..3 * SIDE * SIDE).map(|i| i as f32 / 4096.0).collect();
        let image = Expr::constant(Tensor::new([1, 3, SIDE, SIDE], values.clone()).unwrap());
        let latent = encode(&image);
        let found = eval(&[latent.clone(), decode(&latent)], &[]).unwrap();
        assert_eq!(found[1].as_slice::<f32>(), values);
        let at = |channel: usize| found[0].as_slice::<f32>()[channel * PLACES * PLACES + PLACES + 1];
        for (channel, pixel) in [(0, [2, 2]), (1, [2, 3]), (2, [3, 2]), (3, [3, 3])] {
            assert_eq!(at(channel), 2.0 * values[pixel[0] * SIDE + pixel[1]] - 1.0);
        }
    }
}
