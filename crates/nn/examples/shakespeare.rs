//! Trains a character transformer on tiny Shakespeare, and prints its validation loss (nats for a character) and the time
//! that training took as JSON.
//!
//!     PERTURB_DATA=… cargo run --release -p perturb-nn --example shakespeare [STEPS] [SEED]
//!
//! `PERTURB_DATA` is a folder with `text/tinyshakespeare.txt.gz` in it. `benches/training.py` compares with PyTorch.

use flate2::read::GzDecoder;
use perturb_graph::{DType, Expr, Tensor};
use perturb_nn::{
    Adam, Attention, Batch, Batches, Control, Evaluator, Examples, Init, Initializer, Layers, Position, Run, Step,
    TrainError, Trainer, losses,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

const BATCH: usize = 32;
const CONTEXT: usize = 64;
const WIDTH: usize = 128;

/// Windows of the text at random places; the targets are one character further on.
struct Windows {
    text: Vec<i64>,
    steps: usize,
}

impl Batches for Windows {
    fn steps(&self) -> usize {
        self.steps
    }

    fn fill(&self, at: Position, batch: &mut Batch) -> Result<(), TrainError> {
        let mut rng = ChaCha8Rng::seed_from_u64(at.seed);
        rng.set_stream(at.step);
        let starts: Vec<usize> = (0..BATCH).map(|_| rng.random_range(0..self.text.len() - CONTEXT)).collect();
        for (name, ahead) in [("tokens", 0), ("targets", 1)] {
            let rows = batch.tensor(name)?.as_mut_slice::<i64>().chunks_exact_mut(CONTEXT);
            rows.zip(&starts).for_each(|(row, s)| row.copy_from_slice(&self.text[s + ahead..s + ahead + CONTEXT]));
        }
        Ok(())
    }
}

/// Two causal blocks, with learned positions.
fn network(layers: &Layers, tokens: &Expr, characters: usize) -> Expr {
    let h = layers.at("tokens").embedding_with(tokens, characters, WIDTH, Init::Normal(0.02));
    let h = layers.at("positions").learned_positions(&h);
    let block = |h: Expr, k: usize| layers.at(format!("blocks.{k}")).transformer_block(&h, &Attention::causal(4));
    layers.at("head").linear(&layers.at("norm").layer_norm(&(0..2).fold(h, block)), characters)
}

/// Characters by their place in the alphabet of the text, and the size of that.
fn read(path: &Path) -> Result<(Vec<i64>, usize), Box<dyn Error>> {
    let mut text = Vec::new();
    GzDecoder::new(File::open(path)?).read_to_end(&mut text)?;
    let mut alphabet = text.clone();
    alphabet.sort_unstable();
    alphabet.dedup();
    let place = |byte: &u8| alphabet.binary_search(byte).map_or(0, |i| i as i64);
    Ok((text.iter().map(place).collect(), alphabet.len()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::var_os("PERTURB_DATA").ok_or("set PERTURB_DATA to a folder with text/ in it")?;
    let steps = std::env::args().nth(1).map_or(Ok(400), |n| n.parse())?;
    let seed = std::env::args().nth(2).map_or(Ok(0), |n| n.parse())?;
    let (mut text, characters) = read(&Path::new(&folder).join("text/tinyshakespeare.txt.gz"))?;
    // The last tenth is for validation.
    let held_out = text.split_off(text.len() / 10 * 9);

    let layers = Layers::new(Initializer::pytorch(seed));
    let mut step = Step::new();
    let (tokens, targets) =
        (step.input("tokens", [BATCH, CONTEXT], DType::I64), step.input("targets", [BATCH, CONTEXT], DType::I64));
    step.minimize(losses::cross_entropy_of_labels(&network(&layers, &tokens, characters), &targets));

    let trainer = Trainer { seed, ..Trainer::with(Adam::w()) };
    let start = Instant::now();
    let mut show = |run: &mut Run| {
        if run.step().is_multiple_of(50) {
            eprintln!("step {} of {}: loss {:.4}", run.step(), run.steps(), run.loss());
        }
        Control::Continue
    };
    let trained = trainer.fit(step, &Windows { text, steps }, &mut [&mut show])?;
    let seconds = start.elapsed().as_secs_f64();

    let [tokens, targets] = ["tokens", "targets"].map(|name| Expr::input(name, [BATCH, CONTEXT], DType::I64));
    let loss = losses::cross_entropy_of_labels(&network(&layers, &tokens, characters), &targets);
    let rows = |ahead: usize| -> Result<Tensor, Box<dyn Error>> {
        let windows: Vec<i64> = held_out[ahead..].chunks_exact(CONTEXT).take(1600).flatten().copied().collect();
        Ok(Tensor::new([windows.len() / CONTEXT, CONTEXT], windows)?)
    };
    let examples = Examples::new("tokens", rows(0)?)?.with("targets", rows(1)?)?;
    let rows = Evaluator::new(&[tokens, targets], &[loss])?.outputs(&trained.parameters, &examples)?;
    let mean = rows[0].to_f64_vec().iter().sum::<f64>() / examples.len() as f64;
    println!("{{\"workload\": \"shakespeare-transformer\", \"seconds\": {seconds:.2}, \"score\": {mean}}}");
    Ok(())
}
