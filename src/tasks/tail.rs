//! Follows the files of one log source: opens, reads, lets go. One synchronous pass per call.
//!
//! Owns descriptors, positions and listing. What a state means is judged in [`crate::tail::follow`]; what a
//! line means is the caller's. Positions live in memory: a restart begins at [`Start`].

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::files::{LISTED_MAX, is_absent, last_line_start, list, look, observe};
use crate::tail::follow::{self, Identity, Observed, Remembered, Step};
use crate::tail::lines::{Lines, Piece};
use crate::tail::{LossCause, RotationKind};

/// Most bytes that one pass reads of one file, so that no file starves the others or the process.
pub const READ_MAX: usize = 4 * 1024 * 1024;

/// Most files that are held open under their path.
pub const FILES_MAX: usize = 256;

/// Most rotated files that are held open until they are quiet.
pub const ROTATED_MAX: usize = 8;

/// One read; large enough that the system call costs little per line.
const CHUNK: usize = 64 * 1024;

/// Where files that exist at the first pass begin. Files that appear later begin at their start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the start of their last line if that is unterminated, else at their end.
    End,
    /// At their beginning.
    Beginning,
}

/// What one pass found.
#[derive(Debug)]
pub enum Found<'a> {
    /// What follows was found at this path, until another is given.
    File(&'a Path),
    /// A line, without its newline.
    Line(&'a [u8]),
    /// So many bytes were read.
    Bytes(u64),
    /// A file was rotated away.
    Rotated(RotationKind),
    /// Bytes that give no line.
    Lost {
        /// Why.
        cause: LossCause,
        /// How many.
        bytes: u64,
    },
    /// A file that exists, or its folder, cannot be opened; tried and reported again at each pass.
    OpenFailed(ErrorKind),
    /// A file cannot be read; tried and reported again at each pass.
    ReadFailed(ErrorKind),
    /// More files match than are listed; the rest is not looked at.
    ListingCapped,
}

impl<'a> From<Piece<'a>> for Found<'a> {
    fn from(piece: Piece<'a>) -> Self {
        match piece {
            Piece::Line(line) => Self::Line(line),
            Piece::Lost { cause, bytes } => Self::Lost { cause, bytes },
        }
    }
}

/// The files of one log source.
#[derive(Debug)]
pub struct Follower {
    patterns: Vec<Pattern>,
    start: Start,
    is_first: bool,
    /// In the order of opening, so that older files of a rotation come first.
    open: Vec<Open>,
    done: Vec<Done>,
    buffer: Vec<u8>,
}

/// A path, or a pattern that is listed at each pass.
#[derive(Debug)]
enum Pattern {
    File(PathBuf),
    Glob(String),
}

/// A file that is held open.
#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    at: Remembered,
    size: u64,
    lines: Lines,
    /// When a file that its path no longer leads to last gave bytes.
    rotated: Option<Instant>,
}

/// A file that is not open, read up to `at`: it may still stand in a listing under another name.
#[derive(Debug)]
struct Done {
    at: Remembered,
    matched: Instant,
}

impl Follower {
    /// Follows `patterns`; touches no file before the first [`Self::poll`].
    pub fn new(patterns: Vec<String>, start: Start) -> Self {
        let pattern = |text: String| match glob::Pattern::escape(&text) == text {
            true => Pattern::File(text.into()),
            false => Pattern::Glob(text),
        };
        Self {
            patterns: patterns.into_iter().map(pattern).collect(),
            start,
            is_first: true,
            open: Vec::new(),
            done: Vec::new(),
            buffer: vec![0; CHUNK],
        }
    }

