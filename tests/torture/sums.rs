//! What was counted, so that it can be compared with what was written: count, sum and hash of line numbers, and which.

use serde::{Deserialize, Serialize};

/// Count, sum and hash of line numbers: equal only if each was counted once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sums {
    pub(crate) count: u64,
    pub(crate) sum: u64,
    pub(crate) hash: u64,
}

impl Sums {
    pub(crate) fn add(&mut self, number: u64) {
        self.count += 1;
        self.sum += number;
        // SplitMix64's finalizer: a number that is missing and another that is doubled do not cancel out.
        let mixed = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.hash ^= mixed ^ mixed >> 31;
    }
}

/// The line numbers themselves. They come nearly in order, so that there are few ranges.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// First and last of each, in order; no two touch.
    ranges: Vec<(u64, u64)>,
    pub(crate) twice: u64,
}

impl Seen {
    pub(crate) fn add(&mut self, number: u64) {
        let at = self.ranges.partition_point(|(first, _)| *first <= number);
        let before = at.checked_sub(1).map(|before| self.ranges[before]);
        if before.is_some_and(|(_, last)| number <= last) {
            self.twice += 1;
            return;
        }
        let joins_before = before.is_some_and(|(_, last)| last + 1 == number);
        let joins_after = self
            .ranges
            .get(at)
            .is_some_and(|(first, _)| *first == number + 1);
        match (joins_before, joins_after) {
            (true, true) => {
                let (_, last) = self.ranges.remove(at);
                self.ranges[at - 1].1 = last;
            }
            (true, false) => self.ranges[at - 1].1 = number,
            (false, true) => self.ranges[at].0 = number,
            (false, false) => self.ranges.insert(at, (number, number)),
        }
    }

    /// Up to which number all are there. Where many files wait, they are not read in order.
    pub(crate) fn whole(&self) -> u64 {
        let first = self.ranges.first().filter(|(first, _)| *first == 1);
        first.map_or(0, |(_, last)| *last)
    }

    /// Which of `1..=written` are not there.
    pub(crate) fn missing(&self, written: u64) -> Vec<u64> {
        let mut missing = Vec::new();
        let mut next = 1;
        for (first, last) in self.ranges.iter().copied().chain([(written + 1, written)]) {
            missing.extend(next..first);
            next = last + 1;
        }
        missing
    }
}
