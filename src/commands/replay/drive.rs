//! Feeds the reader from all files in the order of time, and tells the recorder what comes out.
//!
//! It decides nothing but the order, and whether the error log's silence counts for a line. An error
//! line of the same second goes first: fewer streams are held.

use std::rc::Rc;

use super::ReplayError;
use super::access::{AccessFile, AccessFiles, Limit};
use super::bar::Bar;
use super::errors::ErrorFiles;
use super::lines::Next;
use super::recorder::{Line, Recorder};
use crate::access_log::event::{Event, LineKind};
use crate::access_log::reader::Reader;
use crate::access_log::{Parsed, Record, Stamp, UnparsedKind, Written};
use crate::replay::gaps::{Unheard, Why};
use crate::replay::tally::Log;
use crate::replay::times::Clock;

/// A replay at work.
pub(super) struct Drive {
    pub(super) reader: Reader,
    pub(super) errors: ErrorFiles,
    pub(super) recorder: Recorder,
    pub(super) bar: Rc<Bar>,
    pub(super) clock: Clock,
    pub(super) events: Vec<Event>,
    /// The access log's offset from UTC in seconds, as its last line with one says.
    pub(super) zone: Option<i32>,
    /// Streams for which the error log's silence meant nothing.
    pub(super) unheard: Unheard,
    /// Every line is answered, so all of each is read.
    pub(super) is_each: bool,
}

/// When a line was written. Where the end is not logged the beginning has to do; lines stand in the order of
/// their ends, so it was not before the line above it.
fn moment(record: &Record<'_>, above: Option<i64>) -> Option<Stamp> {
    let began = || {
        let mut stamp = record.started?;
        stamp.unix_ms = above.map_or(stamp.unix_ms, |above| stamp.unix_ms.max(above));
        Some(stamp)
    };
    record.ended.or_else(began)
}

/// An access line that was looked at.
struct Looked<'a> {
    place: (usize, u64),
    /// When it was written; a line without a time goes with the one before.
    time: Option<i64>,
    stamp: Option<Stamp>,
    parsed: &'a Parsed<'a>,
    /// What is wrong with it.
    read: Result<(), UnparsedKind>,
    /// The line itself, where it belongs to the second log.
    aside: Option<&'a [u8]>,
}

impl Drive {
    /// Reads everything to its end.
    pub(super) fn run(&mut self, files: &mut AccessFiles) -> Result<(), ReplayError> {
        while let Some((at, limit)) = files.next() {
            if let Some(file) = files.0.get_mut(at) {
                self.file(at, file, limit)?;
            }
        }
        self.errors_until(Some(i64::MAX))?;
        self.reader.finish(&mut self.events);
        self.recorder.events(Log::Access, &mut self.events)?;
        self.recorder.stop_waiting();
        self.recorder.events(Log::Access, &mut self.events)?;
        self.recorder.flush()?;
        Ok(())
    }

    /// Reads one file to its end, or until it is another's turn.
    fn file(&mut self, at: usize, file: &mut AccessFile, limit: Limit) -> Result<(), ReplayError> {
        file.open(&self.reader, &self.bar)?;
        let AccessFile {
            name,
            lines: Some(lines),
            head,
            number,
            span,
            ..
        } = file
        else {
            return Ok(());
        };
        let mut last = None;
        while let Some(next) = (lines.peek()).map_err(|error| ReplayError::read(name, error))? {
            let aside = (next.text().ok()).filter(|line| self.reader.is_aside(line));
            let mut parsed = Parsed::default();
            let read = self.read(&next, &mut parsed);
            let sketch = &parsed.sketch;
            let is_ordinary = aside.is_none() && read.is_ok() && parsed.record.is_none();
            if is_ordinary && last.is_some() && sketch.ended == last {
                // Nothing can be due that was not when the line before came.
                *number += 1;
                let kind = self.reader.ordinary(sketch);
                self.recorder.ordinary(kind, (at, *number), *head);
                lines.take();
                continue;
            }
            let stamp = match (aside, read, &parsed.record) {
                (Some(line), ..) => self.stamp(line),
                (None, Err(_), _) => None,
                (None, Ok(()), Some(record)) => moment(record, *head),
                (None, Ok(()), None) => parsed.sketch.ended,
            };
            *head = stamp.map_or(*head, |stamp| Some(stamp.unix_ms));
            if limit.is_passed_by(*head) {
                return Ok(());
            }
            *number += 1;
            (stamp.into_iter()).for_each(|stamp| span.add(stamp.unix_ms));
            self.line(&Looked {
                place: (at, *number),
                time: *head,
                stamp,
                parsed: &parsed,
                read,
                aside,
            })?;
            lines.take();
            last = stamp;
        }
        file.end();
        Ok(())
    }

