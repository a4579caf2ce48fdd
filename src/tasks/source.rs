//! What every log source has, wherever its lines come from: a reader of them, and somebody to tell.
//!
//! Decides nothing: `access_log` judges lines.

use std::hash::RandomState;
use std::time::{Instant, SystemTime};

use super::record::SourceRecorder;
use crate::access_log::Format;
use crate::access_log::event::Event;
use crate::access_log::fit::Fit;
use crate::access_log::reader::{Held, Reader};
use crate::access_log::wrapping::{Output, Unwrapped};
use crate::affinity::{DEFAULT_IDLE, DEFAULT_SESSIONS, Table};
use crate::config::LogSource;
use crate::metrics::SourceMetrics;

/// Which of a source's logs a line stands in.
#[derive(Clone, Copy)]
pub(super) enum Log {
    Access,
    Error,
}

/// Reads the lines of one source.
pub(super) struct SourceReader {
    reader: Reader,
    /// Where lines go that a container's process printed to its standard error.
    stderr: Log,
    recorder: SourceRecorder,
    events: Vec<Event>,
    fit: Fit,
}

impl SourceReader {
    pub(super) fn new(source: &LogSource, recorder: SourceRecorder) -> Self {
        let sessions = Table::new(RandomState::new(), DEFAULT_SESSIONS, DEFAULT_IDLE);
        let has_error_log = source.has_error_log();
        Self {
            reader: Reader::new(
                source.format.clone(),
                source.streams.clone(),
                has_error_log,
                sessions,
            ),
            stderr: match &source.format {
                Format::Rules(_) => Log::Access,
                format if has_error_log || format.tells_its_logs_apart() => Log::Access,
                _ => Log::Error,
            },
            recorder,
            events: Vec::new(),
            fit: Fit::default(),
        }
    }

    /// Goes on from what another reader held.
    pub(super) fn resume(&mut self, now: Instant, held: Held) {
        self.reader.resume(now, held, &mut self.events);
    }

    /// What is read and not yet told.
    pub(super) fn held(&self) -> Held {
        self.reader.held()
    }

    /// Its series.
    pub(super) fn metrics(&self) -> &SourceMetrics {
        &self.recorder.metrics
    }

    /// Takes a line, or a piece of one.
    pub(super) fn line(
        &mut self,
        now: Instant,
        wall: SystemTime,
        log: Log,
        unwrapped: Unwrapped<'_>,
    ) {
        self.recorder.metrics.line(wall);
        let (output, line) = match unwrapped {
            Unwrapped::Line(output, line) => (output, line),
            Unwrapped::Piece => return,
            Unwrapped::Damaged(kind) => return self.events.push(Event::Unparsed(kind)),
        };
        let log = match (log, output) {
            (Log::Access, Output::Stderr) => self.stderr,
            _ => log,
        };
        match log {
            Log::Access => {
                let kind = self.reader.access(now, &line, &mut self.events);
                if self.fit.line(kind) {
                    let source = self.recorder.metrics.name();
                    tracing::warn!(
                        source,
                        "most lines are not in the format that log_format names: no stream is seen in them"
                    );
                }
            }
            Log::Error => self.reader.error(now, &line, &mut self.events),
        }
    }

    /// Decides what is due, and tells all that happened: to be called after each look.
    pub(super) fn tick(&mut self, now: Instant) {
        self.reader.tick(now, &mut self.events);
        self.tell();
    }

    /// When [`Self::tick`] is due, if nothing comes before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.reader.deadline()
    }

    /// Decides all that is held: no line will follow.
    pub(super) fn finish(&mut self) {
        self.reader.finish(&mut self.events);
        self.tell();
    }

    /// Tells all that happened.
    pub(super) fn tell(&mut self) {
        for event in self.events.drain(..) {
            self.recorder.record(&event);
        }
    }
}
