//! One line of a proxy's access log as a [`Record`], and what follows from records: which were
//! streams, why they ended, whether a session stayed on its replica.
//!
//! One file or folder a proxy, one variant of [`Format`] each. It does not know where lines come
//! from (files, syslog, a test), what time it is, or what is done with the [`event::Event`]s.

use std::time::Duration;

use crate::label::label;
use crate::reason::Reason;

mod envelope;
pub mod envoy;
pub mod event;
mod format_error;
pub mod haproxy;
pub mod join;
mod json;
pub mod nginx;
pub mod reader;
pub mod reason;
pub mod streams;
mod target;
mod template;
mod value;

pub use format_error::FormatError;
pub use template::TemplateError;
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

label! {
    /// Whose log it is.
    pub enum Kind {
        /// nginx, ingress-nginx and their relatives.
        Nginx => "nginx",
        /// HAProxy.
        HaProxy => "haproxy",
        /// Envoy, and Istio's proxies.
        Envoy => "envoy",
    }
}

impl Kind {
    /// The format that this proxy writes where its configuration says nothing.
    pub fn default_format(self) -> &'static str {
        match self {
            Self::Nginx => "combined",
            Self::HaProxy => "httplog",
            Self::Envoy => "default",
        }
    }
}

/// A compiled access-log format, one variant a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// nginx, ingress-nginx and their relatives.
    Nginx(nginx::Format),
    /// HAProxy, in any `log-format`.
    HaProxy(haproxy::Format),
    /// Envoy, in any text or JSON format.
    Envoy(envoy::Format),
}

impl Format {
    /// Compiles a preset's name or the proxy's own format string.
    ///
    /// # Errors
    /// What is wrong with the text, and what was expected.
    pub fn compile(kind: Kind, text: &str) -> Result<Self, FormatError> {
        Ok(match kind {
            Kind::Nginx => Self::Nginx(nginx::Format::compile(text)?),
            Kind::HaProxy => Self::HaProxy(haproxy::Format::compile(text)?),
            Kind::Envoy => Self::Envoy(envoy::Format::compile(text)?),
        })
    }

    /// Reads one line, without its line end.
    ///
    /// # Errors
    /// The kind of damage, to be counted.
    pub fn parse<'a>(&self, line: &'a [u8]) -> Result<Record<'a>, UnparsedKind> {
        match self {
            Self::Nginx(format) => format.parse(line),
            Self::HaProxy(format) => format.parse(line),
            Self::Envoy(format) => format.parse(line),
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
            Self::HaProxy(format) => format.limits(),
            Self::Envoy(format) => format.limits(),
        }
    }
}

/// What one line says, borrowed from it. `None`: not logged, or logged as absent (`-`, empty).
/// Values are as written: where a backslash stands in one, [`unescape`] gives what was meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// Not a request: a message of the proxy's own among its access lines.
    pub no_request: bool,
    /// Why the stream ended, if it was one, as the line alone tells; `None` where a join decides.
    pub verdict: Option<Reason>,
    /// When the request began, where that is logged.
    pub started: Option<Stamp>,
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
    /// The last upstream tried, as written: an address (nginx: a group's name where none was live), or
    /// `backend/server` where HAProxy logs no address.
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
    /// The last upstream tried, if it is one: a group's name (no upstream was live) is none. Proxies
    /// whose lines decide alone write a server's name or address, and no group's.
    pub fn upstream_address(&self) -> Option<&'a [u8]> {
        let is_one = |upstream: &&[u8]| self.verdict.is_some() || upstream.contains(&b':');
        self.upstream.filter(is_one)
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
