//! Orders of examples.

use crate::error::{DataError, Result};
use crate::seed::stream;
use rand::RngExt;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// An order of examples for each epoch. It depends on the sampler and the epoch's number alone.
pub trait Sampler: Send {
    /// The examples of epoch `epoch`, by index, in order.
    fn epoch(&self, epoch: u64) -> Vec<usize>;
}

/// Every example once, in the order of the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequential {
    /// Number of examples.
    pub len: usize,
}

impl Sampler for Sequential {
    fn epoch(&self, _: u64) -> Vec<usize> {
        (0..self.len).collect()
    }
}

/// Every example once, in random order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shuffled {
    /// Number of examples.
    pub len: usize,
    /// What the orders follow from.
    pub seed: u64,
}

impl Sampler for Shuffled {
    fn epoch(&self, epoch: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len).collect();
        order.shuffle(&mut stream(self.seed, epoch));
        order
    }
}

/// Every example once, in a random order in which all classes are spread evenly: every stretch of it, so every batch,
/// has the classes in nearly the proportions of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stratified {
    classes: Vec<Vec<usize>>,
    seed: u64,
}

impl Stratified {
    /// The sampler of examples with these classes.
    pub fn new(labels: &[usize], seed: u64) -> Stratified {
        Stratified { classes: by_class(labels), seed }
    }
}

impl Sampler for Stratified {
    fn epoch(&self, epoch: u64) -> Vec<usize> {
        let mut rng = stream(self.seed, epoch);
        let mut placed: Vec<(f64, usize)> = Vec::new();
        for class in &self.classes {
            let order = shuffled(class, &mut rng);
            // Example k of n stands at a random place of the k-th of n equal parts, the same in all parts.
            let offset: f64 = rng.random();
            let place = |(k, example): (usize, usize)| ((k as f64 + offset) / class.len() as f64, example);
            placed.extend(order.into_iter().enumerate().map(place));
        }
        placed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        placed.into_iter().map(|(_, example)| example).collect()
    }
}

/// All classes equally often, whatever their sizes: classes take turns in random order; within a class every example
/// comes once before any comes again. An epoch has as many examples as the data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassBalanced {
    classes: Vec<Vec<usize>>,
    len: usize,
    seed: u64,
}

impl ClassBalanced {
    /// The sampler of examples with these classes.
    pub fn new(labels: &[usize], seed: u64) -> ClassBalanced {
        ClassBalanced { classes: by_class(labels), len: labels.len(), seed }
    }
}

impl Sampler for ClassBalanced {
    fn epoch(&self, epoch: u64) -> Vec<usize> {
        let mut rng = stream(self.seed, epoch);
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); self.classes.len()];
        let mut turns: Vec<usize> = (0..self.classes.len()).collect();
        let mut order = Vec::with_capacity(self.len);
        while order.len() < self.len {
            turns.shuffle(&mut rng);
            for &class in turns.iter().take(self.len - order.len()) {
                if waiting[class].is_empty() {
                    waiting[class] = shuffled(&self.classes[class], &mut rng);
                }
                order.extend(waiting[class].pop());
            }
        }
        order
    }
}

/// Examples drawn with replacement, each as probable as its weight says.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighted {
    index: WeightedIndex<f64>,
    draws: usize,
    seed: u64,
}

impl Weighted {
    /// The sampler that draws `draws` examples an epoch with these weights.
    ///
    /// # Errors
    /// [`DataError::Weights`] if a weight is negative or not a number, or none is positive.
    pub fn new(weights: &[f64], draws: usize, seed: u64) -> Result<Weighted> {
        let index = WeightedIndex::new(weights.iter().copied());
        Ok(Weighted { index: index.map_err(|e| DataError::Weights { reason: e.to_string() })?, draws, seed })
    }
}

impl Sampler for Weighted {
    fn epoch(&self, epoch: u64) -> Vec<usize> {
        let mut rng = stream(self.seed, epoch);
        (0..self.draws).map(|_| self.index.sample(&mut rng)).collect()
    }
}

/// The examples of each class that has any.
fn by_class(labels: &[usize]) -> Vec<Vec<usize>> {
    let mut classes = std::collections::BTreeMap::<usize, Vec<usize>>::new();
    labels.iter().enumerate().for_each(|(example, &label)| classes.entry(label).or_default().push(example));
    classes.into_values().collect()
}

fn shuffled(examples: &[usize], rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut order = examples.to_vec();
    order.shuffle(rng);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permutation(mut order: Vec<usize>, len: usize) -> bool {
        order.sort_unstable();
        order == (0..len).collect::<Vec<_>>()
    }

    #[test]
    fn shuffles() {
        let sampler = Shuffled { len: 50, seed: 1 };
        assert!(permutation(sampler.epoch(0), 50));
        assert_eq!(sampler.epoch(3), sampler.epoch(3));
        assert_ne!(sampler.epoch(0), sampler.epoch(1));
        assert_ne!(sampler.epoch(0), Shuffled { len: 50, seed: 2 }.epoch(0));
        assert_eq!(Sequential { len: 3 }.epoch(9), [0, 1, 2]);
    }

    #[test]
    fn every_stretch_has_the_proportions_of_the_whole() {
        // Classes of 60, 30 and 10 examples.
        let labels: Vec<usize> = (0..100).map(|i| [0, 0, 1, 0, 2, 0, 1, 0, 0, 1][i % 10]).collect();
        for epoch in 0..20 {
            let order = Stratified::new(&labels, 5).epoch(epoch);
            assert!(permutation(order.clone(), 100));
            for window in order.windows(20) {
                for (class, expected) in [(0, 12.0f64), (1, 6.0), (2, 2.0)] {
                    let count = window.iter().filter(|&&i| labels[i] == class).count() as f64;
                    assert!((count - expected).abs() <= 2.0, "class {class}: {count}");
                }
            }
        }
    }

    #[test]
    fn rare_classes_come_as_often_as_others() {
        let mut labels = vec![0; 90];
        labels.extend([7; 10]);
        let order = ClassBalanced::new(&labels, 5).epoch(0);
        let rare: Vec<usize> = order.iter().copied().filter(|&i| i >= 90).collect();
        assert_eq!((order.len(), rare.len()), (100, 50));
        // Ten examples fifty times: each five times, once in every ten.
        assert!(rare.chunks(10).all(|part| permutation(part.iter().map(|i| i - 90).collect(), 10)));
        assert!(ClassBalanced::new(&[], 0).epoch(0).is_empty());
    }

    #[test]
    fn weights() {
        let sampler = Weighted::new(&[1.0, 0.0, 3.0], 4000, 2).unwrap();
        let order = sampler.epoch(0);
        let threes = order.iter().filter(|&&i| i == 2).count();
        // Binomial with mean 3000 and deviation 27.
        assert!(!order.contains(&1) && (2870..3130).contains(&threes), "{threes}");
        for bad in [&[][..], &[0.0], &[1.0, -1.0], &[f64::NAN]] {
            assert!(matches!(Weighted::new(bad, 1, 0), Err(DataError::Weights { .. })), "{bad:?}");
        }
    }
}
