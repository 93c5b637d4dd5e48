//! Trains a small CNN on MNIST, and prints its test accuracy and the time that training took as JSON.
//!
//!     PERTURB_DATA=… cargo run --release -p perturb-nn --example mnist [EPOCHS] [SEED]
//!
//! `PERTURB_DATA` is a folder with `mnist/` in it. `benches/training.py` compares with PyTorch.

use perturb_data::{LoadOptions, load};
use perturb_graph::{Conv, DType, Expr, Pool};
use perturb_nn::{
    Adam, Control, Evaluator, Examples, Initializer, Layers, Run, Shuffled, Step, Trainer, flatten, losses,
};
use std::error::Error;
use std::path::Path;
use std::time::Instant;

const BATCH: usize = 64;
const CLASSES: usize = 10;

fn network(layers: &Layers, x: &Expr) -> Expr {
    let h = layers.at("conv1").conv2d(x, 16, 3, Conv::same()).relu().max_pool(Pool::square(2, 2));
    let h = layers.at("conv2").conv2d(&h, 32, 3, Conv::same()).relu().max_pool(Pool::square(2, 2));
    let h = layers.at("fc1").linear(&flatten(&h), 128).relu();
    layers.at("fc2").linear(&h, CLASSES)
}

fn examples(folder: &Path, images: &str) -> Result<Examples, Box<dyn Error>> {
    let set = load(&folder.join("mnist").join(images), &LoadOptions::default())?;
    let labels = set.labels.ok_or("MNIST has labels")?;
    Ok(Examples::labelled(set.inputs, &labels, CLASSES)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::var_os("PERTURB_DATA").ok_or("set PERTURB_DATA to a folder with mnist/ in it")?;
    let epochs = std::env::args().nth(1).map_or(Ok(3), |n| n.parse())?;
    let seed = std::env::args().nth(2).map_or(Ok(0), |n| n.parse())?;
    let training = examples(folder.as_ref(), "train-images-idx3-ubyte.gz")?;
    let test = examples(folder.as_ref(), "t10k-images-idx3-ubyte.gz")?;

    let layers = Layers::new(Initializer::pytorch(seed));
    let mut step = Step::new();
    let (x, label) = (step.input("input", [BATCH, 1, 28, 28], DType::F32), step.input("label", [BATCH], DType::I64));
    step.minimize(losses::cross_entropy_of_labels(&network(&layers, &x), &label));

    let trainer = Trainer { epochs, seed, ..Trainer::with(Adam::default()) };
    let start = Instant::now();
    let mut show = |run: &mut Run| {
        if run.step().is_multiple_of(200) {
            eprintln!("step {} of {}: loss {:.4}", run.step(), run.steps(), run.loss());
        }
        Control::Continue
    };
    let trained = trainer.fit(step, &Shuffled::new(training, BATCH)?, &mut [&mut show])?;
    let seconds = start.elapsed().as_secs_f64();

    let (x, label) = (Expr::input("input", [500, 1, 28, 28], DType::F32), Expr::input("label", [500], DType::I64));
    let right = losses::accuracy(&network(&layers, &x), &label);
    let rows = Evaluator::new(&[x, label], &[right])?.outputs(&trained.parameters, &test)?;
    let accuracy = rows[0].to_f64_vec().iter().sum::<f64>() / test.len() as f64;
    println!("{{\"workload\": \"mnist-cnn\", \"seconds\": {seconds:.2}, \"score\": {accuracy}}}");
    Ok(())
}
