//! Slices of normals, uniforms, fair signs, soft uniforms.
//!
//! Block b of Philox (counter [b, b ≫ 32, 0, 0], key = seed) gives words 4b…4b+3 of the row, and, for f64, the block of
//! counter [b, b ≫ 32, 0, 1] their lower halves, so that both precisions draw the same points. Uniform i is word i.
//! Normals 2j, 2j + 1 are √(−2 ln u)·(cos, sin)(2πt), u of word 2j, t of word 2j + 1 (Box & Muller, "A note on the
//! generation of random normal deviates", 1958). Soft uniform i is width·(u − ½) + logistic/softness, u of word 2i, the
//! logistic ln u′ − ln(1 − u′) of word 2i + 1.
//! Deviation: none; u is the middle of its 2⁻³² (f32) or 2⁻⁵² (f64), so that normals end at ±6.76 or ±8.57.

use super::blocks::{BLOCKS, Words, blocks};
use crate::dispatch;
use crate::real::{Real, ln_of_sum};
use crate::simd::Level;

/// Standard normals number `first`, `first + 1`, … under `seed`.
pub fn normals<T: Real>(seed: u64, first: usize, out: &mut [T]) {
    dispatch!(L => fill::<T, 4, { 4 * BLOCKS }>(seed, first, out, normals_of::<L, T>));
}

/// Uniforms on the open interval (0, 1) number `first`, `first + 1`, … under `seed`.
pub fn uniforms<T: Real>(seed: u64, first: usize, out: &mut [T]) {
    dispatch!(_L => fill::<T, 4, { 4 * BLOCKS }>(seed, first, out, uniforms_of::<T>));
}

/// Fair signs, 1 or −1, number `first`, `first + 1`, … under `seed`: the lowest bit of word i.
pub fn signs<T: Real>(seed: u64, first: usize, out: &mut [T]) {
    dispatch!(_L => fill::<T, 4, { 4 * BLOCKS }>(seed, first, out, signs_of::<T>));
}

/// Soft uniforms about zero number `first`, `first + 1`, … under `seed`: uniform of width `width` plus a logistic of scale
/// 1/`softness`.
pub fn soft_uniforms<T: Real>(seed: u64, width: f64, softness: f64, first: usize, out: &mut [T]) {
    let (width, scale) = (T::of(width), T::of(1.0 / softness));
    dispatch!(L => fill::<T, 2, { 2 * BLOCKS }>(
        seed,
        first,
        out,
        #[inline(always)]
        |words, low, columns| soft_uniforms_of::<L, T>(width, scale, words, low, columns),
    ));
}

/// Element k of block i at `[k][i]`: loops along a column vectorise.
type Columns<T, const PER_BLOCK: usize> = [[T; BLOCKS]; PER_BLOCK];

/// Makes whole batches of blocks and copies what was asked for: `PER_BLOCK` elements a block, `BATCH` a batch.
#[inline(always)]
fn fill<T: Real, const PER_BLOCK: usize, const BATCH: usize>(
    seed: u64,
    first: usize,
    mut out: &mut [T],
    make: impl Fn(&Words, &Words, &mut Columns<T, PER_BLOCK>),
) {
    let (mut block, mut skip) = ((first / PER_BLOCK) as u64, first % PER_BLOCK);
    let (mut words, mut low) = ([[0; BLOCKS]; 4], [[0; BLOCKS]; 4]);
    let (mut columns, mut batch) = ([[T::ZERO; BLOCKS]; PER_BLOCK], [T::ZERO; BATCH]);
    while !out.is_empty() {
        blocks(seed, block, 0, &mut words);
        if T::REFINED {
            blocks(seed, block, 1, &mut low);
        }
        make(&words, &low, &mut columns);
        for (i, row) in batch.chunks_exact_mut(PER_BLOCK).enumerate() {
            for (value, column) in row.iter_mut().zip(&columns) {
                *value = column[i];
            }
        }
        let (now, later) = out.split_at_mut(out.len().min(BATCH - skip));
        now.copy_from_slice(&batch[skip..skip + now.len()]);
        (out, skip, block) = (later, 0, block + BLOCKS as u64);
    }
}

#[inline(always)]
fn normals_of<L: Level, T: Real>(words: &Words, low: &Words, out: &mut Columns<T, 4>) {
    let [out0, out1, out2, out3] = out;
    for i in 0..BLOCKS {
        (out0[i], out1[i]) = box_muller::<L, T>([words[0][i], words[1][i]], [low[0][i], low[1][i]]);
    }
    for i in 0..BLOCKS {
        (out2[i], out3[i]) = box_muller::<L, T>([words[2][i], words[3][i]], [low[2][i], low[3][i]]);
    }
}

/// (radius·cos, radius·sin), radius from the first word, angle from the second.
#[inline(always)]
fn box_muller<L: Level, T: Real>(word: [u32; 2], low: [u32; 2]) -> (T, T) {
    let end = T::nearer_end(word[0], low[0]);
    // u = 1 − end in two floats, so that −ln u is accurate where it is small.
    let rest = T::ONE - end;
    let (u, error) = if word[0] >> 31 == 1 { (rest, (T::ONE - rest) - end) } else { (end, T::ZERO) };
    let radius = (-T::TWO * ln_of_sum::<L, T>(u, error)).sqrt();
    let (sin, cos) = T::turn(word[1], low[1]).sin_cos_turns::<L>();
    (radius * cos, radius * sin)
}

#[inline(always)]
fn uniforms_of<T: Real>(words: &Words, low: &Words, out: &mut Columns<T, 4>) {
    for ((words, low), out) in words.iter().zip(low).zip(out) {
        for ((&word, &low), out) in words.iter().zip(low).zip(out) {
            let end = T::nearer_end(word, low);
            let far = (T::ONE - end).min(T::BELOW_ONE);
            *out = if word >> 31 == 1 { far } else { end };
        }
    }
}

#[inline(always)]
fn signs_of<T: Real>(words: &Words, _: &Words, out: &mut Columns<T, 4>) {
    for (words, out) in words.iter().zip(out) {
        for (&word, out) in words.iter().zip(out) {
            *out = if word & 1 == 0 { T::ONE } else { -T::ONE };
        }
    }
}

#[inline(always)]
fn soft_uniforms_of<L: Level, T: Real>(width: T, scale: T, words: &Words, low: &Words, out: &mut Columns<T, 2>) {
    for (k, out) in out.iter_mut().enumerate() {
        let [flat, soft] = [2 * k, 2 * k + 1].map(|k| words[k].iter().zip(&low[k]));
        for ((flat, soft), out) in flat.zip(soft).zip(out) {
            *out = soft_uniform::<L, T>(width, scale, [*flat.0, *soft.0], [*flat.1, *soft.1]);
        }
    }
}

#[inline(always)]
fn soft_uniform<L: Level, T: Real>(width: T, scale: T, word: [u32; 2], low: [u32; 2]) -> T {
    let (flat, soft) = (T::nearer_end(word[0], low[0]), T::nearer_end(word[1], low[1]));
    let middle = if word[0] >> 31 == 1 { T::HALF - flat } else { flat - T::HALF };
    let log = (soft / (T::ONE - soft)).ln::<L>();
    let logistic = if word[1] >> 31 == 1 { -log } else { log };
    width.fma::<L>(middle, logistic * scale)
}
