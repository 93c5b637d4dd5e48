//! Random numbers that depend on a seed and an index alone, so that work may be done in any order.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The random numbers of item `index` under `seed`; different items have independent streams.
pub(crate) fn stream(seed: u64, index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index);
    rng
}