    /// Reads a line into what is empty before: all of it, where each is answered.
    #[inline]
    fn read<'a>(&mut self, next: &Next<'a>, parsed: &mut Parsed<'a>) -> Result<(), UnparsedKind> {
        if next.is_too_long {
            return Err(UnparsedKind::TooLong);
        }
        match self.is_each {
            true => (self.reader.parse(next.line.text)).map(|record| parsed.record = Some(record)),
            false => self.reader.read(&next.line, parsed),
        }
    }

    /// When a line of the second log was written, if it says so without a zone of its reader's.
    fn stamp(&self, line: &[u8]) -> Option<Stamp> {
        match self.reader.written(line)? {
            Written::Utc(unix_ms) => Some(Stamp {
                unix_ms,
                utc_offset: Some(0),
            }),
            Written::Local(_) => None,
        }
    }

    fn line(&mut self, line: &Looked<'_>) -> Result<(), ReplayError> {
        let offset = line.stamp.and_then(|stamp| stamp.utc_offset);
        self.zone = offset.or(self.zone);
        let unheard = self.listen(line)?;
        let now = self.clock.at(line.time);
        self.reader.tick(now, &mut self.events);
        let kind = match line.aside {
            Some(line) => self.reader.aside(now, line, &mut self.events),
            None => (self.reader).record(now, line.parsed, line.read, &mut self.events),
        };
        if kind == LineKind::Stream {
            self.unheard.add(unheard);
        }
        let told = Line {
            number: self.reader.lines(),
            place: line.place,
            time: line.time,
            kind,
            record: match (line.read, line.aside) {
                (Ok(()), None) => line.parsed.record.as_ref(),
                _ => None,
            },
        };
        self.recorder.access(&told, &self.events);
        if self.recorder.is_full() {
            self.recorder.stop_waiting();
            self.reader.evict(&mut self.events);
        }
        Ok(self.recorder.events(Log::Access, &mut self.events)?)
    }

    /// Feeds the error log up to a line, and tells the reader whether its silence counts; says why not.
    fn listen(&mut self, line: &Looked<'_>) -> Result<Option<Why>, ReplayError> {
        if self.errors.is_empty() {
            return Ok(None);
        }
        if line.time.is_some() {
            self.errors_until(line.time)?;
        }
        let why = match (line.time, self.zone) {
            (None, _) => Some(Why::Timeless),
            (Some(_), None) => Some(Why::Zoneless),
            (Some(time), _) if self.clock.is_late(time) => Some(Why::Late),
            (Some(time), _) if !self.errors.coverage.holds(time) => Some(Why::Outside),
            (Some(_), Some(_)) => None,
        };
        self.reader.set_error_log(why.is_none());
        Ok(why)
    }

    fn errors_until(&mut self, until: Option<i64>) -> Result<(), ReplayError> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let zone = self.zone.unwrap_or(0);
        while let Some((at, time)) = self.errors.due(until, zone, &self.reader)? {
            let now = self.clock.at(time);
            let (reader, events) = (&mut self.reader, &mut self.events);
            if let Some(file) = self.errors.files.get_mut(at) {
                file.take(time, |line| match line {
                    Ok(line) => reader.error(now, line, events),
                    Err(kind) => events.push(Event::Unparsed(kind)),
                })?;
            }
            self.recorder.error(time);
            self.recorder.events(Log::Error, &mut self.events)?;
        }
        Ok(())
    }
}
