//! Many Philox blocks at once, equal to [`philox4x32`](crate::philox::philox4x32) bit for bit.

use crate::philox::{MULTIPLIERS, ROUNDS, WEYL, split};

/// Blocks of one call: eight of the widest vectors of 64-bit lanes.
pub(super) const BLOCKS: usize = 64;

/// Word k of block i at `[k][i]`.
pub(super) type Words = [[u32; BLOCKS]; 4];

/// The blocks of counters `[b, 0, last]`, b from `first` on, under `seed`.
///
/// Words live in the lower halves of 64-bit lanes, because that is what vector units multiply; what gathers in the upper
/// halves is never looked at.
#[inline(always)]
pub(super) fn blocks(seed: u64, first: u64, last: u32, words: &mut Words) {
    let mut keys = [[0u64; 2]; ROUNDS];
    let mut key = split(seed);
    for round in &mut keys {
        *round = key.map(u64::from);
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    let [word0, word1, word2, word3] = words;
    for i in 0..BLOCKS {
        let block = first.wrapping_add(i as u64);
        let mut c = [block, block >> 32, 0, u64::from(last)];
        for key in &keys {
            let a = u64::from(MULTIPLIERS[0]) * (c[0] & 0xffff_ffff);
            let b = u64::from(MULTIPLIERS[1]) * (c[2] & 0xffff_ffff);
            c = [(b >> 32) ^ c[1] ^ key[0], b, (a >> 32) ^ c[3] ^ key[1], a];
        }
        (word0[i], word1[i], word2[i], word3[i]) = (c[0] as u32, c[1] as u32, c[2] as u32, c[3] as u32);
    }
}
