//! The access logs as one, in the order of time: which file has the next line, and for how long.
//!
//! Each file is in order by itself. One that begins later is opened when its time comes, so rotated
//! logs cost one buffer whatever their number. It does not know what lines mean but for their time.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::bar::Bar;
use super::input::{self, Source};
use super::lines::Lines;
use super::unwrap::Wanted;
use super::{ReplayError, name};
use crate::access_log::reader::Reader;
use crate::access_log::wrapping::Output;
use crate::replay::report::File;
use crate::replay::span::Span;

/// Lines at the start of a file that are searched for its first time.
const LOOK: usize = 1_000;

/// One access log.
pub(super) struct AccessFile {
    pub(super) name: String,
    path: PathBuf,
    /// Its lines while it is open.
    pub(super) lines: Option<Lines<Source>>,
    is_over: bool,
    /// The time of its next line, or of the last one that had a time; `None` before any.
    pub(super) head: Option<i64>,
    /// Lines taken.
    pub(super) number: u64,
    bytes: u64,
    pub(super) nuls: u64,
    pub(super) span: Span,
    /// What of a container's file is read as the access log.
    wanted: Wanted,
}

/// All access logs.
pub(super) struct AccessFiles(pub(super) Vec<AccessFile>);

impl AccessFiles {
    /// Looks at every file: that it can be read, and when it begins. `output` is what of a container's file is
    /// read as the access log; `None`: all.
    pub(super) fn new(
        paths: &[PathBuf],
        reader: &Reader,
        output: Option<Output>,
        bar: &Rc<Bar>,
    ) -> Result<Self, ReplayError> {
        let is_alone = paths.len() == 1;
        let look = |path: &PathBuf| {
            let mut file = AccessFile::new(path, output);
            if is_alone || !input::is_regular(path) {
                file.open(reader, bar)?;
            }
            if !is_alone {
                file.look(reader)?;
            }
            Ok(file)
        };
        paths.iter().map(look).collect::<Result<_, _>>().map(Self)
    }

    /// NUL bytes that were skipped.
    pub(super) fn nuls(&self) -> u64 {
        self.0.iter().map(|file| file.nuls).sum()
    }

    /// The file with the earliest next line, and the time up to which it stays so.
    pub(super) fn next(&self) -> Option<(usize, Limit)> {
        let open = || self.0.iter().enumerate().filter(|(_, file)| !file.is_over);
        let (at, _) = open().min_by_key(|(_, file)| file.head)?;
        let others = open().filter(|(other, _)| *other != at);
        let limit = others.map(|(_, file)| file.head).min();
        Some((at, limit.map_or(Limit::None, Limit::Until)))
    }
}

/// How far a file may be read before it is another's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// To its end.
    None,
    /// Up to this time; `Until(None)`: another's time is not known yet.
    Until(Option<i64>),
}

impl Limit {
    /// Whether a line of this time is beyond.
    pub(super) fn is_passed_by(self, time: Option<i64>) -> bool {
        match self {
            Self::None => false,
            Self::Until(limit) => time > limit,
        }
    }
}

impl AccessFile {
    fn new(path: &Path, output: Option<Output>) -> Self {
        let wanted = Wanted {
            output,
            ..Wanted::default()
        };
        Self {
            wanted,
            name: name(path),
            path: path.to_owned(),
            lines: None,
            is_over: false,
            head: None,
            number: 0,
            bytes: 0,
            nuls: 0,
            span: Span::default(),
        }
    }

    /// No line is left.
    pub(super) fn end(&mut self) {
        self.is_over = true;
        if let Some(lines) = self.lines.take() {
            (self.bytes, self.nuls) = (lines.bytes, lines.nuls);
        }
    }

    /// Lines of a container's other output that could not be read as the error log: it can be read once only.
    pub(super) fn left_out(&self) -> u64 {
        match input::is_regular(&self.path) {
            true => 0,
            false => self.wanted.left_out.get(),
        }
    }

    /// What the report says of it.
    pub(super) fn report(&self) -> File {
        self.span
            .file(&self.name, "access", self.number, self.bytes)
    }

    /// Opens it, if it is not open yet.
    pub(super) fn open(&mut self, reader: &Reader, bar: &Rc<Bar>) -> Result<(), ReplayError> {
        if self.lines.is_none() {
            let source = input::open(&self.path, bar, self.wanted.clone());
            let source = source.map_err(|error| ReplayError::read(&self.name, error))?;
            self.lines = Some(Lines::new(source, reader.marked()));
        }
        Ok(())
    }

    /// Finds when it begins. What can be opened once only shows no more than its first line.
    fn look(&mut self, reader: &Reader) -> Result<(), ReplayError> {
        let failed = |error| ReplayError::read(&name(&self.path), error);
        self.head = match &mut self.lines {
            Some(lines) => first_time(lines, reader, 1).map_err(failed)?,
            None => {
                let wanted = Wanted {
                    output: self.wanted.output,
                    ..Wanted::default()
                };
                let source = input::open_for_a_look(&self.path, wanted).map_err(failed)?;
                first_time(&mut Lines::new(source, b'\n'), reader, LOOK).map_err(failed)?
            }
        };
        Ok(())
    }
}

/// The first time in so many lines; the last of them is not taken.
fn first_time(
    lines: &mut Lines<Source>,
    reader: &Reader,
    most: usize,
) -> std::io::Result<Option<i64>> {
    for left in (0..most).rev() {
        let Some(line) = lines.peek()? else {
            return Ok(None);
        };
        let record = line.text().and_then(|line| reader.parse(line)).ok();
        let time = record.and_then(|record| record.ended);
        if time.is_some() || left == 0 {
            return Ok(time.map(|time| time.unix_ms));
        }
        lines.take();
    }
    Ok(None)
}
