//! Batches in random order, and none.

use super::{Batch, Batches, Examples, Position};
use crate::TrainError;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::sync::Mutex;

/// Batches of a fixed size in an order that is drawn anew for every epoch; what is left at its end is left out.
#[derive(Debug)]
pub struct Shuffled {
    examples: Examples,
    batch: usize,
    // That of the epoch that was asked for last.
    order: Mutex<Option<Order>>,
}

#[derive(Debug)]
struct Order {
    seed: u64,
    epoch: u64,
    rows: Vec<usize>,
}

impl Order {
    fn draw(seed: u64, epoch: u64, examples: usize) -> Order {
        let mut rows: Vec<usize> = (0..examples).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(epoch);
        rows.shuffle(&mut rng);
        Order { seed, epoch, rows }
    }
}

impl Shuffled {
    /// Batches of `batch` examples.
    ///
    /// # Errors
    /// If there is less than one batch.
    pub fn new(examples: Examples, batch: usize) -> Result<Shuffled, TrainError> {
        if batch == 0 || examples.len() < batch {
            return Err(TrainError::Data(format!("{} examples do not make batches of {batch}", examples.len())));
        }
        Ok(Shuffled { examples, batch, order: Mutex::new(None) })
    }
}

impl Batches for Shuffled {
    fn steps(&self) -> usize {
        self.examples.len() / self.batch
    }

    fn fill(&self, at: Position, batch: &mut Batch) -> Result<(), TrainError> {
        let mut kept = self.order.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let order = match kept.take() {
            Some(order) if (order.seed, order.epoch) == (at.seed, at.epoch) => order,
            _ => Order::draw(at.seed, at.epoch, self.examples.len()),
        };
        let rows = at.index * self.batch..(at.index + 1) * self.batch;
        self.examples.gather(&kept.insert(order).rows[rows], batch)
    }
}

/// No batches at all, for a step without inputs: so many steps in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Without(pub usize);

impl Batches for Without {
    fn steps(&self) -> usize {
        self.0
    }

    fn fill(&self, _at: Position, batch: &mut Batch) -> Result<(), TrainError> {
        match batch.names().next() {
            Some(name) => Err(TrainError::Data(format!("the step takes '{name}', but there are no data"))),
            None => Ok(()),
        }
    }
}
