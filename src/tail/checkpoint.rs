//! Where the files of a source were left, as a value that can lie on disk and be taken up by another process.
//!
//! Holds paths, identities, sizes and hashes; no byte of the logs. Does not know how it is written or read.

use serde::{Deserialize, Serialize};

use super::follow::Identity;

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
}

/// Where one file was left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Which file.
    pub(crate) id: Identity,
    /// Just after the last line that was handed out.
    pub(crate) offset: u64,
}
