//! What reading a proxy's logs gives: the values that are counted and shown.
//!
//! It does not know who counts. Nothing in here names a session, a path or a client.

use serde::{Deserialize, Serialize};

use std::time::Duration;

use super::{Record, UnparsedKind};
use crate::affinity::Verdict;
use crate::label::label;
use crate::reason::Reason;

/// Something to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A stream ended, or was refused.
    StreamClosed(Closed),
    /// A request carried a session, or opened one. What looks like a miss is `Unknown` at first, and
    /// comes again as `Moved` when a later line shows that it was one: the later verdict stands.
    Session {
        /// The number of its access line, from 1, in the order of reading.
        line: u64,
        /// Whether it reached the session's owner.
        verdict: Verdict,
        /// A keyed hash of the id; the key is this process's own.
        session: u64,
        /// The verdict may come again, for the same line.
        waits: bool,
    },
    /// A session was opened.
    SessionOpened,
    /// A session was deleted by its client.
    SessionDeleted,
    /// A request carried a session, and was answered 404 or 400: whoever got it did not know the id.
    SessionUnknown,
    /// A line was not understood.
    Unparsed(UnparsedKind),
    /// The join's table was full: the oldest stream was decided without the error log, or the
    /// oldest entry was dropped.
    JoinEvicted,
    /// The table of sessions was full: the one idle longest was forgotten.
    SessionsEvicted,
}

/// The end of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// The number of its access line, from 1, in the order of reading.
    pub line: u64,
    /// Why it ended.
    pub reason: Reason,
    /// Its age at the end, where logged.
    pub duration: Option<Duration>,
    /// The upstream's address as the proxy writes it, where one was reached and is logged.
    pub upstream: Option<Box<str>>,
}

impl Closed {
    /// The end of a stream, as far as its line tells it.
    pub(super) fn of(line: u64, record: &Record<'_>) -> Self {
        let address = record.upstream_address();
        Self {
            line,
            reason: record.verdict.unwrap_or(Reason::Unknown),
            duration: record.duration,
            upstream: address.map(|raw| String::from_utf8_lossy(raw).into()),
        }
    }

    /// The same end, now that its reason is known.
    pub(super) fn because(self, reason: Reason) -> Event {
        Event::StreamClosed(Self { reason, ..self })
    }
}

label! {
    /// What an access line is.
    pub enum LineKind {
        /// A stream: its end is, or will be, an [`Event::StreamClosed`].
        Stream => "stream",
        /// Any other request.
        Request => "request",
        /// A request of Holter's own.
        Ignored => "ignored",
        /// Not understood.
        Unparsed => "unparsed",
    }
}
