//! What tells whether anybody asks more about a request: most are ordinary, and their lines are read no further.
//!
//! It does not know which those are.

use super::{Record, Stamp};

/// A request as far as that tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sketch<'a> {
    /// `GET`, `POST`, …, where it stands beside the path.
    pub method: Option<&'a [u8]>,
    /// The path, without the query.
    pub path: Option<&'a [u8]>,
    /// The status that the client got.
    pub status: Option<u16>,
    /// It carries a session, or opens one.
    pub has_session: bool,
    /// The upstream, as written: several, if it was retried.
    pub upstream: Option<&'a [u8]>,
    /// More than one upstream was tried.
    pub retried: bool,
    /// Of a 502, 503 or 504: whether the last upstream had sent its headers.
    pub upstream_headers: Option<bool>,
    /// The `User-Agent` header.
    pub user_agent: Option<&'a [u8]>,
    /// When it ended.
    pub ended: Option<Stamp>,
}

impl Sketch<'_> {
    /// Whether it failed, by the upstream's own word or without it.
    pub(super) fn is_failure(&self) -> bool {
        matches!(self.status, Some(502..=504))
    }

    /// Whether the proxy answered with an error of its own, as far as the line tells: no upstream did.
    pub(super) fn is_unanswered(&self) -> bool {
        self.is_failure() && self.upstream_headers != Some(true)
    }
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
