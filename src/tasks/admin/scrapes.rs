//! When Prometheus came, and whether it is worth waiting for it once more.
//!
//! Owns the last two scrapes. The counters' last steps (streams cut by a shutdown) are lost unless one
//! more scrape comes after the workers ended; the rhythm of the scrapes says how long that takes.
//! Knows nothing of what was scraped.

use std::time::{Duration, Instant};

use tokio::select;
use tokio::sync::watch;

use crate::tasks::clock;

/// The longest wait, counted from the request to stop: the kubelet kills after 30 s by default.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Scrapes do not come on the dot: Prometheus spreads them, and a scrape takes its time.
const SLACK: Duration = Duration::from_secs(1);

/// How the wait for one more scrape ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinalScrape {
    /// It came: the last counts are known.
    Came,
    /// It did not come in time.
    Missed,
    /// Nobody scrapes regularly, so nobody was waited for.
    NotExpected,
}

/// The scrapes so far, shared by the handler that sees them and the shutdown that waits.
#[derive(Debug, Default)]
pub struct Scrapes(watch::Sender<Seen>);

/// What is remembered of them.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    count: u64,
    last: Option<Instant>,
    interval: Option<Duration>,
}

impl Seen {
    fn record(&mut self, now: Instant) {
        self.count += 1;
        self.interval = self.last.map(|last| now.saturating_duration_since(last));
        self.last = Some(now);
    }
}

impl Scrapes {
    /// Notes a scrape.
    pub fn record(&self, now: Instant) {
        self.0.send_modify(|seen| seen.record(now));
    }

    /// Scrapes since the start.
    pub fn count(&self) -> u64 {
        self.0.borrow().count
    }

    /// Waits for one more scrape, for as long as one is to be expected and `stop_requested_at` allows.
    /// To be called when the counters have stopped changing and the server still answers.
    pub async fn final_scrape(&self, stop_requested_at: Instant) -> FinalScrape {
        let seen = *self.0.borrow();
        let Some(deadline) = deadline(seen.interval, clock::now(), stop_requested_at) else {
            return FinalScrape::NotExpected;
        };
        let mut scrapes = self.0.subscribe();
        select! {
            _ = scrapes.wait_for(|now| now.count > seen.count) => FinalScrape::Came,
            () = clock::sleep_until(Some(deadline)) => FinalScrape::Missed,
        }
    }
}

/// Until when to wait for one more scrape: one interval from `now` and some slack, within the limit.
/// Without an interval, that is before the second scrape, there is nothing to wait for.
fn deadline(
    interval: Option<Duration>,
    now: Instant,
    stop_requested_at: Instant,
) -> Option<Instant> {
    let rhythm = now + interval?.min(LONGEST_WAIT) + SLACK;
    Some(rhythm.min(stop_requested_at + LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn waits_one_interval_within_the_limit() {
        let stop = clock::now();
        for (interval, drained_after, expected) in [
            (None, 0, None),
            (Some(0), 0, Some(1)),
            (Some(15), 0, Some(16)),
            (Some(15), 3, Some(19)),
            (Some(15), 5, Some(20)),
            (Some(60), 0, Some(20)),
            (Some(u64::MAX), 0, Some(20)),
        ] {
            assert_eq!(
                deadline(interval.map(seconds), stop + seconds(drained_after), stop),
                expected.map(|n| stop + seconds(n)),
                "{interval:?} {drained_after}"
            );
        }
    }

    #[test]
    fn the_interval_is_the_one_between_the_last_two() {
        let start = clock::now();
        let mut seen = Seen::default();
        for (at, interval) in [(0, None), (15, Some(15)), (20, Some(5)), (19, Some(0))] {
            seen.record(start + seconds(at));
            assert_eq!(seen.interval, interval.map(seconds), "{at}");
        }
        assert_eq!(seen.count, 4);
    }

    #[tokio::test]
    async fn nobody_is_waited_for_who_did_not_come_twice() {
        let scrapes = Scrapes::default();
        let now = clock::now();
        assert_eq!(scrapes.final_scrape(now).await, FinalScrape::NotExpected);
        scrapes.record(now);
        assert_eq!(scrapes.final_scrape(now).await, FinalScrape::NotExpected);
    }

    #[tokio::test]
    async fn one_more_scrape_ends_the_wait() {
        let scrapes = Scrapes::default();
        let now = clock::now();
        scrapes.record(now);
        scrapes.record(now + seconds(15));
        let (came, ()) = tokio::join!(scrapes.final_scrape(now), async { scrapes.record(now) });
        assert_eq!(came, FinalScrape::Came);
    }

    #[tokio::test]
    async fn the_wait_ends_without_a_scrape() {
        let scrapes = Scrapes::default();
        let now = clock::now();
        scrapes.record(now);
        scrapes.record(now + seconds(15));
        let stopped_long_ago = now - seconds(30);
        assert_eq!(
            scrapes.final_scrape(stopped_long_ago).await,
            FinalScrape::Missed
        );
    }
}
