//! The model that is audited when none is given: a small CNN, trained here on the `shapes` world.

use crate::{CliError, progress};
use perturb::data::worlds::{Shapes, ShapesSet};
use perturb::graph::{Conv, DType, Expr, Graph, Tensor};
use perturb::nn::{Adam, Control, Examples, Initializer, IntervalLoss, Layers, Run, Shuffled, Step, Trainer, flatten};

/// Seeds of the two sets, far apart from each other and from a user's `--seed`.
const TRAINING_SET: u64 = 1 << 40;
const TEST_SET: u64 = 1 << 41;
const TRAINING_EXAMPLES: usize = 6000;
const BATCH: usize = 64;
const CLASSES: usize = 6;

/// Side of an image.
pub const SIZE: usize = 32;

/// An untrained classifier of `[1, 3, 32, 32]` into the six shapes.
pub fn architecture(seed: u64) -> Result<Graph, CliError> {
    let layers = Layers::new(Initializer::he(seed));
    let x = Expr::input("image", [1, 3, SIZE, SIZE], DType::F32);
    let same = |stride: usize| Conv { padding: vec![(1, 1); 2], ..Conv::default() }.stride(stride);
    let h = layers.at("conv1").conv2d(&x, 16, 3, same(2)).relu();
    let h = layers.at("conv2").conv2d(&h, 32, 3, same(2)).relu();
    let h = layers.at("conv3").conv2d(&h, 32, 3, same(1)).relu();
    let h = layers.at("fc1").linear(&flatten(&h), 64).relu();
    Ok(Graph::new(vec![x], vec![("logits".into(), layers.at("fc2").linear(&h, CLASSES))])?)
}

/// Trains the built-in model; the same everywhere, whatever the audit's seed.
///
/// # Errors
/// If training fails.
pub fn train() -> Result<Graph, CliError> {
    let set = Shapes { size: SIZE, ..Shapes::default() }.dataset(TRAINING_SET, TRAINING_EXAMPLES);
    let inputs = examples(&set)?;
    let architecture = architecture(1)?;
    let mut step = Step::classifier(&architecture, BATCH)?;
    // With a share of interval loss, so that the report has something to prove.
    step.apply(&IntervalLoss { epsilon: 0.002, weight: 0.2, ramp: 0.6 })?;
    let batches = Shuffled::new(Examples::labelled(inputs, &set.labels, CLASSES)?, BATCH)?;
    let adam = Adam { learning_rate: 2e-3, ..Adam::default() };
    let trainer = Trainer { epochs: 8, seed: 1, ..Trainer::with(adam) };
    let bar = progress::bar("training built-in model", trainer.epochs * (TRAINING_EXAMPLES / BATCH));
    let mut show = |run: &mut Run| {
        bar.set_position(run.step());
        Control::Continue
    };
    let trained = trainer.fit(step, &batches, &mut [&mut show])?;
    bar.finish();
    Ok(trained.parameters.bind(&architecture)?)
}

/// `n` images that training has not seen.
pub fn test_set(n: usize) -> ShapesSet {
    Shapes { size: SIZE, ..Shapes::default() }.dataset(TEST_SET, n)
}

/// A set's images with the axis of size 1 that single-example graphs have: `[n, 1, 3, 32, 32]`.
pub fn examples(set: &ShapesSet) -> Result<Tensor, CliError> {
    let n = set.labels.len();
    Ok(set.images.reshape([n, 1, 3, SIZE, SIZE])?)
}
