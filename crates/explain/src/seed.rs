//! Random numbers that depend on the example, not on what is computed beside it.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Where random numbers come from. Draw `k` for example `i` of a call has its own stream, determined by `value` and
/// `first_index + i`: whoever explains a data set in parts gives each part the index of its first example, and gets
/// what one call would have given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seed {
    /// The seed.
    pub value: u64,
    /// Index, in the data set, of the first example of a call.
    pub first_index: u64,
}

/// What random numbers are for: purposes with the same seed stay independent.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    SmoothGrad = 1,
    Infidelity = 2,
    Sensitivity = 3,
}

impl Seed {
    pub(crate) fn rng(self, purpose: Purpose, example: usize, draw: usize) -> ChaCha8Rng {
        // ChaCha is a keyed function: different keys, however similar, give unrelated streams.
        let words = [self.value, self.first_index.wrapping_add(example as u64), draw as u64, purpose as u64];
        let mut key = [0; 32];
        key.chunks_exact_mut(8).zip(words).for_each(|(bytes, word)| bytes.copy_from_slice(&word.to_le_bytes()));
        ChaCha8Rng::from_seed(key)
    }
}

impl From<u64> for Seed {
    fn from(value: u64) -> Seed {
        Seed { value, first_index: 0 }
    }
}