    /// One pass: judges what became of each file, opens new ones, reads each up to [`READ_MAX`], lets go of
    /// rotated ones. Says whether more is waiting to be read; then poll again at once.
    pub fn poll(&mut self, now: Instant, on: &mut impl FnMut(Found<'_>)) -> bool {
        for file in self.open.iter_mut().filter(|f| f.rotated.is_none()) {
            file.inspect(now, on);
        }
        for (path, is_listed) in self.listing(on) {
            self.consider(path, is_listed, now, on);
        }
        let is_waiting = self.read(now, on);
        self.retire(now, on);
        self.done
            .retain(|done| !follow::is_forgotten(done.matched, now));
        self.is_first = false;
        is_waiting
    }

    /// Bytes that are written and not read, as of the last pass.
    pub fn lag_bytes(&self) -> u64 {
        self.open.iter().map(Open::unread).sum()
    }

    /// The paths to look at, each with whether a listing found it.
    fn listing(&self, on: &mut impl FnMut(Found<'_>)) -> Vec<(PathBuf, bool)> {
        let mut paths = Vec::new();
        for pattern in &self.patterns {
            match pattern {
                Pattern::File(path) => paths.push((path.clone(), false)),
                Pattern::Glob(text) => list(text, &mut paths, on),
            }
        }
        if paths.len() > LISTED_MAX {
            on(Found::ListingCapped);
            paths.truncate(LISTED_MAX);
        }
        paths
    }

    /// Looks at one path and opens the file there unless it is known.
    fn consider(
        &mut self,
        path: PathBuf,
        is_listed: bool,
        now: Instant,
        on: &mut impl FnMut(Found<'_>),
    ) {
        let is_live = |f: &Open| f.rotated.is_none() && f.path.as_os_str() == path.as_os_str();
        if self.open.iter().any(is_live) {
            return;
        }
        let Some(observed) = look(&path, is_listed, on) else {
            return;
        };
        if self.open.iter().any(|f| f.at.id == observed.id) {
            return;
        }
        let known = self.done.iter().position(|d| d.at.id == observed.id);
        let at = match known.and_then(|i| self.done.get_mut(i)) {
            Some(done) => {
                done.matched = now;
                match resume(done.at, observed, on) {
                    Some(offset) => Some(offset),
                    None => return,
                }
            }
            None => None,
        };
        if let Some(i) = known {
            self.done.swap_remove(i);
        }
        self.begin(path, observed, at, now, on);
    }

    /// Opens a file at `at`, or where an unknown file begins. What cannot be opened is remembered.
    fn begin(
        &mut self,
        path: PathBuf,
        observed: Observed,
        at: Option<u64>,
        now: Instant,
        on: &mut impl FnMut(Found<'_>),
    ) {
        let from_end = at.is_none() && self.is_first && self.start == Start::End;
        let known = at.or(from_end.then_some(observed.size));
        if self.open.iter().filter(|f| f.rotated.is_none()).count() >= FILES_MAX {
            let bytes = observed.size.saturating_sub(known.unwrap_or(0));
            lost(LossCause::FileLimit, bytes, on);
            return self.remember(observed.id, observed.size, now);
        }
        match open(path, observed.id, at, from_end) {
            Ok(Some(file)) => self.open.push(file),
            // Another file came to stand there meanwhile: the next pass sees it.
            Ok(None) => {}
            Err(error) => {
                on(Found::OpenFailed(error.kind()));
                if let Some(offset) = known {
                    self.remember(observed.id, offset, now);
                }
            }
        }
    }

    /// Remembers a file that is not open; beyond [`LISTED_MAX`], the one that matched longest ago is forgotten.
    fn remember(&mut self, id: Identity, offset: u64, now: Instant) {
        if self.done.len() >= LISTED_MAX {
            let oldest = self.done.iter().enumerate().min_by_key(|(_, d)| d.matched);
            if let Some((i, _)) = oldest {
                self.done.swap_remove(i);
            }
        }
        self.done.push(Done {
            at: Remembered { id, offset },
            matched: now,
        });
    }

    /// Reads every file, rotated ones first: their lines are older.
    fn read(&mut self, now: Instant, on: &mut impl FnMut(Found<'_>)) -> bool {
        let mut is_waiting = false;
        for rotated in [true, false] {
            for file in self
                .open
                .iter_mut()
                .filter(|f| f.rotated.is_some() == rotated)
            {
                is_waiting |= file.read(&mut self.buffer, now, on);
            }
        }
        is_waiting
    }

    /// Lets go of rotated files that are quiet, then of the oldest beyond the bound.
    fn retire(&mut self, now: Instant, on: &mut impl FnMut(Found<'_>)) {
        let mut over = self.open.iter().filter(|f| f.rotated.is_some()).count();
        let mut i = 0;
        while let Some(file) = self.open.get(i) {
            let is_quiet =
                file.unread() == 0 && file.rotated.is_some_and(|last| follow::is_quiet(last, now));
            if is_quiet || (over > ROTATED_MAX && file.rotated.is_some()) {
                over -= 1;
                let mut file = self.open.remove(i);
                let offset = file.let_go(on);
                self.remember(file.at.id, offset, now);
            } else {
                i += 1;
            }
        }
    }
}

impl Open {
    fn unread(&self) -> u64 {
        self.size.saturating_sub(self.at.offset)
    }

    /// Judges what its path leads to now.
    fn inspect(&mut self, now: Instant, on: &mut impl FnMut(Found<'_>)) {
        let observed = match fs::metadata(&self.path) {
            Ok(meta) => Some(observe(&meta)),
            Err(error) if is_absent(&error) => None,
            // Unknown is not gone: keep the file, and look again.
            Err(error) => return on(Found::OpenFailed(error.kind())),
        };
        let step = follow::step(self.at, observed);
        let links = self.file.metadata().map_or(0, |meta| meta.nlink());
        if let Some(kind) = follow::rotation(step, links) {
            on(Found::Rotated(kind));
        }
        match step {
            Step::Same => {}
            Step::Grown(more) => self.size = self.at.offset + more,
            Step::Truncated => {
                self.lines.cut(&mut |piece| on(piece.into()));
                self.at.offset = 0;
                self.size = observed.map_or(0, |o| o.size);
            }
            Step::Replaced | Step::Gone => self.rotated = Some(now),
        }
    }

    /// Reads up to [`READ_MAX`]; says whether more is waiting.
    fn read(&mut self, buffer: &mut [u8], now: Instant, on: &mut impl FnMut(Found<'_>)) -> bool {
        let mut left = READ_MAX;
        while left > 0 {
            let bytes = match self.file.read_at(buffer, self.at.offset) {
                Ok(n) => buffer.get(..n).unwrap_or(&[]),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    on(Found::ReadFailed(error.kind()));
                    return false;
                }
            };
            if bytes.is_empty() {
                self.size = self.at.offset;
                return false;
            }
            self.at.offset += bytes.len() as u64;
            left = left.saturating_sub(bytes.len());
            self.rotated = self.rotated.map(|_| now);
            on(Found::File(&self.path));
            on(Found::Bytes(bytes.len() as u64));
            self.lines.feed(bytes, &mut |piece| on(piece.into()));
        }
        self.size = self
            .file
            .metadata()
            .map_or(0, |meta| meta.len())
            .max(self.at.offset);
        self.unread() > 0
    }

    /// Gives the unterminated tail as a line, or counts what stays unread; says up to where it is settled.
    fn let_go(&mut self, on: &mut impl FnMut(Found<'_>)) -> u64 {
        on(Found::File(&self.path));
        match self.unread() {
            0 => self.lines.finish(&mut |piece| on(piece.into())),
            unread => lost(LossCause::RotatedLimit, unread + self.lines.pending(), on),
        }
        self.size.max(self.at.offset)
    }
}

fn lost(cause: LossCause, bytes: u64, on: &mut impl FnMut(Found<'_>)) {
    if bytes > 0 {
        on(Found::Lost { cause, bytes });
    }
}

/// Where to go on in a file that was read before, if there is anything to read.
fn resume(at: Remembered, observed: Observed, on: &mut impl FnMut(Found<'_>)) -> Option<u64> {
    match follow::step(at, Some(observed)) {
        Step::Same | Step::Gone | Step::Replaced => None,
        Step::Grown(_) => Some(at.offset),
        Step::Truncated => {
            on(Found::Rotated(RotationKind::Truncate));
            Some(0)
        }
    }
}

/// Opens a file at `at`; without that, at its beginning or `from_end`. `None` if it is not the file `id`.
fn open(path: PathBuf, id: Identity, at: Option<u64>, from_end: bool) -> io::Result<Option<Open>> {
    let file = File::open(&path)?;
    let meta = file.metadata()?;
    let observed = observe(&meta);
    if observed.id != id {
        return Ok(None);
    }
    let offset = match at {
        Some(offset) => offset,
        None if from_end => last_line_start(&file, observed.size)?,
        None => 0,
    };
    Ok(Some(Open {
        file,
        path,
        at: Remembered { id, offset },
        size: observed.size,
        lines: Lines::default(),
        rotated: None,
    }))
}
