//! Items that a given one is not related to.

use super::AliasTable;
use crate::Relations;
use rand::{Rng, RngExt};

/// Draws are given up after this many per wanted negative, and the negatives found in order from a random item.
const PATIENCE: usize = 16;

/// Draws negatives: items other than the given one and what it is related to, all different.
#[derive(Debug)]
pub struct NegativeSampler<'a> {
    relations: &'a Relations,
    table: AliasTable,
}

impl<'a> NegativeSampler<'a> {
    /// A sampler in which items occur in proportion to their frequency among the pairs to the power `damping`: 0 draws
    /// uniformly. `None` if that is no distribution.
    pub fn new(relations: &'a Relations, damping: f64) -> Option<NegativeSampler<'a>> {
        let weights: Vec<f64> = relations.frequencies().iter().map(|f| f64::from(*f).powf(damping)).collect();
        Some(NegativeSampler { relations, table: AliasTable::new(&weights)? })
    }

    /// Appends up to `count` negatives of `item` to `candidates`, fewer only if there are no more; they also differ from
    /// what is there already.
    #[inline]
    pub fn draw(&self, item: u32, count: usize, rng: &mut impl Rng, candidates: &mut Vec<u32>) {
        let full = candidates.len() + count;
        let related = self.relations.related(item);
        let allowed = |candidate: u32, chosen: &[u32]| {
            candidate != item && !chosen.contains(&candidate) && related.binary_search(&candidate).is_err()
        };
        for _ in 0..PATIENCE * count {
            if candidates.len() == full {
                return;
            }
            let candidate = self.table.sample(rng);
            if allowed(candidate, candidates) {
                candidates.push(candidate);
            }
        }
        let items = self.relations.items() as u32;
        let first = rng.random_range(0..items);
        for candidate in (first..items).chain(0..first) {
            if candidates.len() == full {
                return;
            }
            if allowed(candidate, candidates) {
                candidates.push(candidate);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perturb_data::graphs::Taxonomy;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn negatives_are_unrelated_and_different() {
        let taxonomy = Taxonomy::from_pairs([("a", "b"), ("a", "c"), ("d", "e"), ("f", "g")]);
        let relations = Relations::new(&taxonomy).unwrap();
        let sampler = NegativeSampler::new(&relations, 0.75).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for count in [1, 3, 4, 9] {
            for _ in 0..50 {
                let mut candidates = vec![1];
                sampler.draw(0, count, &mut rng, &mut candidates);
                // Only d, e, f, g are left for a, however many are wanted.
                assert_eq!(candidates.len(), 1 + count.min(4));
                assert!(candidates[1..].iter().all(|c| *c >= 3), "{candidates:?}");
                candidates.sort_unstable();
                candidates.dedup();
                assert_eq!(candidates.len(), 1 + count.min(4));
            }
        }
    }
}
