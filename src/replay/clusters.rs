//! Ages at which streams of one reason end again and again: the print of a time-out.
//!
//! A cluster is a fact (so many ends at one age); what may cause it is for [`crate::verdict::settings`]. It
//! does not know which log it was.

use super::ages::{Ages, number};

/// Fewest ends that make a cluster.
const MIN_COUNT: u64 = 5;
/// Least share of the reason's ends: one in so many.
const MIN_SHARE: u64 = 10;
/// A cluster is so many times denser than its surroundings.
const MIN_DENSITY: u64 = 5;
/// The surroundings, in bins to each side: two seconds of 50 ms.
const AROUND: u32 = 40;
/// Ages below a second are refusals and reconnects, and no time-out that anybody set.
const MIN_AGE_MS: u64 = 1_000;
/// Most clusters of one reason.
const MAX_CLUSTERS: usize = 3;

/// Ends at one age.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cluster {
    /// Their mean age.
    pub seconds: f64,
    /// How many.
    pub count: u64,
}

/// The clusters in the ages of one reason's ends, largest first.
pub fn clusters(ages: &Ages) -> Vec<Cluster> {
    let mut found: Vec<(u32, u64)> = pairs(ages)
        .filter(|(bin, count)| stands_out(ages, *bin, *count))
        .collect();
    found.sort_by_key(|(bin, count)| (std::cmp::Reverse(*count), *bin));
    let mut kept: Vec<u32> = Vec::new();
    for (bin, _) in found {
        let is_apart = kept.iter().all(|other| other.abs_diff(bin) > AROUND / 2);
        if is_apart && kept.len() < MAX_CLUSTERS {
            kept.push(bin);
        }
    }
    kept.into_iter().map(|bin| cluster(ages, bin)).collect()
}

/// Each bin that is not empty, with what it and the next one hold: a time-out may lie on a bound.
fn pairs(ages: &Ages) -> impl Iterator<Item = (u32, u64)> {
    let first = number(MIN_AGE_MS);
    (ages.bins().range(first..)).map(|(bin, _)| (*bin, ages.between(*bin, *bin + 1)))
}

fn stands_out(ages: &Ages, bin: u32, count: u64) -> bool {
    let around = ages.between(bin.saturating_sub(AROUND), bin + 1 + AROUND) - count;
    // `around` lies on 2 × AROUND bins, the pair on two.
    let expected_times_around = around * MIN_DENSITY;
    count >= MIN_COUNT
        && count * MIN_SHARE >= ages.total()
        && count * u64::from(AROUND) >= expected_times_around
}

fn cluster(ages: &Ages, bin: u32) -> Cluster {
    let (mut count, mut sum_ms) = (0, 0);
    for (_, bin) in ages.bins().range(bin..=bin + 1) {
        count += bin.count;
        sum_ms += bin.sum_ms;
    }
    #[expect(clippy::cast_precision_loss, reason = "an age, shown with one decimal")]
    let seconds = sum_ms as f64 / count.max(1) as f64 / 1000.0;
    Cluster { seconds, count }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn check(ms: impl IntoIterator<Item = u64>, expected: &[(f64, u64)]) {
        let mut ages = Ages::default();
        ms.into_iter()
            .for_each(|ms| ages.add(Duration::from_millis(ms)));
        let found: Vec<_> = clusters(&ages)
            .iter()
            .map(|c| (c.seconds, c.count))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_time_out_stands_out() {
        let silent = [60_000, 60_001, 60_003, 59_999, 60_002];
        check(silent, &[(60.001, 5)]);
        let lively = [3_100, 17_000, 44_000, 71_000, 90_500, 120_000];
        check(silent.into_iter().chain(lively), &[(60.001, 5)]);
    }

    #[test]
    fn two_time_outs_are_two_clusters() {
        let ends = std::iter::repeat_n(300_000, 6).chain(std::iter::repeat_n(60_000, 9));
        check(ends, &[(60.0, 9), (300.0, 6)]);
    }

    #[test]
    fn what_is_spread_few_short_or_dense_everywhere_is_none() {
        check((0..200).map(|n| 1_000 + n * 700), &[]);
        check(std::iter::repeat_n(60_000, 4), &[]);
        check(std::iter::repeat_n(400, 50), &[]);
        check((0..100).map(|n| 5_000 + n * 30), &[]);
        let many = (0..200).map(|n| 2_000 + n * 1_000);
        check(many.chain(std::iter::repeat_n(60_050, 5)), &[]);
    }
}
