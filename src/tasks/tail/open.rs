//! One open file: read, checked after each read, let go.
//!
//! Owns the descriptor and the place in the file. Does not know which files there are.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use memchr::memrchr;

use super::found::{Found, Place, lost};
use super::listing::Sight;
use super::observe::observe;
use crate::tail::checkpoint::Position;
use crate::tail::follow::{self, Beside, Identity};
use crate::tail::lines::{LINE_MAX, Lines};
use crate::tail::print::{ANCHOR_MAX, Anchor, HEAD_MAX, Print, Trace};
use crate::tail::still::Still;
use crate::tail::{FileError, LossCause};

/// A file that is held open.
#[derive(Debug)]
pub(super) struct Open {
    file: File,
    /// The log that it belongs to, by the path that a pattern names.
    pub(super) base: Arc<Path>,
    pub(super) id: Identity,
    pub(super) role: Role,
    /// Where it stood when a listing showed it.
    pub(super) path: PathBuf,
    /// Whether the last listing showed it.
    pub(super) is_listed: bool,
    /// Since when it has no name any more.
    gone: Option<Instant>,
    still: Still,
    /// Whether it stands as it was when all of it was read.
    pub(super) is_still: bool,
    /// Whether it can only be read on through its path (`ESTALE`).
    pub(super) is_stale: bool,
    seen: u64,
    /// Up to where it was read before it was left: to read that once more is no sign of life.
    known: u64,
    lines: Lines,
    trace: Trace,
}

/// How a file stands to its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The log's path leads to it.
    Live,
    /// It was rotated away, and last gave bytes at this time.
    Rotated(Instant),
    /// The same, and it is a copy of what was truncated: its last line may go on elsewhere.
    Copy(Instant),
}

/// What came of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// All that there is.
    End,
    /// A part: more waits.
    More,
    /// The file does not hold any more what was read of it.
    Truncated,
}

impl Open {
    /// Begins a file at `offset`. `None` if the path leads to another file by now.
    pub(super) fn begin(sight: &Sight, offset: u64, role: Role) -> io::Result<Option<Self>> {
        let Some(file) = open(sight)? else {
            return Ok(None);
        };
        let head = read_before(&file, offset.min(HEAD_MAX as u64), HEAD_MAX)?;
        let tail = read_before(&file, offset, ANCHOR_MAX)?;
        Ok(Some(Self::new(
            file,
            sight,
            Trace::begin(offset, head, &tail),
            role,
        )))
    }

    /// Begins a file at the start of its last line if that is unterminated, else at its end.
    pub(super) fn begin_at_end(sight: &Sight, role: Role) -> io::Result<Option<Self>> {
        let Some(file) = open(sight)? else {
            return Ok(None);
        };
        let offset = last_line_start(&file, sight.observed.size)?;
        drop(file);
        Self::begin(sight, offset, role)
    }

    fn new(file: File, sight: &Sight, trace: Trace, role: Role) -> Self {
        Self {
            file,
            base: Arc::clone(&sight.base),
            id: sight.observed.id,
            role,
            path: sight.path.clone(),
            is_listed: true,
            gone: None,
            still: Still::default(),
            is_still: false,
            is_stale: false,
            seen: sight.observed.size.max(trace.at()),
            known: trace.at(),
            lines: Lines::default(),
            trace,
        }
    }

    /// Takes over the places that were remembered of it before.
    pub(super) fn recall(&mut self, position: &Position) {
        self.trace.recall(&position.anchors);
        self.seen = self.seen.max(position.seen);
        self.known = position.read();
    }

    /// When it last gave bytes; of a live file, now.
    pub(super) fn last(&self, now: Instant) -> Instant {
        match self.role {
            Role::Live => now,
            Role::Rotated(last) | Role::Copy(last) => last,
        }
    }

    /// Bytes that were read of an unfinished line.
    pub(super) fn pending(&self) -> u64 {
        self.trace.at().saturating_sub(self.trace.settled())
    }

    pub(super) fn is_live(&self) -> bool {
        self.role == Role::Live
    }

    pub(super) fn unread(&self) -> u64 {
        self.seen.saturating_sub(self.trace.at())
    }

    /// Takes what a listing shows of it, if it does.
    pub(super) fn look(&mut self, sight: Option<&Sight>, now: Instant) {
        if let Some(sight) = sight {
            self.path.clone_from(&sight.path);
        }
        let is_still = |sight: &Sight| self.still.look(sight.observed, now);
        self.is_still = sight.is_some_and(is_still);
        let has_name = self.is_listed || self.links() > 0;
        self.gone = (!has_name).then(|| self.gone.unwrap_or(now));
    }

