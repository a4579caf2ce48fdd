//! What tells whether anybody asks more about a request: most are ordinary, and their lines are read no further.
//!
//! It does not know which those are.

use super::{Record, Stamp};

/// A request as far as that tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sketch<'a> {
    /// The path, without the query.
    pub path: Option<&'a [u8]>,
    /// The status that the client got.
    pub status: Option<u16>,
    /// It carries a session, or opens one.
    pub has_session: bool,
    /// More than one upstream was tried.
    pub retried: bool,
    /// The `User-Agent` header.
    pub user_agent: Option<&'a [u8]>,
    /// When it ended.
    pub ended: Option<Stamp>,
}

/// A line as far as it was read. It is filled where it stands: to move it would take as long as the rest of an
/// ordinary line takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// Of an ordinary request there is nothing else; where there is a record it may be empty.
    pub sketch: Sketch<'a>,
    /// All that the line tells.
    pub record: Option<Record<'a>>,
}
