//! Follows the files of one log source: opens, reads, lets go. One synchronous pass per call.
//!
//! Owns descriptors, positions and listing. What a state means is judged in [`crate::tail::follow`]; what a
//! line means is the caller's. Positions live in memory: a restart begins at [`Start`].

mod files;
mod found;
mod open;

use std::path::PathBuf;
use std::time::Instant;

use files::{LISTED_MAX, list, look};
use found::lost;
pub use found::{Found, Start};
use open::{Open, open};

use crate::tail::checkpoint::{Checkpoint, Position};
use crate::tail::follow::{self, Identity, Observed, Remembered, Step};
use crate::tail::{LossCause, RotationKind};

/// Most bytes that one pass reads of one file, so that no file starves the others or the process.
pub const READ_MAX: usize = 4 * 1024 * 1024;

/// Most files that are held open under their path.
pub const FILES_MAX: usize = 256;

/// Most rotated files that are held open until they are quiet.
pub const ROTATED_MAX: usize = 8;

/// One read; large enough that the system call costs little per line.
const CHUNK: usize = 64 * 1024;

/// The files of one log source.
#[derive(Debug)]
pub struct Follower {
    written: Vec<String>,
    patterns: Vec<Pattern>,
    start: Start,
    is_first: bool,
    resumed: Vec<Position>,
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
            written: patterns.clone(),
            patterns: patterns.into_iter().map(pattern).collect(),
            start,
            is_first: true,
            resumed: Vec::new(),
            open: Vec::new(),
            done: Vec::new(),
            buffer: vec![0; CHUNK],
        }
    }

    /// Goes on where another follower was left: files that it knew at their offset, files that appeared since
    /// at their beginning, and files that only new patterns match at `start`.
    pub fn resume(patterns: Vec<String>, start: Start, checkpoint: Checkpoint) -> Self {
        let mut follower = Self::new(patterns, start);
        if follower.written == checkpoint.patterns {
            follower.start = Start::Beginning;
        }
        follower.resumed = checkpoint.files;
        follower
    }

    /// Where the files stand: just after the lines that the passes so far have handed out.
    pub fn checkpoint(&self) -> Checkpoint {
        let open = self.open.iter().map(|file| Position {
            id: file.at.id,
            offset: file.settled(),
        });
        let done = self.done.iter().map(|done| Position {
            id: done.at.id,
            offset: done.at.offset,
        });
        Checkpoint {
            patterns: self.written.clone(),
            files: open
                .chain(done)
                .chain(self.resumed.iter().cloned())
                .collect(),
        }
    }

    /// One pass: judges what became of each file, opens new ones, reads each up to [`READ_MAX`], lets go of
    /// rotated ones. Says whether more is waiting to be read; then poll again at once.
    pub fn poll(&mut self, now: Instant, on: &mut impl FnMut(Found<'_>)) -> bool {
        for left in std::mem::take(&mut self.resumed) {
            self.remember(left.id, left.offset, now);
        }
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
