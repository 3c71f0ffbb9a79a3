//! Counter-based random streams: the same numbers from the same key, whoever asks and in whatever order.
//!
//! Philox4x32-10 of Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), table 2.
//! Deviation: none.

/// Multipliers of the two S-boxes (Salmon et al. 2011, section 4.3).
pub(crate) const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// Weyl increments of the key schedule: the golden ratio and √3 − 1 (ibid.).
pub(crate) const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
pub(crate) const ROUNDS: usize = 10;

/// One block: four words that depend on `counter` and `key` alone.
#[inline]
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..ROUNDS {
        let a = u64::from(MULTIPLIERS[0]) * u64::from(counter[0]);
        let b = u64::from(MULTIPLIERS[1]) * u64::from(counter[2]);
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}

/// The seed of the stream for one `purpose` at one `step` of a run seeded with `seed`.
///
/// A keyed pseudo-random function: distinct arguments give unrelated seeds, up to a birthday collision in 64 bits.
pub fn derive_seed(seed: u64, purpose: u64, step: u64) -> u64 {
    let [a, b] = split(purpose);
    let [c, d] = split(step);
    let word = philox4x32([a, b, c, d], split(seed));
    join(word[0], word[1])
}

/// A random stream: an endless row of words addressed by (seed, substream, position).
#[derive(Clone, Debug)]
pub struct Stream {
    key: [u32; 2],
    substream: [u32; 2],
    block: u64,
    words: [u32; 4],
    used: usize,
    spare_normal: Option<f64>,
}

impl Stream {
    /// Stream `seed` from its beginning.
    pub fn new(seed: u64) -> Self {
        Self::substream(seed, 0)
    }

    /// Stream number `index` under `seed`: independent of its siblings, so that a draw which takes a random
    /// number of words (rejection) leaves those of its neighbours alone.
    pub fn substream(seed: u64, index: u64) -> Self {
        Self { key: split(seed), substream: split(index), block: 0, words: [0; 4], used: 4, spare_normal: None }
    }

    /// 32 random bits.
    #[inline]
    pub fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            let [low, high] = split(self.block);
            self.words = philox4x32([low, high, self.substream[0], self.substream[1]], self.key);
            self.block += 1;
            self.used = 0;
        }
        let word = self.words[self.used];
        self.used += 1;
        word
    }

    /// Uniform on the open interval (0, 1), with 52 random bits.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        let (low, high) = (self.next_u32(), self.next_u32());
        open_unit(join(low, high))
    }

    /// Standard normal, by Box and Muller (1958): normals come in pairs, the second is kept for the next call.
    #[inline]
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare_normal.take() {
            return spare;
        }
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        self.spare_normal = Some(radius * sin);
        radius * cos
    }

    /// A whole number in `0..n`, uniform up to a bias of n/2⁶⁴ (multiply-shift).
    #[inline]
    pub fn below(&mut self, n: usize) -> usize {
        let (low, high) = (self.next_u32(), self.next_u32());
        ((u128::from(join(low, high)) * n as u128) >> 64) as usize
    }

    /// Logistic with scale one: quantile of a uniform.
    #[inline]
    pub fn logistic(&mut self) -> f64 {
        let u = self.uniform();
        u.ln() - (-u).ln_1p()
    }
}

/// The middle of one of 2⁵² equal parts of (0, 1): log(u) and log(1 − u) are finite.
///
/// With 53 bits the last middle would be halfway between two floats and round to one.
fn open_unit(bits: u64) -> f64 {
    ((bits >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
}

pub(crate) fn split(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

fn join(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Known answers: kat_vectors of the Random123 distribution, rows philox4x32 10.
    #[test]
    fn agrees_with_the_published_vectors() {
        let rows = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, expected) in rows {
            assert_eq!(philox4x32(counter, key), expected);
        }
    }

    /// Moments of 10⁵ draws within five standard errors of their exact values.
    #[test]
    fn moments_are_those_of_the_named_distribution() {
        let n = 100_000;
        type Draw = fn(&mut Stream) -> f64;
        // name, draw, mean, variance, fourth central moment over squared variance
        let pi2 = std::f64::consts::PI.powi(2);
        let rows: [(&str, Draw, f64, f64, f64); 3] = [
            ("uniform", Stream::uniform, 0.5, 1.0 / 12.0, 1.8),
            ("normal", Stream::normal, 0.0, 1.0, 3.0),
            ("logistic", Stream::logistic, 0.0, pi2 / 3.0, 4.2),
        ];
        for (name, draw, mean, variance, kurtosis) in rows {
            let mut stream = Stream::new(7);
            let xs: Vec<f64> = (0..n).map(|_| draw(&mut stream)).collect();
            let m = xs.iter().sum::<f64>() / n as f64;
            let v = xs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
            assert!((m - mean).abs() < 5.0 * (variance / n as f64).sqrt(), "{name}: mean {m}");
            let se = variance * ((kurtosis - 1.0) / n as f64).sqrt();
            assert!((v - variance).abs() < 5.0 * se, "{name}: variance {v}");
        }
    }

    #[test]
    fn uniforms_keep_away_from_both_ends() {
        assert_eq!(open_unit(0), f64::EPSILON / 2.0);
        assert_eq!(open_unit(u64::MAX), 1.0 - f64::EPSILON / 2.0);
    }

    proptest! {
        #[test]
        fn below_stays_below(seed: u64, n in 1usize..1000) {
            let mut stream = Stream::new(seed);
            prop_assert!((0..100).all(|_| stream.below(n) < n));
        }

        #[test]
        fn substreams_do_not_share_words(seed: u64, a in 0u64..1 << 40, b in 0u64..1 << 40) {
            prop_assume!(a != b);
            let (mut left, mut right) = (Stream::substream(seed, a), Stream::substream(seed, b));
            let left: Vec<u32> = (0..8).map(|_| left.next_u32()).collect();
            let right: Vec<u32> = (0..8).map(|_| right.next_u32()).collect();
            prop_assert_ne!(left, right);
        }
    }
}
