//! One open file: judged, read, let go.
//!
//! Owns the descriptor and the place in the file. Does not know which files there are.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::time::Instant;

use super::READ_MAX;
use super::files::{is_absent, last_line_start, observe};
use super::found::{Found, lost};
use crate::tail::LossCause;
use crate::tail::follow::{self, Identity, Remembered, Step};
use crate::tail::lines::Lines;

/// A file that is held open.
#[derive(Debug)]
pub(super) struct Open {
    file: File,
    pub(super) path: PathBuf,
    pub(super) at: Remembered,
    size: u64,
    lines: Lines,
    /// When a file that its path no longer leads to last gave bytes.
    pub(super) rotated: Option<Instant>,
}

impl Open {
    pub(super) fn unread(&self) -> u64 {
        self.size.saturating_sub(self.at.offset)
    }

    /// Just after the last line that was handed out.
    pub(super) fn settled(&self) -> u64 {
        self.at.offset.saturating_sub(self.lines.pending())
    }

    /// Judges what its path leads to now.
    pub(super) fn inspect(&mut self, now: Instant, on: &mut impl FnMut(Found<'_>)) {
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
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        now: Instant,
        on: &mut impl FnMut(Found<'_>),
    ) -> bool {
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
            let settled = self.settled();
            self.at.offset += bytes.len() as u64;
            left = left.saturating_sub(bytes.len());
            self.rotated = self.rotated.map(|_| now);
            on(Found::File(&self.path));
            self.lines.feed(bytes, &mut |piece| on(piece.into()));
            on(Found::Bytes(self.settled().saturating_sub(settled)));
        }
        self.size = self
            .file
            .metadata()
            .map_or(0, |meta| meta.len())
            .max(self.at.offset);
        self.unread() > 0
    }

    /// Gives the unterminated tail as a line, or counts what stays unread; says up to where it is settled.
    pub(super) fn let_go(&mut self, on: &mut impl FnMut(Found<'_>)) -> u64 {
        on(Found::File(&self.path));
        match self.unread() {
            0 => self.lines.finish(&mut |piece| on(piece.into())),
            unread => lost(LossCause::RotatedLimit, unread + self.lines.pending(), on),
        }
        self.size.max(self.at.offset)
    }
}

/// Opens a file at `at`; without that, at its beginning or `from_end`. `None` if it is not the file `id`.
pub(super) fn open(
    path: PathBuf,
    id: Identity,
    at: Option<u64>,
    from_end: bool,
) -> io::Result<Option<Open>> {
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
