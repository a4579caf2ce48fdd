//! Where the files of a source were left, as a value that can lie on disk and be taken up by another process.
//!
//! Holds paths, identities, sizes and hashes; no byte of the logs. Does not know how it is written or read.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::follow::Identity;
use super::print::{ANCHOR_MAX, Anchor, Print};

/// Where the files of a source were left. Opaque: made by a follower, taken up by the next one.
///
/// Every offset stands just after the newline of the last line that was handed out, so that what was read of
/// an unterminated line is read again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The patterns that were followed: files that only others match were never looked at.
    pub(crate) patterns: Vec<String>,
    /// Every file that was known, open or read out.
    pub(crate) files: Vec<Position>,
    /// What files held that were truncated since; a copy of it may turn up.
    pub(crate) cuts: Vec<Position>,
    /// Copies that were being made.
    pub(crate) copies: Vec<Copying>,
    /// Folders and logs that could not be looked at yet.
    #[serde(default)]
    pub(crate) unseen: Vec<String>,
    /// Where lines begin of which only pieces were read, in the order of reading.
    #[serde(default)]
    pub(crate) open_lines: Vec<OpenLine>,
}

impl Checkpoint {
    /// Adds of these places, given in the order of reading, those in files that are known.
    #[must_use]
    pub fn with_open_lines(mut self, places: impl IntoIterator<Item = OpenLine>) -> Self {
        let is_known = |place: &OpenLine| self.files.iter().any(|file| file.id == place.id);
        let known: Vec<_> = places.into_iter().filter(is_known).collect();
        self.open_lines.extend(known);
        self
    }
}

/// A line that a container's runtime cut into pieces, of which the last has not come: where to read a file
/// again, up to where it was left, to have the pieces. None of them lies on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenLine {
    /// The log, as it was followed.
    pub path: String,
    /// The file in which the pieces stand; the pieces of one line may stand in several.
    pub id: Identity,
    /// The start of a line of that file, at the first piece or shortly before.
    pub from: u64,
}

/// A file that was seen to begin as another does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Copying {
    /// It.
    pub(crate) copy: Identity,
    /// The other.
    pub(crate) of: Identity,
    /// How many of the truncations in [`Checkpoint::cuts`] came before.
    pub(crate) cuts: u64,
}

/// Where one file was left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Which file.
    pub id: Identity,
    /// The path that it was followed under, for other files of the same log.
    pub path: String,
    /// Where it stood, if elsewhere: behind symlinks, or under the name that rotation gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stood: Option<String>,
    /// Of its first bytes.
    pub head: Print,
    /// Places in it, in their order; the last is where it was left.
    pub anchors: Vec<Anchor>,
    /// Up to where it was read, of an unfinished line too; 0 where that was not kept.
    #[serde(default)]
    pub read: u64,
    /// Its largest size that was seen.
    pub seen: u64,
    /// Whether the log's path led to it: its rotation is not counted yet.
    #[serde(default)]
    pub is_live: bool,
    /// Whether its places are those of the text that was compressed into it.
    #[serde(default)]
    pub is_text: bool,
    /// Whether it is a copy that was made before a truncation: its last line may go on elsewhere.
    pub is_copy: bool,
}

impl Position {
    /// A file that is passed over up to `offset`: nothing of its content is known.
    pub fn unread_at(id: Identity, path: &Path, offset: u64) -> Self {
        Self {
            id,
            path: path.to_string_lossy().into_owned(),
            stood: None,
            head: Print::of(&[]),
            anchors: vec![Anchor::after(offset, &[])],
            read: offset,
            seen: offset,
            is_live: false,
            is_text: false,
            is_copy: false,
        }
    }

    /// Where it was left: just after the last line that was handed out.
    pub fn offset(&self) -> u64 {
        self.anchors.last().map_or(0, |anchor| anchor.offset)
    }

    /// The place at which a file of this size has to show that it is a copy; none where nothing can.
    ///
    /// A copy that was made before a truncation may end where lines were read after it: an earlier place will
    /// do, if enough stands before it. A file that is gone was not truncated: its copy has all of it.
    pub fn proof(&self, size: u64) -> Option<Anchor> {
        let last = self.anchors.last()?;
        if last.offset <= size {
            return Some(*last).filter(|last| last.offset > 0);
        }
        let is_fit =
            |anchor: &&Anchor| anchor.offset <= size && anchor.print.length >= ANCHOR_MAX as u64;
        let mut places = self.anchors.iter().rev();
        places.find(is_fit).filter(|_| self.is_copy).copied()
    }

    /// Where it stood when it was seen last.
    pub fn stood(&self) -> &Path {
        Path::new(self.stood.as_ref().unwrap_or(&self.path))
    }

    /// Up to where it was read.
    pub fn read(&self) -> u64 {
        self.read.max(self.offset())
    }

    /// Bytes that were seen and not settled.
    pub fn unread(&self) -> u64 {
        self.seen.saturating_sub(self.offset())
    }
}
