//! Random numbers that depend on the example, not on what is computed beside it.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Seed and stream of the random numbers in a graph.
pub(crate) type Key = [i64; 2];

/// Where random numbers come from: example `i` of a call draws from a stream of its own, determined by the seed and
/// `first_index + i`. Whoever attacks a data set in parts gives each part the index of its first example, and gets what
/// one call would have given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    value: u64,
    first_index: u64,
    // For a subset of the examples: their positions in the full set.
    rows: Option<Vec<usize>>,
}

impl Seed {
    /// Seed `value` for examples whose first has index `first_index` in the data set.
    pub fn new(value: u64, first_index: u64) -> Seed {
        Seed { value, first_index, rows: None }
    }

    // The seed for a call on some rows of what this seed is for.
    pub(crate) fn select(&self, rows: &[usize]) -> Seed {
        Seed { rows: Some(rows.iter().map(|&r| self.position(r)).collect()), ..*self }
    }

    // A seed for the given part of a search, after those before it.
    pub(crate) fn later(&self, part: u64) -> Seed {
        Seed { value: self.value ^ part.wrapping_mul(0x9E37_79B9_7F4A_7C15), ..self.clone() }
    }

    fn position(&self, row: usize) -> usize {
        self.rows.as_ref().map_or(row, |rows| rows[row])
    }

    /// The key that a randomised model draws from in the given run on an example.
    pub(crate) fn key(&self, row: usize, run: u64) -> Key {
        let index = self.first_index.wrapping_add(self.position(row) as u64);
        // An odd factor spreads the runs over all seeds.
        let seed = self.value ^ run.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        [seed as i64, index as i64]
    }

    pub(crate) fn stream(&self, row: usize) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.value);
        rng.set_stream(self.first_index.wrapping_add(self.position(row) as u64));
        rng
    }
}
