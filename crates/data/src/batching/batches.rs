//! Epochs cut into batches.

use super::Sampler;

/// The examples of one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The epoch, from 0.
    pub epoch: u64,
    /// Number of the batch since the beginning, from 0.
    pub number: u64,
    /// The examples, by index.
    pub indices: Vec<usize>,
}

/// The batches of one epoch after the other, as an iterator.
pub struct Batches {
    sampler: Box<dyn Sampler>,
    size: usize,
    whole_only: bool,
    /// No more than this many epochs.
    epochs: u64,
    epoch: u64,
    number: u64,
    order: std::vec::IntoIter<usize>,
}

impl Batches {
    /// Batches of `size` examples, at least one, in the sampler's order, one epoch; the last batch of an epoch may be smaller.
    pub fn new(sampler: impl Sampler + 'static, size: usize) -> Batches {
        let order = sampler.epoch(0).into_iter();
        Batches {
            sampler: Box::new(sampler),
            size: size.max(1),
            whole_only: false,
            epochs: 1,
            epoch: 0,
            number: 0,
            order,
        }
    }

    /// The same for this many epochs.
    #[must_use]
    pub fn epochs(self, epochs: u64) -> Batches {
        Batches { epochs, ..self }
    }

    /// The same without end.
    #[must_use]
    pub fn forever(self) -> Batches {
        self.epochs(u64::MAX)
    }

    /// The same without batches that are smaller than the others.
    #[must_use]
    pub fn whole_only(self) -> Batches {
        Batches { whole_only: true, ..self }
    }
}

impl Iterator for Batches {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let mut fresh = self.number == 0;
        while self.epoch < self.epochs {
            let indices: Vec<usize> = self.order.by_ref().take(self.size).collect();
            if indices.len() == self.size || !(indices.is_empty() || self.whole_only) {
                let batch = Batch { epoch: self.epoch, number: self.number, indices };
                self.number += 1;
                return Some(batch);
            }
            if fresh && self.epoch > 0 {
                // A whole epoch without any batch: no other will have one.
                return None;
            }
            fresh = true;
            self.epoch += 1;
            if self.epoch < self.epochs {
                self.order = self.sampler.epoch(self.epoch).into_iter();
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sequential;
    use super::*;

    fn sizes(batches: Batches) -> Vec<(u64, u64, usize)> {
        batches.map(|b| (b.epoch, b.number, b.indices.len())).collect()
    }

    #[test]
    fn epochs_and_remainders() {
        let batches = || Batches::new(Sequential { len: 5 }, 2);
        assert_eq!(sizes(batches()), [(0, 0, 2), (0, 1, 2), (0, 2, 1)]);
        assert_eq!(sizes(batches().whole_only().epochs(2)), [(0, 0, 2), (0, 1, 2), (1, 2, 2), (1, 3, 2)]);
        assert_eq!(batches().forever().take(1000).last().unwrap().epoch, 333);
        assert_eq!(sizes(batches().epochs(0)), []);
    }

    #[test]
    fn nothing_forever_ends() {
        assert_eq!(sizes(Batches::new(Sequential { len: 0 }, 2).forever()), []);
        assert_eq!(sizes(Batches::new(Sequential { len: 3 }, 4).whole_only().forever()), []);
    }
}
