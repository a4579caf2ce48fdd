//! One log source that is read from files: followed, each line read, each event told.
//!
//! Polling is the truth; a notification only makes the next look come earlier. What is read and what it means is
//! [`Reading`]'s.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::reading::{Part, Reading};
use super::source::Log;
use super::wake::{PERIOD, Watch};

/// A log source at work.
pub struct LogTask {
    reading: Arc<Mutex<Reading>>,
    watch: Watch,
}

impl LogTask {
    /// Goes on with `reading`, whose files `patterns` name.
    pub fn new(reading: Arc<Mutex<Reading>>, patterns: &[String]) -> Self {
        let watch = Watch::new(patterns, PERIOD);
        Self { reading, watch }
    }

    /// Reads until `stop`, then what is written by then.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let (more, deadline) = self.look().await;
            if more {
                // More is waiting, but other tasks share this thread.
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.watch.changed() => {}
                () = clock::sleep_until(deadline) => {}
            }
        }
        while self.look().await.0 {}
    }

    /// One look at all files; says whether more is waiting, and when to look at the latest. The error log first, so
    /// that a stream's end finds its cause there. The lock is let go after each part: a scrape that waits for it comes
    /// next, whatever there is to read.
    async fn look(&self) -> (bool, Option<Instant>) {
        let now = clock::now();
        let mut more = false;
        for log in [Log::Error, Log::Access] {
            self.reading.lock().await.pass(now, log, Part::Begin);
            while self.reading.lock().await.pass(now, log, Part::Read) {}
            more |= self.reading.lock().await.pass(now, log, Part::End);
        }
        (more, self.reading.lock().await.tick(now))
    }
}
