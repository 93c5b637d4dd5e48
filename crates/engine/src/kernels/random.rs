//! Words of the counter-based generator Philox4x32-10 (Salmon et al. 2011, section 3.3).

use super::SERIAL;
use rayon::prelude::*;

/// Four words for each counter: ten rounds of two 32-bit products, whose halves are exchanged and mixed with a key that
/// grows by a constant from round to round.
#[inline(always)]
fn block(index: u64, stream: u64, seed: u64) -> [u32; 4] {
    let mut words = [index as u32, (index >> 32) as u32, stream as u32, (stream >> 32) as u32];
    let mut key = [seed as u32, (seed >> 32) as u32];
    for _ in 0..10 {
        let first = u64::from(words[0]) * 0xD251_1F53;
        let second = u64::from(words[2]) * 0xCD9E_8D57;
        words = [
            (second >> 32) as u32 ^ words[1] ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ words[3] ^ key[1],
            first as u32,
        ];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    words
}

/// `count` words for each key (seed, stream) of `keys`.
pub(crate) fn run(count: usize, keys: &[i64], out: &mut [i64]) {
    if out.is_empty() {
        return;
    }
    let words = |key: &[i64], first: usize, out: &mut [i64]| {
        for (i, lanes) in out.chunks_mut(4).enumerate() {
            let words = block((first / 4 + i) as u64, key[1] as u64, key[0] as u64);
            lanes.iter_mut().zip(words).for_each(|(lane, word)| *lane = i64::from(word));
        }
    };
    if count * keys.len() / 2 <= SERIAL {
        out.chunks_mut(count).zip(keys.chunks(2)).for_each(|(out, key)| words(key, 0, out));
    } else {
        // A task starts at a whole block.
        out.par_chunks_mut(count).zip(keys.par_chunks(2)).for_each(|(out, key)| {
            out.par_chunks_mut(SERIAL).enumerate().for_each(|(t, out)| words(key, t * SERIAL, out));
        });
    }
}
