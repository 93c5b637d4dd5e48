//! Random numbers of worlds.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A generator that is a function of seed and index; `world`, at most 16 bytes, keeps worlds and their parts apart.
pub(crate) fn stream(world: &str, seed: u64, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&index.to_le_bytes());
    key[16..16 + world.len()].copy_from_slice(world.as_bytes());
    ChaCha8Rng::from_seed(key)
}
