//! One line of a proxy's access log as a [`Record`], and what follows from records: which were
//! streams, why they ended, whether a session stayed on its replica.
//!
//! One file or folder a proxy, one variant of [`Format`] each. It does not know where lines come
//! from (files, syslog, a test), what time it is, or what is done with the [`event::Event`]s.

use std::time::Duration;

use crate::label::label;

pub mod event;
pub mod join;
pub mod nginx;
pub mod reader;
pub mod reason;
mod search;
pub mod streams;
mod value;

pub use value::unescape;

/// Longest line that is parsed, in bytes. nginx's own request line is limited to 8 KiB by default
/// (`large_client_header_buffers`), so a longer line is damage or an attack.
pub const MAX_LINE: usize = 64 * 1024;

label! {
    /// Why a line was not understood.
    pub enum UnparsedKind {
        /// Nothing on the line.
        Empty => "empty",
        /// Longer than [`MAX_LINE`].
        TooLong => "too_long",
        /// NUL bytes: a hole that a truncated or torn write left.
        Binary => "binary",
        /// Not the shape that the format describes.
        Format => "format",
        /// The shape fits, but a number or a time is none.
        Number => "number",
    }
}

/// A compiled access-log format, one variant a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// nginx, ingress-nginx and their relatives.
    Nginx(nginx::Format),
}

impl Format {
    /// Reads one line, without its line end.
    ///
    /// # Errors
    /// The kind of damage, to be counted.
    pub fn parse<'a>(&self, line: &'a [u8]) -> Result<Record<'a>, UnparsedKind> {
        match self {
            Self::Nginx(format) => format.parse(line),
        }
    }

    /// Reads one line as [`Format::parse`] does, but where `wanted` turns the record down on its texts
    /// alone, numbers and times may be left out, and need not be any: most lines are ordinary
    /// requests, and of those nothing more is asked.
    ///
    /// # Errors
    /// The kind of damage, to be counted.
    #[inline]
    pub fn parse_if<'a>(
        &self,
        line: &'a [u8],
        wanted: impl FnOnce(&Record<'a>) -> bool,
    ) -> Result<Record<'a>, UnparsedKind> {
        match self {
            Self::Nginx(format) => format.parse_if(line, wanted),
        }
    }

    /// What this format cannot tell, and what to add to it: one sentence each.
    pub fn limits(&self) -> Vec<String> {
        match self {
            Self::Nginx(format) => format
                .missing()
                .iter()
                .map(|missing| {
                    format!("{} is not logged: {}", missing.variable(), missing.effect())
                })
                .collect(),
        }
    }
}

/// What one line says, borrowed from it. `None`: not logged, or logged as absent (`-`, empty).
/// Values are as written: where a backslash stands in one, [`unescape`] gives what was meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// When the request ended.
    pub ended: Option<Stamp>,
    /// How long it took, from its first byte to the end of the answer.
    pub duration: Option<Duration>,
    /// `GET`, `POST`, …
    pub method: Option<&'a [u8]>,
    /// The path, without the query.
    pub path: Option<&'a [u8]>,
    /// What follows the `?`.
    pub query: Option<&'a [u8]>,
    /// The status that the client got, or would have got (nginx: 499).
    pub status: Option<u16>,
    /// Whether the proxy itself holds the answer for complete (nginx: `$request_completion`).
    pub completed: Option<bool>,
    /// The last upstream tried, as written: an address, or a group's name where none was live.
    pub upstream: Option<&'a [u8]>,
    /// More than one upstream was tried.
    pub retried: bool,
    /// Whether the last upstream had sent its headers.
    pub upstream_headers: Option<bool>,
    /// The proxy's number for the client's connection.
    pub connection: Option<u64>,
    /// The session id in the request's header.
    pub session_sent: Option<&'a [u8]>,
    /// The session id in the answer's header.
    pub session_minted: Option<&'a [u8]>,
    /// The session id in the query: HTTP+SSE of 2024-11-05.
    pub session_query: Option<&'a [u8]>,
    /// The `User-Agent` header.
    pub user_agent: Option<&'a [u8]>,
    /// The answer's `Content-Type`.
    pub content_type: Option<&'a [u8]>,
}

impl<'a> Record<'a> {
    /// Whether it carries a session, or opens one.
    pub fn has_session(&self) -> bool {
        let ids = [self.session_sent, self.session_minted, self.session_query];
        ids.iter().any(Option::is_some)
    }

    /// The last upstream tried, if it is an address: a group's name (no upstream was live) is none.
    pub fn upstream_address(&self) -> Option<&'a [u8]> {
        self.upstream.filter(|upstream| upstream.contains(&b':'))
    }
}

/// A moment as a log wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Milliseconds since 1970-01-01 UTC.
    pub unix_ms: i64,
    /// Seconds east of UTC, where written: naive local times beside it can be aligned.
    pub utc_offset: Option<i32>,
}
