//! Where batches come from.

mod examples;
mod prefetch;
mod shuffled;

pub use examples::Examples;
pub use shuffled::{Shuffled, Without};

pub(crate) use prefetch::with_batches;

use crate::TrainError;
use perturb_graph::Tensor;

/// The batches of a run: a function from the position in it to tensors, so that a run that goes on after a kill sees the
/// same ones. They are made on a thread of their own, ahead of the training.
///
/// [`Shuffled`] takes them from tensors in memory; [`Without`] is for objectives that need none; anything else, such as
/// augmented views or collocation points, fills the tensors by itself:
///
/// ```
/// use perturb_nn::{Batch, Batches, Position, TrainError};
/// use rand::{RngExt, SeedableRng};
///
/// struct Points;
///
/// impl Batches for Points {
///     fn steps(&self) -> usize {
///         100
///     }
///     fn fill(&self, at: Position, batch: &mut Batch) -> Result<(), TrainError> {
///         let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(at.seed);
///         rng.set_stream(at.step);
///         batch.tensor("x")?.as_mut_slice::<f32>().iter_mut().for_each(|v| *v = rng.random_range(0.0..1.0));
///         Ok(())
///     }
/// }
/// ```
pub trait Batches: Sync {
    /// Steps in an epoch.
    fn steps(&self) -> usize;

    /// Overwrites all tensors of `batch`.
    ///
    /// # Errors
    /// If the data do not fit the step.
    fn fill(&self, at: Position, batch: &mut Batch) -> Result<(), TrainError>;
}

/// A position in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Seed of the run.
    pub seed: u64,
    /// Steps before this one, over all epochs.
    pub step: u64,
    /// Epochs before this one.
    pub epoch: u64,
    /// Steps before this one in its epoch.
    pub index: usize,
}

impl Position {
    pub(crate) fn of(seed: u64, step: u64, per_epoch: u64) -> Position {
        let per_epoch = per_epoch.max(1);
        Position { seed, step, epoch: step / per_epoch, index: (step % per_epoch) as usize }
    }
}

/// The tensors that a step is fed with, by name.
#[derive(Clone, Debug)]
pub struct Batch {
    tensors: Vec<(String, Tensor)>,
}

impl Batch {
    /// Named tensors.
    pub fn new(tensors: Vec<(String, Tensor)>) -> Batch {
        Batch { tensors }
    }

    /// A tensor to write to: one of the step's inputs, with its shape and type.
    ///
    /// # Errors
    /// If the step has no such input.
    pub fn tensor(&mut self, name: &str) -> Result<&mut Tensor, TrainError> {
        let known = || self.names().collect::<Vec<_>>().join(", ");
        match self.tensors.iter().position(|(n, _)| n == name) {
            Some(i) => Ok(&mut self.tensors[i].1),
            None => Err(TrainError::Unnamed { name: name.into(), known: known() }),
        }
    }

    /// Names of the tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.iter().map(|(name, _)| name.as_str())
    }

    /// Names and tensors, to write to.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Tensor)> {
        self.tensors.iter_mut().map(|(name, tensor)| (name.as_str(), tensor))
    }

    pub(crate) fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        self.tensors.iter().map(|(_, tensor)| tensor)
    }
}
