//! What a pass over the files finds, as it is told to the caller.

use std::io;
use std::path::Path;

use crate::tail::follow::Identity;
use crate::tail::lines::Piece;
use crate::tail::{LossCause, RotationKind};

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
    /// What follows was found here, until another place is given.
    File(Place<'a>),
    /// A line, without its newline.
    Line(&'a [u8]),
    /// A line that was handed out before the follower was left, and is read again for a piece that it may hold of a line that
    /// goes on. It is counted already.
    Again(&'a [u8]),
    /// So many bytes were settled: lines, their newlines, and what was lost between them.
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
    /// A file that exists, or its folder, cannot be opened or read; tried and reported again at each pass.
    Failed {
        /// Which.
        path: &'a Path,
        /// Why.
        error: &'a io::Error,
    },
    /// More files match than are listed, and did not at the pass before; the rest is not looked at.
    ListingCapped,
}

/// Where lines were found.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The log, by the path that a pattern names.
    pub path: &'a Path,
    /// The file that was read for it.
    pub id: Identity,
    /// Where in the file the next line begins.
    pub from: u64,
}

impl<'a> From<Piece<'a>> for Found<'a> {
    fn from(piece: Piece<'a>) -> Self {
        match piece {
            Piece::Line(line) => Self::Line(line),
            Piece::Lost { cause, bytes } => Self::Lost { cause, bytes },
        }
    }
}

pub(super) fn lost(cause: LossCause, bytes: u64, on: &mut impl FnMut(Found<'_>)) {
    if bytes > 0 {
        on(Found::Lost { cause, bytes });
    }
}
