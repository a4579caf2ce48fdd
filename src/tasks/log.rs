//! One log source that is read from files: followed, each line read, each event told.
//!
//! It decides nothing: `tail` judges files, `access_log` judges lines. Polling is the truth; a notification
//! only makes the next look come earlier. Whoever holds the lock of a [`Reading`] sees positions and counts
//! of one moment: that is what snapshots are made of.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::record::SourceRecorder;
use super::source::{Log, SourceReader};
use super::tail::{Follower, Found, Start};
use super::unwrap::Unwrappers;
use super::wake::{PERIOD, Watch};
use crate::config::LogSource;
use crate::snapshot::Source;

/// A log source at work.
pub struct LogTask {
    reading: Arc<Mutex<Reading>>,
    watch: Watch,
}

/// How far a source is read, and all that is not counted yet.
pub struct Reading {
    source: SourceReader,
    access: Follower,
    error: Follower,
    unwrappers: Unwrappers,
}

impl LogTask {
    /// Prepares the source and takes its first look: what the files hold by now is not counted, but for what
    /// came after they were left as `stored`.
    pub fn new(
        source: &LogSource,
        access: &[String],
        error: &[String],
        recorder: SourceRecorder,
        stored: Option<Source>,
    ) -> Self {
        let patterns = [access, error].concat();
        let mut reading = Reading::new(source, access, error, recorder, stored);
        reading.poll(clock::now());
        Self {
            reading: Arc::new(Mutex::new(reading)),
            watch: Watch::new(&patterns, PERIOD),
        }
    }

    /// Goes on where another task of the source ended, by what is configured now. Whoever asks `reading` for what to
    /// store finds positions and counts of one moment meanwhile, too.
    pub async fn take_up(
        reading: Arc<Mutex<Reading>>,
        source: &LogSource,
        access: &[String],
        error: &[String],
        recorder: SourceRecorder,
    ) -> Self {
        {
            let mut taken = reading.lock().await;
            let left = taken.save();
            *taken = Reading::new(source, access, error, recorder, Some(left));
            taken.poll(clock::now());
        }
        Self {
            reading,
            watch: Watch::new(&[access, error].concat(), PERIOD),
        }
    }

    /// The source's state, for snapshots.
    pub fn reading(&self) -> Arc<Mutex<Reading>> {
        Arc::clone(&self.reading)
    }

    /// Reads until `stop`, then what is written by then.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let (more, deadline) = {
                let mut reading = self.reading.lock().await;
                (reading.poll(clock::now()), reading.source.deadline())
            };
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
        while self.reading.lock().await.poll(clock::now()) {}
        self.reading.lock().await.source.finish();
    }
}

impl Reading {
    fn new(
        source: &LogSource,
        access: &[String],
        error: &[String],
        recorder: SourceRecorder,
        stored: Option<Source>,
    ) -> Self {
        let mut reader = SourceReader::new(source, recorder);
        let (access, error) = match stored {
            Some(stored) => {
                reader.resume(clock::now(), stored.held);
                let follow =
                    |files: &[String], left| Follower::resume(files.to_vec(), Start::End, left);
                (follow(access, stored.access), follow(error, stored.error))
            }
            None => {
                let follow = |files: &[String]| Follower::new(files.to_vec(), Start::End);
                (follow(access), follow(error))
            }
        };
        Self {
            source: reader,
            access,
            error,
            unwrappers: Unwrappers::new(source.wrapping),
        }
    }

    /// What a snapshot has to hold beside the counts. Between two passes, nothing is read that is not in it.
    pub fn save(&self) -> Source {
        Source {
            name: self.source.metrics().name().to_owned(),
            access: self
                .access
                .checkpoint()
                .with_open_lines(self.unwrappers.open_lines()),
            error: self
                .error
                .checkpoint()
                .with_open_lines(self.unwrappers.open_lines()),
            held: self.source.held(),
        }
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
            Found::Again(line) => unwrappers.again(line),
            Found::File(place) => unwrappers.file(place),
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
