//! Which directive fills which field of a record, and how its value is read.
//!
//! Directives that are not listed here are skipped. Names and meanings: Apache's manual,
//! `mod_log_config`, "Custom Log Formats". It does not know where a value ends in the line.

use std::time::Duration;

use super::time::{Moment, Part};
use crate::access_log::target::{read_query, read_request, read_target};
use crate::access_log::value;
use crate::access_log::{ClientConnection, Record, UnparsedKind};

/// A directive that fills a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// `%t` and its relatives: a part of a moment.
    Time(Part),
    /// `%r`: method, target and protocol.
    Request,
    /// `%m`.
    Method,
    /// `%U`: the path.
    Path,
    /// `%q`: the query with its `?`, or nothing.
    Query,
    /// `%U%q`.
    Target,
    /// `%>s`, or `%s`: that of the request before an internal redirect.
    Status { of_last: bool },
    /// `%D`, `%T` and `%{…}T`.
    Duration(Unit),
    /// `%h`, `%a` and `%{c}a`.
    Client,
    /// `%{remote}p`.
    ClientPort,
    /// `%X`.
    ClientConnection,
    /// `%L`.
    ErrorId,
    /// `%{BALANCER_WORKER_NAME}e`: the upstream's URL.
    Upstream,
    /// `%{Mcp-Session-Id}i`.
    SessionSent,
    /// `%{Mcp-Session-Id}o`.
    SessionMinted,
    /// `%{User-Agent}i`.
    UserAgent,
    /// `%{Content-Type}o`.
    ContentType,
    /// `%{Mcp-Method}i`.
    McpMethod,
    /// Any other.
    Other,
}

/// What a duration counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
}

impl Item {
    /// The item of a directive.
    pub(super) fn of(name: &str, argument: Option<&str>) -> Self {
        match (name, argument) {
            ("t", argument) => Self::Time(Part::of(argument)),
            ("r", _) => Self::Request,
            ("m", _) => Self::Method,
            ("U", _) => Self::Path,
            ("q", _) => Self::Query,
            (">s", _) => Self::Status { of_last: true },
            ("s", _) => Self::Status { of_last: false },
            ("D", _) | ("T", Some("us")) => Self::Duration(Unit::Microseconds),
            ("T", Some("ms")) => Self::Duration(Unit::Milliseconds),
            ("T", _) => Self::Duration(Unit::Seconds),
            ("h" | "a", _) => Self::Client,
            ("p", Some("remote")) => Self::ClientPort,
            ("X", _) => Self::ClientConnection,
            ("L", None) => Self::ErrorId,
            ("e", Some("BALANCER_WORKER_NAME")) => Self::Upstream,
            ("i" | "o", Some(header)) => Self::header(name, header),
            _ => Self::Other,
        }
    }

    fn header(name: &str, header: &str) -> Self {
        match (name, header.to_ascii_lowercase().as_str()) {
            ("i", "mcp-session-id") => Self::SessionSent,
            ("o", "mcp-session-id") => Self::SessionMinted,
            ("i", "user-agent") => Self::UserAgent,
            ("o", "content-type") => Self::ContentType,
            ("i", "mcp-method") => Self::McpMethod,
            _ => Self::Other,
        }
    }

    /// How many bytes every value of this directive has, where that is certain.
    pub(super) fn width(&self) -> Option<usize> {
        match self {
            Self::Time(part) => part.width(),
            Self::ClientConnection => Some(1),
            _ => None,
        }
    }

    /// Reads a value into its field.
    pub(super) fn read<'a>(
        &self,
        raw: &'a [u8],
        record: &mut Record<'a>,
        moment: &mut Moment,
    ) -> Result<(), UnparsedKind> {
        if matches!(self, Self::ErrorId) {
            record.error_id = Some(raw);
        }
        // `%X` writes `-` for a connection that is closed: no other value is absent in this way.
        if matches!(self, Self::ClientConnection) {
            record.client_connection = client_connection(raw);
            record.completed = match record.client_connection {
                Some(ClientConnection::Aborted) => Some(false),
                Some(ClientConnection::Kept) => Some(true),
                Some(ClientConnection::Closed) | None => None,
            };
        }
        match value::present(raw) {
            Some(raw) => self.read_present(raw, record, moment),
            None => Ok(()),
        }
    }

    fn read_present<'a>(
        &self,
        raw: &'a [u8],
        record: &mut Record<'a>,
        moment: &mut Moment,
    ) -> Result<(), UnparsedKind> {
        match self {
            Self::Time(part) => part.read(raw, moment).ok_or(UnparsedKind::Number)?,
            Self::Request => read_request(raw, record),
            Self::Method => record.method = Some(raw),
            Self::Path => record.path = Some(raw),
            Self::Query => read_query(raw.strip_prefix(b"?").unwrap_or(raw), record),
            Self::Target => read_target(raw, record),
            Self::Status { of_last } => {
                let status = number(raw)?;
                if *of_last || record.status.is_none() {
                    record.status = Some(status);
                }
            }
            Self::Duration(unit) => {
                let count = value::integer(raw).ok_or(UnparsedKind::Number)?;
                // Of one duration in several units, the whole seconds say least.
                if *unit != Unit::Seconds || record.duration.is_none() {
                    record.duration = Some(unit.duration(count));
                }
            }
            Self::ClientPort => record.client_port = Some(number(raw)?),
            Self::Client => record.client = Some(raw),
            Self::Upstream => record.upstream = value::present(address(raw)),
            Self::SessionSent => record.session_sent = Some(raw),
            Self::SessionMinted => record.session_minted = Some(raw),
            Self::UserAgent => record.user_agent = Some(raw),
            Self::ContentType => record.content_type = Some(raw),
            Self::McpMethod => record.mcp_method = Some(raw),
            Self::ClientConnection | Self::ErrorId | Self::Other => {}
        }
        Ok(())
    }
}

impl Unit {
    fn duration(self, count: u64) -> Duration {
        match self {
            Self::Seconds => Duration::from_secs(count),
            Self::Milliseconds => Duration::from_millis(count),
            Self::Microseconds => Duration::from_micros(count),
        }
    }
}

fn number(raw: &[u8]) -> Result<u16, UnparsedKind> {
    let number = value::integer(raw).and_then(|number| u16::try_from(number).ok());
    number.ok_or(UnparsedKind::Number)
}

/// Manual, `%X`: "X = Connection aborted before the response completed. + = Connection may be kept
/// alive after the response is sent. - = Connection will be closed after the response is sent."
fn client_connection(raw: &[u8]) -> Option<ClientConnection> {
    match raw {
        b"X" => Some(ClientConnection::Aborted),
        b"+" => Some(ClientConnection::Kept),
        b"-" => Some(ClientConnection::Closed),
        _ => None,
    }
}

/// `address:port` of `http://address:port/path`.
pub(crate) fn address(url: &[u8]) -> &[u8] {
    let start = memchr::memmem::find(url, b"://").map_or(0, |at| at + 3);
    let rest = url.get(start..).unwrap_or_default();
    rest.split(|byte| *byte == b'/').next().unwrap_or_default()
}
