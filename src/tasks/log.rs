//! One log source: its files followed, each line read, each event told.
//!
//! It decides nothing: `tail` judges files, `access_log` judges lines. Polling is the truth; a notification
//! only makes the next look come earlier. Whoever holds the lock of a [`Reading`] sees positions and counts
//! of one moment: that is what snapshots are made of.

use std::hash::RandomState;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::record::SourceRecorder;
use super::tail::{Follower, Found, Start};
use super::unwrap::Unwrappers;
use super::wake::{PERIOD, Watch};
use crate::access_log::Format;
use crate::access_log::event::Event;
use crate::access_log::reader::Reader;
use crate::access_log::wrapping::{Output, Unwrapped};
use crate::affinity::{DEFAULT_IDLE, DEFAULT_SESSIONS, Table};
use crate::config::LogSource;
use crate::snapshot::Source;
use crate::tail::Checkpoint;

/// A log source at work.
pub struct LogTask {
    reading: Arc<Mutex<Reading>>,
    watch: Watch,
}

/// How far a source is read, and all that is not counted yet.
pub struct Reading {
    reader: Reader,
    access: Follower,
    error: Follower,
    /// Where lines go that a container's process printed to its standard error.
    stderr: Log,
    unwrappers: Unwrappers,
    recorder: SourceRecorder,
    events: Vec<Event>,
}

/// Which of a source's logs a line stands in.
#[derive(Clone, Copy)]
enum Log {
    Access,
    Error,
}

impl Log {
    fn read(self, reader: &mut Reader, now: Instant, line: &[u8], events: &mut Vec<Event>) {
        match self {
            Self::Access => drop(reader.access(now, line, events)),
            Self::Error => reader.error(now, line, events),
        }
    }
}

impl LogTask {
    /// Prepares the source and takes its first look: what the files hold by now is not counted, but for what
    /// came after they were left `saved`.
    pub fn new(source: &LogSource, recorder: SourceRecorder, saved: Option<Source>) -> Self {
        let patterns: Vec<String> = source
            .files
            .iter()
            .chain(&source.error_files)
            .cloned()
            .collect();
        let mut reading = Reading::new(source, recorder, saved);
        reading.poll(clock::now());
        Self {
            reading: Arc::new(Mutex::new(reading)),
            watch: Watch::new(&patterns, PERIOD),
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
                (reading.poll(clock::now()), reading.reader.deadline())
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
        self.reading.lock().await.finish();
    }
}

impl Reading {
    fn new(source: &LogSource, recorder: SourceRecorder, saved: Option<Source>) -> Self {
        let sessions = Table::new(RandomState::new(), DEFAULT_SESSIONS, DEFAULT_IDLE);
        let has_error_log = !source.error_files.is_empty();
        let (access, error, held) = saved.map_or_else(Default::default, |saved| {
            (Some(saved.access), Some(saved.error), Some(saved.held))
        });
        let mut reading = Self {
            reader: Reader::new(
                source.format.clone(),
                source.streams.clone(),
                has_error_log,
                sessions,
            ),
            access: follower(&source.files, access),
            error: follower(&source.error_files, error),
            stderr: match (&source.format, has_error_log) {
                (Format::Rules(_), _) | (_, true) => Log::Access,
                (_, false) => Log::Error,
            },
            unwrappers: Unwrappers::new(source.wrapping),
            recorder,
            events: Vec::new(),
        };
        if let Some(held) = held {
            let Self { reader, events, .. } = &mut reading;
            reader.resume(clock::now(), held, events);
        }
        reading
    }

    /// The source's name.
    pub fn name(&self) -> &str {
        self.recorder.metrics.name()
    }

    /// What a snapshot has to hold beside the counts. Between passes, nothing is read that is not in it.
    pub fn save(&self) -> Source {
        Source {
            name: self.name().to_owned(),
            access: self.access.checkpoint(),
            error: self.error.checkpoint(),
            held: self.reader.held(),
        }
    }

    /// Decides every stream that is held.
    fn finish(&mut self) {
        self.reader.finish(&mut self.events);
        self.tell();
    }

    /// One look at all files; says whether more is waiting. The error log first, so that a stream's end
    /// finds its cause there.
    fn poll(&mut self, now: Instant) -> bool {
        let more_errors = self.poll_one(now, Log::Error);
        let more = self.poll_one(now, Log::Access);
        self.reader.tick(now, &mut self.events);
        self.tell();
        self.recorder
            .metrics
            .lag(self.access.lag_bytes() + self.error.lag_bytes());
        more || more_errors
    }

    fn poll_one(&mut self, now: Instant, log: Log) -> bool {
        let Self {
            reader,
            access,
            error,
            recorder,
            events,
            stderr,
            unwrappers,
            ..
        } = self;
        let follower = match log {
            Log::Access => access,
            Log::Error => error,
        };
        let wall = clock::wall();
        follower.poll(now, &mut |found| match found {
            Found::Line(line) => {
                recorder.metrics.line(wall);
                let (output, line) = match unwrappers.line(line) {
                    Unwrapped::Line(output, line) => (output, line),
                    Unwrapped::Piece => return,
                    Unwrapped::Damaged(kind) => return events.push(Event::Unparsed(kind)),
                };
                match (log, output) {
                    (Log::Access, Output::Stderr) => stderr,
                    _ => &log,
                }
                .read(reader, now, &line, events);
            }
            Found::File(path) => unwrappers.file(path),
            Found::Bytes(bytes) => recorder.metrics.read(bytes),
            Found::Rotated(kind) => recorder.metrics.rotated(kind),
            Found::Lost { cause, bytes } => recorder.metrics.lost(cause, bytes),
            Found::OpenFailed(kind) | Found::ReadFailed(kind) => {
                let source = recorder.metrics.name();
                tracing::debug!(source, %kind, "a log file cannot be read");
            }
            Found::ListingCapped => {
                tracing::debug!(
                    source = recorder.metrics.name(),
                    "more files match than are looked at"
                );
            }
        })
    }

    fn tell(&mut self) {
        for event in self.events.drain(..) {
            self.recorder.record(&event);
        }
    }
}

/// Follows files from where they were left; else from their end.
fn follower(files: &[String], left: Option<Checkpoint>) -> Follower {
    match left {
        Some(left) => Follower::resume(files.to_vec(), Start::End, left),
        None => Follower::new(files.to_vec(), Start::End),
    }
}