    /// Whether a rotated file is to be let go: nothing came for long, or nothing leads to it for longer and it takes
    /// up the disk, whoever writes to it.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let is_quiet = match self.role {
            Role::Live => return false,
            Role::Rotated(last) | Role::Copy(last) => follow::is_quiet(last, now),
        };
        let is_held_for_long =
            (self.gone).is_some_and(|since| follow::is_held_for_long(since, now));
        (is_quiet && self.unread() == 0) || is_held_for_long
    }

    /// Whether it is held open for nothing but what may still come, which shows on disk too.
    pub(super) fn is_in_the_way(&self) -> bool {
        !self.is_live() && self.is_listed && self.unread() == 0
    }

    /// Bytes that were seen and gave no line yet.
    fn unsettled(&self) -> u64 {
        self.seen.saturating_sub(self.trace.settled())
    }

    /// How many names it still has.
    pub(super) fn links(&self) -> u64 {
        self.file.metadata().map_or(0, |meta| meta.nlink())
    }

    /// Where the next line begins.
    fn place(&self) -> Place<'_> {
        Place {
            path: &self.base,
            id: self.id,
            from: self.trace.settled(),
        }
    }

    /// Where it stands, as it can be kept.
    pub(super) fn position(&self) -> Position {
        let path = self.base.to_string_lossy().into_owned();
        let is_copy = matches!(self.role, Role::Copy(_));
        let mut position = self.trace.position(self.id, path, self.seen, is_copy);
        position.is_live = self.is_live();
        let stood = self.path.to_string_lossy();
        position.stood = (stood != *position.path).then(|| stood.into_owned());
        if is_copy {
            // It is not copied in turn: only its last place counts.
            position.anchors = position.anchors.pop().into_iter().collect();
        }
        position
    }

    /// Whether it still holds what was read of it. Where that cannot be told, it counts as intact: the next
    /// look tells.
    pub(super) fn is_intact(&mut self) -> bool {
        let Ok(meta) = self.file.metadata() else {
            return true;
        };
        let tail_stands = self.trace.tail().is_empty()
            || read_before(&self.file, self.trace.at(), self.trace.tail().len())
                .is_ok_and(|tail| tail == self.trace.tail());
        // A file that nothing was read of can only have become shorter.
        let shrank = self.trace.at() == 0 && meta.len() < self.seen;
        let is_intact = follow::is_intact(self.trace.at(), meta.len(), tail_stands) && !shrank;
        if is_intact {
            self.seen = meta.len();
        }
        is_intact
    }

    /// A pass over the file begins here.
    pub(super) fn begin_pass(&mut self) {
        self.trace.begin_pass();
    }

    /// Reads about so many bytes. A chunk counts only if the file is found intact after it was read.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        mut left: usize,
        now: Instant,
        on: &mut impl FnMut(Found<'_>),
    ) -> Read {
        while left > 0 {
            let read = match self.file.read_at(buffer, self.trace.at()) {
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.is_stale = FileError::of(&error) == FileError::Stale;
                    let path = &self.path;
                    on(Found::Failed {
                        path,
                        error: &error,
                    });
                    return Read::End;
                }
            };
            if !self.is_intact() {
                return Read::Truncated;
            }
            let bytes = buffer.get(..read).unwrap_or(&[]);
            if bytes.is_empty() {
                self.still.read(now);
                return Read::End;
            }
            left = left.saturating_sub(read);
            self.take(bytes, on);
            if self.trace.at() <= self.known {
                continue;
            }
            if let Role::Rotated(last) | Role::Copy(last) = &mut self.role {
                *last = now;
            }
        }
        if self.unread() > 0 {
            Read::More
        } else {
            Read::End
        }
    }

    fn take(&mut self, bytes: &[u8], on: &mut impl FnMut(Found<'_>)) {
        on(Found::File(self.place()));
        self.lines.feed(bytes, &mut |piece| on(piece.into()));
        let settled = self.trace.settled();
        self.trace.advance(bytes, self.lines.pending());
        self.seen = self.seen.max(self.trace.at());
        on(Found::Bytes(self.trace.settled().saturating_sub(settled)));
    }

    /// Begins at the file's first byte again: its content is new.
    pub(super) fn restart(&mut self) {
        self.lines = Lines::default();
        self.trace = Trace::begin(0, Vec::new(), &[]);
        self.known = 0;
        self.seen = 0;
        self.still = Still::default();
        self.is_still = false;
    }

    /// The file is read out for good: an unterminated tail counts as a line, but at the end of a copy, where it
    /// is half of one.
    pub(super) fn finish(&mut self, on: &mut impl FnMut(Found<'_>)) {
        let unsettled = self.pending();
        on(Found::File(self.place()));
        match self.role {
            Role::Copy(_) => self.lines.cut(&mut |piece| on(piece.into())),
            Role::Live | Role::Rotated(_) => self.lines.finish(&mut |piece| on(piece.into())),
        }
        self.trace.settle_all();
        on(Found::Bytes(unsettled));
    }

    /// Lets go of a file that is not read out and that nothing leads to any more.
    pub(super) fn abandon(&mut self, cause: LossCause, on: &mut impl FnMut(Found<'_>)) {
        lost(cause, self.unsettled(), on);
        self.seen = self.trace.settled();
    }

    /// Whether a file begins as this one does, and ends as this one does there.
    pub(super) fn has_in_common(&self, file: &File, size: u64) -> bool {
        let own = self.file.metadata().map_or(0, |meta| meta.len());
        size > 0 && size <= own && have_in_common(&self.file, file, size)
    }

    /// The same for a file whose bytes went by.
    pub(super) fn begins_with(&self, head: &[u8], all: &Trace) -> bool {
        let is_it = |end, length: usize, bytes: &[u8]| {
            read_before(&self.file, end, length).is_ok_and(|own| own == bytes)
        };
        let tail = all.tail();
        is_it(head.len() as u64, head.len(), head) && is_it(all.at(), tail.len(), tail)
    }

    /// Compares a file with this one's content as it is now.
    pub(super) fn beside(&mut self, file: &File, size: u64) -> Beside {
        let begins_alike = self.has_in_common(file, size);
        match (self.is_intact(), begins_alike) {
            (false, _) => Beside::Unclear,
            (true, true) => Beside::Beginning,
            (true, false) => Beside::Other,
        }
    }
}

/// Opens what a listing showed, if it stands there still.
pub(super) fn open(sight: &Sight) -> io::Result<Option<File>> {
    let file = File::open(&sight.path)?;
    let id = observe(&file.metadata()?).id;
    Ok((id == sight.observed.id).then_some(file))
}

/// Whether a file holds what `position` remembers up to this anchor.
pub(super) fn proves(file: &File, position: &Position, anchor: Option<Anchor>) -> bool {
    let Some(anchor) = anchor else {
        return false;
    };
    let is_as_long = file
        .metadata()
        .is_ok_and(|meta| meta.len() >= anchor.offset);
    let length = usize::try_from(anchor.print.length).unwrap_or(0);
    let before = read_before(file, anchor.offset, length);
    if !is_as_long || !before.is_ok_and(|bytes| Print::of(&bytes) == anchor.print) {
        return false;
    }
    let head = position.head;
    // A copy that ends within the head has only the anchor to show.
    head.length > anchor.offset || {
        let length = usize::try_from(head.length).unwrap_or(0);
        read_before(file, head.length, length).is_ok_and(|bytes| Print::of(&bytes) == head)
    }
}

/// Whether two files have the same first and last bytes up to `size`.
fn have_in_common(one: &File, other: &File, size: u64) -> bool {
    let same = |end: u64, length: usize| {
        let (one, other) = (
            read_before(one, end, length),
            read_before(other, end, length),
        );
        matches!((one, other), (Ok(one), Ok(other)) if one == other)
    };
    same(size.min(HEAD_MAX as u64), HEAD_MAX) && same(size, ANCHOR_MAX)
}

/// At most `length` bytes that end at `end`.
fn read_before(file: &File, end: u64, length: usize) -> io::Result<Vec<u8>> {
    let length = end.min(length as u64);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut bytes, end - length)?;
    Ok(bytes)
}

/// The place after the last newline: a line that is being written ends later and counts whole.
fn last_line_start(file: &File, size: u64) -> io::Result<u64> {
    let tail = read_before(file, size, LINE_MAX + 1)?;
    let from = size - tail.len() as u64;
    Ok(memrchr(b'\n', &tail).map_or(from, |i| from + i as u64 + 1))
}
