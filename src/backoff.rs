//! Waiting longer after each failure, spread at random so that canaries do not return all at once.

use std::time::Duration;

/// Exponential back-off with full jitter between half and all of the step.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    /// The first wait is at most `first`; each failure doubles it up to `cap`.
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self {
            first,
            cap,
            failures: 0,
        }
    }

    /// The wait before the next attempt; `random` is uniform in `0.0..1.0`.
    pub fn next(&mut self, random: f64) -> Duration {
        let step = self
            .first
            .saturating_mul(1 << self.failures.min(20))
            .min(self.cap);
        self.failures = self.failures.saturating_add(1);
        step.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0))
    }

    /// The attempt succeeded: the next failure starts from the first wait again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_cap_and_starts_anew() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, 8 * second);
        let waits: Vec<_> = (0..5).map(|_| backoff.next(1.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 8]);
        backoff.reset();
        assert_eq!(backoff.next(0.0), second / 2);
    }

    #[test]
    fn never_overflows() {
        let mut backoff = Backoff::new(Duration::MAX, Duration::MAX);
        for _ in 0..100 {
            assert!(backoff.next(0.0) > Duration::ZERO);
        }
    }
}
