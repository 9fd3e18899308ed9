//! Chance that can be asked twice: every draw is a hash of the seed and of what is drawn.
//!
//! Nothing is remembered between draws, so any record can be made again at any time, in any order,
//! on any thread, and always comes out the same. The mixer is splitmix64's finaliser.

/// Mixes two numbers into one that looks random.
pub(super) fn mix(left: u64, right: u64) -> u64 {
    let mut z = left ^ right.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A sequence of draws about one thing.
#[derive(Clone, Debug)]
pub(super) struct Draw(u64);

impl Draw {
    /// The draws about thing `key` of kind `topic`.
    pub(super) fn new(seed: u64, topic: u64, key: u64) -> Self {
        Self(mix(mix(seed, topic), key))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0, 0)
    }

    /// A number in `0.0..1.0`.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether something of this probability happens.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A number in `0..count`; 0 when `count` is 0.
    pub(super) fn below(&mut self, count: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(count)) >> 64) as u64
    }

    /// A number in `low..=high`.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1).max(1) as u64) as i64
    }

    /// A number in `low..high`.
    pub(super) fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// About `mean`, rounded up or down by chance so that the average is exact.
    pub(super) fn round(&mut self, mean: f64) -> u32 {
        let mean = mean.max(0.0);
        mean.floor() as u32 + u32::from(self.chance(mean.fract()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_repeatable_and_spread_evenly() {
        let (mut one, mut two) = (Draw::new(7, 1, 2), Draw::new(7, 1, 2));
        let mut tally = [0_u32; 10];
        for _ in 0..100_000 {
            let drawn = one.below(10);
            assert_eq!(drawn, two.below(10));
            tally[drawn as usize] += 1;
        }
        assert!(tally.iter().all(|count| (9_500..10_500).contains(count)), "{tally:?}");
        assert_ne!(Draw::new(7, 1, 2).next(), Draw::new(7, 2, 1).next());
        assert_eq!(one.below(0), 0);
    }

    #[test]
    fn rounding_keeps_the_average() {
        let mut draw = Draw::new(1, 1, 1);
        let total: u32 = (0..10_000).map(|_| draw.round(0.3)).sum();
        assert!((2_800..3_200).contains(&total), "{total}");
    }
}
