//! The logs' own times as the reader's: no clock is read in a replay.
//!
//! [`Clock`] maps milliseconds since 1970 to moments that never go back. [`ErrorTimes`] puts an error
//! log's local times, which name no zone, beside the access log's. It does not know lines.

use std::time::{Duration, Instant};

use crate::access_log::held::WINDOW;

/// Moments for the reader, by the logs' times.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    first: Option<i64>,
    newest: Option<i64>,
    /// The moment of the newest.
    now: Instant,
}

impl Clock {
    /// A clock whose first time becomes `start`; any moment will do.
    pub fn new(start: Instant) -> Self {
        Self {
            start,
            first: None,
            newest: None,
            now: start,
        }
    }

    /// The moment of a time in milliseconds since 1970; where there is none or it lies back, of the
    /// newest one seen.
    pub fn at(&mut self, unix_ms: Option<i64>) -> Instant {
        if let Some(time) = unix_ms
            && unix_ms > self.newest
        {
            self.newest = unix_ms;
            self.now = self.moment(time);
        }
        self.now
    }

    fn moment(&mut self, unix_ms: i64) -> Instant {
        let first = *self.first.get_or_insert(unix_ms);
        let since = u64::try_from(unix_ms.saturating_sub(first)).unwrap_or(0);
        let moment = self.start.checked_add(Duration::from_millis(since));
        moment.unwrap_or(self.start)
    }

    /// Whether a line of this time comes too late for the join: what would explain it was forgotten.
    /// nginx's `access_log … buffer=` writes lines in blocks, one worker's after another's.
    pub fn is_late(&self, unix_ms: i64) -> bool {
        let window = i64::try_from(WINDOW.as_millis()).unwrap_or(0);
        Some(unix_ms.saturating_add(window)) < self.newest
    }
}

/// The times of one error log's lines.
#[derive(Debug, Clone, Copy, Default)]
pub struct ErrorTimes {
    newest: Option<i64>,
}

impl ErrorTimes {
    /// When a line was written, in milliseconds since 1970: a naive local second in a zone so many
    /// seconds east of UTC, and never before the line above it. (When summer time ends, local times
    /// repeat an hour; the file's order does not.)
    pub fn at(&self, naive: Option<i64>, zone: i32) -> Option<i64> {
        let own = naive.map(|naive| naive.saturating_sub(i64::from(zone)).saturating_mul(1000));
        own.max(self.newest)
    }

    /// Notes that a line of this time was taken.
    pub fn took(&mut self, at: Option<i64>) {
        self.newest = self.newest.max(at);
    }

    /// The newest time taken.
    pub fn newest(&self) -> Option<i64> {
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some moment to begin"
    )]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn moments_follow_the_times_and_never_go_back() {
        let begin = start();
        let mut clock = Clock::new(begin);
        for (time, expected) in [
            (None, 0),
            (Some(5_000), 0),
            (Some(5_700), 700),
            (Some(4_000), 700),
            (Some(7_000), 2_000),
            (None, 2_000),
        ] {
            let got = clock.at(time).duration_since(begin);
            assert_eq!(got, Duration::from_millis(expected), "{time:?}");
        }
        assert!(clock.at(Some(i64::MAX)) >= begin);
    }

    #[test]
    fn late_is_behind_by_more_than_the_window() {
        let mut clock = Clock::new(start());
        assert!(!clock.is_late(0));
        clock.at(Some(10_000));
        assert!(!clock.is_late(10_000) && !clock.is_late(8_000));
        assert!(clock.is_late(7_999));
    }

    #[test]
    fn an_error_logs_times_keep_the_files_order() {
        let mut times = ErrorTimes::default();
        assert_eq!(times.at(None, 0), None);
        assert_eq!(times.at(Some(7_200), 3_600), Some(3_600_000));
        times.took(Some(3_600_000));
        assert_eq!(times.at(Some(3_700), 3_600), Some(3_600_000));
        assert_eq!(times.at(Some(3_700), 0), Some(3_700_000));
        assert_eq!(times.at(None, 0), Some(3_600_000));
        times.took(None);
        assert_eq!(times.newest(), Some(3_600_000));
    }
}
