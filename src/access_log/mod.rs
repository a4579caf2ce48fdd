//! One line of a proxy's access log as a [`Record`], and what follows from records: which were
//! streams, why they ended, whether a session stayed on its replica.
//!
//! One file or folder a proxy, one variant of [`Format`] each. It does not know where lines come
//! from (files, syslog, a test), what time it is, or what is done with the [`event::Event`]s.

use serde::{Deserialize, Serialize};

use std::time::Duration;

use crate::label::label;
use crate::reason::Reason;

pub mod apache;
pub mod caddy;
mod envelope;
pub mod envoy;
pub mod event;
pub mod fit;
mod format_error;
pub mod haproxy;
pub(crate) mod held;
mod joiner;
mod json;
mod key;
mod keyed;
pub mod nginx;
pub mod reader;
pub mod rules;
mod search;
mod sketch;
mod stamp;
pub mod streams;
mod target;
mod template;
mod times;
pub mod traefik;
mod value;
pub mod wrapping;

pub use format_error::FormatError;
pub use sketch::{Parsed, Sketch};
pub use stamp::{Stamp, Written};
pub use template::TemplateError;
use times::Times;
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
        /// Apache httpd.
        Apache => "apache",
        /// Caddy.
        Caddy => "caddy",
        /// Traefik.
        Traefik => "traefik",
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
            Self::Nginx | Self::Apache => "combined",
            Self::Caddy => "json",
            Self::Traefik => "common",
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
    /// Apache httpd, in any `LogFormat`.
    Apache(apache::Format),
    /// Caddy's JSON.
    Caddy(caddy::Format),
    /// Traefik's common log format or JSON.
    Traefik(traefik::Format),
    /// HAProxy, in any `log-format`.
    HaProxy(haproxy::Format),
    /// Envoy, in any text or JSON format.
    Envoy(envoy::Format),
    /// An application's own log.
    Rules(rules::Rules),
}

