//! The error logs as one, in the order of time, fed up to the next access line.
//!
//! It does not know what an entry means, only when it was written.

use std::path::PathBuf;
use std::rc::Rc;

use super::bar::Bar;
use super::input::{self, Source};
use super::lines::Lines;
use super::unwrap::Wanted;
use super::{ReplayError, name};
use crate::access_log::reader::Reader;
use crate::access_log::{UnparsedKind, Written};
use crate::replay::coverage::Coverage;
use crate::replay::report::File;
use crate::replay::span::Span;
use crate::replay::times::ErrorTimes;

/// All error logs.
pub(super) struct ErrorFiles {
    pub(super) files: Vec<ErrorFile>,
    pub(super) coverage: Coverage,
}

/// One error log.
pub(super) struct ErrorFile {
    pub(super) name: String,
    pub(super) lines: Lines<Source>,
    times: ErrorTimes,
    /// The next line's local time, once looked at; [`Head::Over`] at the end.
    head: Head,
    pub(super) number: u64,
    span: Span,
}

#[derive(Clone, Copy)]
enum Head {
    Unread,
    Naive(Option<i64>),
    Over,
}

impl ErrorFiles {
    /// Opens every file.
    pub(super) fn new(paths: &[PathBuf], bar: &Rc<Bar>) -> Result<Self, ReplayError> {
        let open = |path: &PathBuf| -> Result<ErrorFile, ReplayError> {
            let source = input::open(path, bar, Wanted::default());
            let source = source.map_err(|error| ReplayError::read(&name(path), error))?;
            Ok(ErrorFile::new(name(path), source))
        };
        Ok(Self {
            files: paths.iter().map(open).collect::<Result<_, _>>()?,
            coverage: Coverage::default(),
        })
    }

    /// Opens what containers' processes printed to their standard error, of the access logs' own files: nginx's
    /// official images print the error log there. A pipe can be read once only, and has none.
    pub(super) fn of_containers(paths: &[PathBuf]) -> Result<Self, ReplayError> {
        let mut files = Vec::new();
        for path in paths.iter().filter(|path| input::is_regular(path)) {
            let failed = |error| ReplayError::read(&name(path), error);
            let Some(source) = input::open_stderr(path).map_err(failed)? else {
                continue;
            };
            let mut file = ErrorFile::new(format!("{} (stderr)", name(path)), source);
            // Without a line it is no error log that is silent.
            if file.lines.peek().map_err(failed)?.is_some() {
                files.push(file);
            }
        }
        Ok(Self {
            files,
            coverage: Coverage::default(),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// NUL bytes that were skipped.
    pub(super) fn nuls(&self) -> u64 {
        self.files.iter().map(|file| file.lines.nuls).sum()
    }

    /// The file with the earliest line that is not later than `until`, and that line's time.
    ///
    /// The local times are read in this zone. A line without a time goes with the one above it.
    pub(super) fn due(
        &mut self,
        until: Option<i64>,
        zone: i32,
        reader: &Reader,
    ) -> Result<Option<(usize, Option<i64>)>, ReplayError> {
        let mut next: Option<(usize, Option<i64>)> = None;
        for (at, file) in self.files.iter_mut().enumerate() {
            let Some(time) = file.next_time(zone, reader)? else {
                continue;
            };
            if next.is_none_or(|(_, earliest)| time < earliest) {
                next = Some((at, time));
            }
        }
        match next {
            None => self.coverage.last = self.newest(),
            Some((_, time)) if self.coverage.first.is_none() => self.coverage.first = time,
            Some(_) => {}
        }
        Ok(next.filter(|(_, time)| *time <= until))
    }

    /// The newest time of all lines taken.
    fn newest(&self) -> Option<i64> {
        self.files
            .iter()
            .filter_map(|file| file.times.newest())
            .max()
    }

    /// What the report says of the files.
    pub(super) fn report(&self) -> impl Iterator<Item = File> {
        (self.files.iter()).map(|file| {
            file.span
                .file(&file.name, "error", file.number, file.lines.bytes)
        })
    }
}

impl ErrorFile {
    fn new(name: String, source: Source) -> Self {
        Self {
            name,
            lines: Lines::new(source, b'\n'),
            times: ErrorTimes::default(),
            head: Head::Unread,
            number: 0,
            span: Span::default(),
        }
    }

    /// Takes the next line, written then, and says to `on` what it is.
    pub(super) fn take(
        &mut self,
        time: Option<i64>,
        on: impl FnOnce(Result<&[u8], UnparsedKind>),
    ) -> Result<(), ReplayError> {
        let line = self
            .lines
            .peek()
            .map_err(|error| ReplayError::read(&self.name, error))?;
        if let Some(line) = line {
            on(line.text());
        }
        self.lines.take();
        self.number += 1;
        self.times.took(time);
        if let (Head::Naive(Some(_)), Some(time)) = (self.head, time) {
            self.span.add(time);
        }
        self.head = Head::Unread;
        Ok(())
    }

    /// `None` at the end; else the next line's time, as far as known.
    fn next_time(
        &mut self,
        zone: i32,
        reader: &Reader,
    ) -> Result<Option<Option<i64>>, ReplayError> {
        if let Head::Unread = self.head {
            let line = self
                .lines
                .peek()
                .map_err(|error| ReplayError::read(&self.name, error))?;
            self.head = line.map_or(Head::Over, |line| {
                Head::Naive(
                    line.text()
                        .ok()
                        .and_then(|line| naive(reader.written(line)?, zone)),
                )
            });
        }
        Ok(match self.head {
            Head::Naive(naive) => Some(self.times.at(naive, zone)),
            Head::Unread | Head::Over => None,
        })
    }
}

/// The local second of a moment, in a zone so many seconds east of UTC.
fn naive(written: Written, zone: i32) -> Option<i64> {
    match written {
        Written::Local(ms) => Some(ms.div_euclid(1000)),
        Written::Utc(ms) => ms.div_euclid(1000).checked_add(i64::from(zone)),
    }
}
