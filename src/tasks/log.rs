//! One log source that is read from files: followed, each line read, each event told.
//!
//! It decides nothing: `tail` judges files, `access_log` judges lines. Polling is the truth; a notification
//! only makes the next look come earlier.

use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::clock;
use super::record::SourceRecorder;
use super::source::{Log, SourceReader};
use super::tail::{Follower, Found, Start};
use super::unwrap::Unwrappers;
use super::wake::{PERIOD, Watch};
use crate::config::LogSource;

/// A log source at work.
pub struct LogTask {
    source: SourceReader,
    access: Follower,
    error: Follower,
    unwrappers: Unwrappers,
    watch: Watch,
}

impl LogTask {
    /// Prepares the source and takes its first look: what the files hold by now is not counted.
    pub fn new(
        source: &LogSource,
        access: &[String],
        error: &[String],
        recorder: SourceRecorder,
    ) -> Self {
        let patterns = [access, error].concat();
        let mut task = Self {
            source: SourceReader::new(source, recorder),
            access: Follower::new(access.to_vec(), Start::End),
            error: Follower::new(error.to_vec(), Start::End),
            unwrappers: Unwrappers::new(source.wrapping),
            watch: Watch::new(&patterns, PERIOD),
        };
        task.poll(clock::now());
        task
    }

    /// Reads until `stop`, then what is written by then.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if self.poll(clock::now()) {
                // More is waiting, but other tasks share this thread.
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.watch.changed() => {}
                () = clock::sleep_until(self.source.deadline()) => {}
            }
        }
        while self.poll(clock::now()) {}
        self.source.finish();
    }

    /// One look at all files; says whether more is waiting. The error log first, so that a stream's end
    /// finds its cause there.
    fn poll(&mut self, now: Instant) -> bool {
        let more_errors = self.poll_one(now, Log::Error);
        let more = self.poll_one(now, Log::Access);
        self.source.tick(now);
        let lag = self.access.lag_bytes() + self.error.lag_bytes();
        self.source.metrics().lag(lag);
        more || more_errors
    }

    fn poll_one(&mut self, now: Instant, log: Log) -> bool {
        let Self {
            source,
            access,
            error,
            unwrappers,
            ..
        } = self;
        let follower = match log {
            Log::Access => access,
            Log::Error => error,
        };
        let wall = clock::wall();
        follower.poll(now, &mut |found| match found {
            Found::Line(line) => source.line(now, wall, log, unwrappers.line(line)),
            Found::File(path) => unwrappers.file(path),
            Found::Bytes(bytes) => source.metrics().read(bytes),
            Found::Rotated(kind) => source.metrics().rotated(kind),
            Found::Lost { cause, bytes } => source.metrics().lost(cause, bytes),
            Found::OpenFailed(kind) | Found::ReadFailed(kind) => {
                let source = source.metrics().name();
                tracing::debug!(source, %kind, "a log file cannot be read");
            }
            Found::ListingCapped => {
                let source = source.metrics().name();
                tracing::debug!(source, "more files match than are looked at");
            }
        })
    }
}
