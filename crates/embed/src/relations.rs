//! The pairs that an embedding is learned from.

use crate::error::{EmbedError, Result};
use perturb_data::graphs::Taxonomy;

/// Checked pairs of an item and one that it is related to, with the related items of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relations {
    pairs: Vec<[u32; 2]>,
    /// Where the related items of each item start in `related`; one entry more than items.
    starts: Vec<u32>,
    /// Related items, sorted within each item.
    related: Vec<u32>,
}

impl Relations {
    /// The pairs of a taxonomy: each concept is related to its ancestors, not they to it. A pair that occurs twice
    /// counts twice in training.
    ///
    /// # Errors
    /// [`EmbedError::Empty`] without pairs, [`EmbedError::Pair`] for a pair of one item or of an item without name.
    pub fn new(taxonomy: &Taxonomy) -> Result<Relations> {
        let items = taxonomy.names.len();
        let mut pairs = Vec::with_capacity(taxonomy.pairs.len());
        for (row, &[child, parent]) in taxonomy.pairs.iter().enumerate() {
            let fault = |reason: String| EmbedError::Pair { row, child, parent, reason };
            if child == parent {
                return Err(fault("an item related to itself".into()));
            }
            if child.max(parent) >= items || u32::try_from(items).is_err() {
                return Err(fault(format!("indices must be below the number of names, {items}, and that below 2³²")));
            }
            pairs.push([child as u32, parent as u32]);
        }
        if pairs.is_empty() || u32::try_from(pairs.len()).is_err() {
            return Err(EmbedError::Empty);
        }
        let mut sorted = pairs.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let mut starts = vec![0; items + 1];
        sorted.iter().for_each(|[child, _]| starts[*child as usize + 1] += 1);
        (0..items).for_each(|i| starts[i + 1] += starts[i]);
        Ok(Relations { pairs, starts, related: sorted.into_iter().map(|[_, parent]| parent).collect() })
    }

    /// Number of items.
    pub fn items(&self) -> usize {
        self.starts.len() - 1
    }

    /// All pairs, in the order given.
    pub fn pairs(&self) -> &[[u32; 2]] {
        &self.pairs
    }

    /// What an item is related to, sorted.
    pub fn related(&self, item: u32) -> &[u32] {
        let item = item as usize;
        &self.related[self.starts[item] as usize..self.starts[item + 1] as usize]
    }

    /// In how many pairs each item occurs.
    pub fn frequencies(&self) -> Vec<u32> {
        let mut counts = vec![0; self.items()];
        self.pairs.iter().flatten().for_each(|item| counts[*item as usize] += 1);
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn related_items_are_sorted_and_counted() {
        let taxonomy = Taxonomy::from_pairs([("a", "c"), ("a", "b"), ("b", "c"), ("a", "b")]);
        let relations = Relations::new(&taxonomy).unwrap();
        // Indices by first mention: a 0, c 1, b 2.
        assert_eq!(
            (relations.related(0), relations.related(1), relations.related(2)),
            (&[1, 2][..], &[][..], &[1][..])
        );
        assert_eq!(relations.frequencies(), [3, 2, 3]);
        assert_eq!(relations.pairs().len(), 4);
    }

    #[test]
    fn faults_name_the_row() {
        assert!(matches!(Relations::new(&Taxonomy::default()), Err(EmbedError::Empty)));
        let loops = Taxonomy::from_pairs([("a", "b"), ("b", "b")]);
        assert!(matches!(Relations::new(&loops), Err(EmbedError::Pair { row: 1, .. })));
        let outside = Taxonomy { names: vec!["a".into()], pairs: vec![[0, 7]] };
        assert!(matches!(Relations::new(&outside), Err(EmbedError::Pair { row: 0, parent: 7, .. })));
    }
}