impl Format {
    /// Compiles a preset's name or the proxy's own format string.
    ///
    /// # Errors
    /// What is wrong with the text, and what was expected.
    pub fn compile(kind: Kind, text: &str) -> Result<Self, FormatError> {
        Ok(match kind {
            Kind::Nginx => Self::Nginx(nginx::Format::compile(text)?),
            Kind::Apache => Self::Apache(apache::Format::compile(text)?),
            Kind::Caddy => Self::Caddy(caddy::Format::compile(text)?),
            Kind::Traefik => Self::Traefik(traefik::Format::compile(text)?),
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
            Self::Apache(format) => format.parse(line),
            Self::Caddy(format) => format.parse(line),
            Self::Traefik(format) => format.parse(line),
            Self::HaProxy(format) => format.parse(line),
            Self::Envoy(format) => format.parse(line),
            Self::Rules(rules) => Ok(rules.parse(line)),
        }
    }

    /// When a line of this proxy's second log (error, runtime) was written; `None` if it does not say.
    pub fn written(&self, line: &[u8]) -> Option<Written> {
        match self {
            Self::Nginx(_) => {
                let line = nginx::error::parse(line).ok()?;
                Some(Written::Local(line.at.saturating_mul(1000)))
            }
            Self::Apache(_) => {
                let line = apache::error::parse(line).ok()?;
                Some(Written::Local(line.at_us.div_euclid(1000)))
            }
            Self::Caddy(_) => {
                let line = caddy::runtime::parse(line).ok()?;
                Some(Written::Utc(line.at_us.div_euclid(1000)))
            }
            Self::Traefik(_) => None,
            // Every line of these stands in one log.
            Self::HaProxy(_) | Self::Envoy(_) | Self::Rules(_) => None,
        }
    }

    /// Whether this proxy says more about a stream's end in a second log.
    pub fn has_second_log(&self) -> bool {
        match self {
            Self::Nginx(_) | Self::Apache(_) | Self::Caddy(_) => true,
            Self::Traefik(_) | Self::HaProxy(_) | Self::Envoy(_) | Self::Rules(_) => false,
        }
    }

    /// Whether a line itself tells which of its two logs it is of: Caddy's default logger writes both to its
    /// standard error.
    pub fn tells_its_logs_apart(&self) -> bool {
        matches!(self, Self::Caddy(_))
    }

    /// Whether its lines can be joined with that log.
    pub fn joins(&self) -> bool {
        match self {
            Self::Nginx(format) => !format.missing().contains(&nginx::Missing::Connection),
            _ => self.has_second_log(),
        }
    }

    /// Reads one line as [`Format::parse`] does, into what is empty before; no more than its sketch where nobody asks
    /// more about such a request. `times` is the reader's memory of the line before.
    ///
    /// # Errors
    /// The kind of damage, to be counted. What is not read need not be any.
    #[inline]
    pub(crate) fn read<'a>(
        &self,
        line: &'a [u8],
        parsed: &mut Parsed<'a>,
        times: &mut Times,
        is_asked: impl Fn(&Sketch<'a>) -> bool,
    ) -> Result<(), UnparsedKind> {
        if let Self::Nginx(format) = self {
            return format.read(line, parsed, times, is_asked);
        }
        parsed.record = Some(self.parse(line)?);
        Ok(())
    }

    /// Whether its lines may tell which upstream a request was sent to.
    pub(crate) fn has_upstream(&self) -> bool {
        match self {
            Self::Nginx(format) => format.has_upstream(),
            _ => true,
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
            Self::Apache(format) => format.limits(),
            Self::Caddy(format) => format.limits(),
            Self::Traefik(format) => format.limits(),
            Self::HaProxy(format) => format.limits(),
            Self::Envoy(format) => format.limits(),
            Self::Rules(_) => Vec::new(),
        }
    }
}

/// What a format cannot show that logs neither what a POST asks for nor what it is answered with: the
/// streams of MCP 2026-07-28, and those of Streamable HTTP that answer a call.
const POST_STREAMS: &str =
    "not all streams that a POST opens are seen, unless streams.methods names POST";

/// What is wrong with a line that does not have the format's shape.
#[cold]
fn damage(line: &[u8]) -> UnparsedKind {
    if line.is_empty() {
        UnparsedKind::Empty
    } else if memchr::memchr(0, line).is_some() {
        UnparsedKind::Binary
    } else {
        UnparsedKind::Format
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
    /// The same in microseconds since 1970-01-01 UTC, where logged so exactly.
    pub ended_us: Option<i64>,
    /// How long it took, from its first byte to the end of the answer.
    pub duration: Option<Duration>,
    /// How long the answer went on after its headers.
    pub after_headers: Option<Duration>,
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
    /// The upstreams tried before in vain, divided by `, `, where they are logged.
    pub tried: Option<&'a [u8]>,
    /// Whether the last upstream had sent its headers.
    pub upstream_headers: Option<bool>,
    /// Whether the last upstream accepted the connection.
    pub upstream_connected: Option<bool>,
    /// The proxy's number for the client's connection.
    pub connection: Option<u64>,
    /// The client's address.
    pub client: Option<&'a [u8]>,
    /// The client's port.
    pub client_port: Option<u16>,
    /// What became of the client's connection (Apache: `%X`).
    pub client_connection: Option<ClientConnection>,
    /// The id that the proxy's error log has for the request; `-` where nothing was logged there
    /// (Apache: `%L`).
    pub error_id: Option<&'a [u8]>,
    /// The session id in the request's header.
    pub session_sent: Option<&'a [u8]>,
    /// The session id in the answer's header.
    pub session_minted: Option<&'a [u8]>,
    /// The session id in the query: HTTP+SSE of 2024-11-05.
    pub session_query: Option<&'a [u8]>,
    /// The `User-Agent` header.
    pub user_agent: Option<&'a [u8]>,
    /// The `Mcp-Method` header: what a POST asks for (MCP 2026-07-28).
    pub mcp_method: Option<&'a [u8]>,
    /// What an application's own line says of a stream.
    pub told: Option<rules::Told>,
    /// The answer's `Content-Type`.
    pub content_type: Option<&'a [u8]>,
}

impl<'a> Record<'a> {
    /// Whether it carries a session, or opens one.
    pub fn has_session(&self) -> bool {
        let ids = [self.session_sent, self.session_minted, self.session_query];
        ids.iter().any(Option::is_some)
    }

    /// Whether the proxy answered with an error of its own, as far as the line tells: no upstream did.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.status, Some(502..=504)) && self.upstream_headers != Some(true)
    }

    /// The last upstream tried, if it is one: a group's name (no upstream was live) is none. Proxies
    /// whose lines decide alone write a server's name or address, and no group's.
    pub fn upstream_address(&self) -> Option<&'a [u8]> {
        let is_one = |upstream: &&[u8]| self.verdict.is_some() || upstream.contains(&b':');
        self.upstream.filter(is_one)
    }
}

/// What became of the client's connection at the end of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientConnection {
    /// It broke before the answer was complete.
    Aborted,
    /// The answer was complete, and the connection serves further requests.
    Kept,
    /// It is closed behind the answer, complete or not.
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_logs_say_when_their_lines_were_written() {
        let ms = 1_795_168_851_000;
        for (kind, line, expected) in [
            (
                Kind::Nginx,
                "2026/11/20 10:00:51 [error] 7#7: x",
                Some(Written::Local(ms)),
            ),
            (
                Kind::Apache,
                "[Fri Nov 20 10:00:51.781066 2026] [x:error] x",
                Some(Written::Local(ms + 781)),
            ),
            (
                Kind::Caddy,
                r#"{"level":"info","ts":1795168851.5,"msg":"x"}"#,
                Some(Written::Utc(ms + 500)),
            ),
            (Kind::Traefik, "x", None),
            (Kind::Apache, "x", None),
        ] {
            let format = Format::compile(kind, kind.default_format()).unwrap();
            assert_eq!(format.written(line.as_bytes()), expected, "{line}");
        }
    }
}
