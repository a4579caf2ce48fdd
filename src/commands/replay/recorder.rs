//! Where a replay's lines and events go: always the counts, and one of three outputs.
//!
//! It writes answers as soon as they are complete and in order. It does not know where lines come from.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use crate::access_log::Record;
use crate::access_log::event::{Event, LineKind};
use crate::metrics::SourceMetrics;
use crate::replay::each::{Answer, Queue};
use crate::replay::tally::{Log, Tally};

/// Counts, and answers or metrics.
pub(super) struct Recorder {
    pub(super) tally: Tally,
    pub(super) mode: Mode,
}

/// What is told beside the counts.
pub(super) enum Mode {
    /// Nothing: a summary follows.
    Summary,
    /// The sidecar's metrics.
    Metrics(Arc<SourceMetrics>),
    /// An answer for each line.
    Each {
        queue: Queue,
        /// The files' names, by number.
        names: Vec<String>,
        out: Box<dyn Write>,
    },
}

/// One access line, as it was read.
pub(super) struct Line<'a> {
    /// The reader's number of it.
    pub(super) number: u64,
    /// The file's number, and the line's in it.
    pub(super) place: (usize, u64),
    pub(super) time: Option<i64>,
    pub(super) kind: LineKind,
    pub(super) record: Option<&'a Record<'a>>,
}

impl Recorder {
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            tally: Tally::default(),
            mode,
        }
    }

    /// Takes an access line; its events follow.
    pub(super) fn access(&mut self, line: &Line<'_>, events: &[Event]) {
        self.tally.access(line.kind, line.place);
        match &mut self.mode {
            Mode::Summary => {}
            Mode::Metrics(metrics) => read(metrics, line.time),
            Mode::Each { queue, .. } => {
                queue.push(Answer::new(
                    line.number,
                    line.place,
                    line.kind,
                    line.record,
                    events,
                ));
            }
        }
    }

    /// Takes an access line that has no events, and is answered nothing.
    #[inline]
    pub(super) fn ordinary(&mut self, kind: LineKind, place: (usize, u64), time: Option<i64>) {
        self.tally.access(kind, place);
        if let Mode::Metrics(metrics) = &self.mode {
            read(metrics, time);
        }
    }

    /// Takes a line of the error log; its events follow.
    pub(super) fn error(&mut self, time: Option<i64>) {
        self.tally.error_lines += 1;
        if let Mode::Metrics(metrics) = &self.mode {
            read(metrics, time);
        }
    }

    /// Takes events, and writes what is complete by then.
    #[inline]
    pub(super) fn events(&mut self, log: Log, events: &mut Vec<Event>) -> io::Result<()> {
        match (events.is_empty(), &self.mode) {
            // Most lines are such.
            (true, Mode::Summary | Mode::Metrics(_)) => Ok(()),
            _ => self.take(log, events),
        }
    }

    fn take(&mut self, log: Log, events: &mut Vec<Event>) -> io::Result<()> {
        for event in events.drain(..) {
            self.tally.event(log, &event);
            match (&mut self.mode, &event) {
                (Mode::Metrics(metrics), event) => drop(metrics.record(event)),
                (Mode::Each { queue, .. }, Event::StreamClosed(closed)) => queue.decide(closed),
                (
                    Mode::Each { queue, .. },
                    Event::Session {
                        line,
                        verdict,
                        waits: false,
                        ..
                    },
                ) => {
                    queue.judge(*line, *verdict);
                }
                _ => {}
            }
        }
        self.write()
    }

    /// Whether an answer must be completed before more is taken.
    pub(super) fn is_full(&self) -> bool {
        matches!(&self.mode, Mode::Each { queue, .. } if queue.is_full())
    }

    /// No line will follow, or no more room is left for those that wait for their session's verdict.
    pub(super) fn stop_waiting(&mut self) {
        if let Mode::Each { queue, .. } = &mut self.mode {
            queue.stop_waiting();
        }
    }

    /// Writes what is held back.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match &mut self.mode {
            Mode::Each { out, .. } => out.flush(),
            Mode::Summary | Mode::Metrics(_) => Ok(()),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        if let Mode::Each { queue, names, out } = &mut self.mode {
            while let Some(answer) = queue.pop() {
                let file = names.get(answer.file).map_or("", String::as_str);
                answer.write(file, out)?;
            }
        }
        Ok(())
    }
}

/// A line was read; the newest line's time is the log's own.
fn read(metrics: &SourceMetrics, time: Option<i64>) {
    let since = u64::try_from(time.unwrap_or(0)).unwrap_or(0);
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(since));
    metrics.line(at.unwrap_or(UNIX_EPOCH));
}
