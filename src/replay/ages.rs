//! The ages of streams at their end, kept small: exact enough to see a time-out, whatever their number.
//!
//! Bins are 50 ms wide up to ten minutes and 0.1 % above, so there are at most about 19,000. It does
//! not know why a stream ended, nor what an age means.

use std::collections::BTreeMap;
use std::time::Duration;

/// Width of a bin up to [`FINE_MS`]: nginx logs a time-out's age within a few milliseconds.
const WIDTH_MS: u64 = 50;

/// Up to here bins have one width.
const FINE_MS: u64 = 600_000;

/// The number of those bins.
const FINE_BINS: u32 = 12_000;

/// Above it a bin's bounds grow by this.
const GROWTH: f64 = 1.001;

/// Ages are told apart up to 30 days.
const MAX_MS: u64 = 30 * 86_400_000;

/// Bounds of the drawn histogram in seconds: 1, 2, 5 a decade, then minutes and hours.
pub const BOUNDS: [f64; 20] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0,
    7_200.0, 14_400.0, 28_800.0, 43_200.0, 86_400.0,
];

/// How many streams ended at which age.
#[derive(Debug, Clone, Default)]
pub struct Ages {
    bins: BTreeMap<u32, Bin>,
    total: u64,
    buckets: [u64; BOUNDS.len() + 1],
}

/// The streams of one bin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bin {
    /// How many.
    pub count: u64,
    /// The sum of their ages in milliseconds.
    pub sum_ms: u64,
}

impl Ages {
    /// Counts one stream.
    pub fn add(&mut self, age: Duration) {
        let ms = u64::try_from(age.as_millis()).map_or(MAX_MS, |ms| ms.min(MAX_MS));
        let bin = self.bins.entry(number(ms)).or_default();
        bin.count += 1;
        bin.sum_ms += ms;
        self.total += 1;
        let seconds = age.as_secs_f64();
        let bucket = BOUNDS.partition_point(|bound| *bound <= seconds);
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
    }

    /// How many streams.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many streams between the [`BOUNDS`]; a bound itself counts upwards.
    pub fn buckets(&self) -> &[u64] {
        &self.buckets
    }

    /// The bins that are not empty, by their number.
    pub fn bins(&self) -> &BTreeMap<u32, Bin> {
        &self.bins
    }

    /// How many streams lie in bins from `from` to `to`, both counted.
    pub fn between(&self, from: u32, to: u32) -> u64 {
        let bins = self.bins.range(from..=to.max(from));
        bins.map(|(_, bin)| bin.count).sum()
    }
}

/// The bin of an age in milliseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "at most ln(4320) / ln(1.001), about 8,400"
)]
pub fn number(ms: u64) -> u32 {
    if ms < FINE_MS {
        return (ms / WIDTH_MS) as u32;
    }
    let ratio = ms.min(MAX_MS) as f64 / FINE_MS as f64;
    FINE_BINS + (ratio.ln() / GROWTH.ln()) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ages(ms: &[u64]) -> Ages {
        let mut ages = Ages::default();
        ms.iter()
            .for_each(|ms| ages.add(Duration::from_millis(*ms)));
        ages
    }

    #[test]
    fn equal_ages_share_a_bin_and_far_ones_do_not() {
        let ages = ages(&[60_000, 60_003, 60_100, 3_600_000, 3_601_000, 3_700_000]);
        let counts: Vec<_> = ages.bins().values().map(|bin| bin.count).collect();
        assert_eq!((counts, ages.total()), (vec![2, 1, 2, 1], 6));
        let first = ages.bins()[&number(60_000)];
        assert_eq!(first.sum_ms, 120_003);
        assert_eq!(ages.between(number(60_000), number(60_100)), 3);
    }

    #[test]
    fn a_bound_counts_upwards() {
        let ages = ages(&[0, 99, 100, 999, 1_000, 60_000, 86_400_000, u64::MAX]);
        let filled: Vec<_> = (ages.buckets().iter().enumerate())
            .filter(|(_, count)| **count > 0)
            .map(|(at, count)| (at, *count))
            .collect();
        assert_eq!(filled, [(0, 2), (1, 1), (3, 1), (4, 1), (10, 1), (20, 2)]);
    }

    proptest! {
        #[test]
        fn bins_rise_with_age_and_are_few(a: u64, b: u64) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(number(low) <= number(high));
            prop_assert!(number(high) < 21_000);
        }
    }
}
