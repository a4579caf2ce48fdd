//! Which nginx variable fills which field of a record, and how its value is read.
//!
//! Variables that are not listed here are skipped. Names and meanings: nginx's manual, "Alphabetical
//! index of variables". It does not know where a value ends in the line.

use super::Step;
use crate::access_log::target::{read_query, read_request, read_target};
use crate::access_log::value;
use crate::access_log::{Record, UnparsedKind};

/// A variable that fills a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variable {
    /// `$time_local`.
    TimeLocal,
    /// `$time_iso8601`.
    TimeIso,
    /// `$msec`: the most exact, but without a zone.
    Msec,
    /// `$request`: method, path and protocol.
    Request,
    /// `$request_method`.
    Method,
    /// `$request_uri`: path and query as the client wrote them.
    RequestUri,
    /// `$uri`: the path after rewrites.
    Uri,
    /// `$args`.
    Args,
    /// `$status`.
    Status,
    /// `$request_completion`.
    Completion,
    /// `$request_time`.
    Duration,
    /// `$upstream_addr`.
    Upstream,
    /// `$upstream_header_time`.
    UpstreamHeaderTime,
    /// `$connection`.
    Connection,
    /// `$http_mcp_session_id`.
    SessionSent,
    /// `$upstream_http_mcp_session_id` or `$sent_http_mcp_session_id`.
    SessionMinted,
    /// `$arg_session_id`; nginx's `$arg_` names ignore case, so `$arg_sessionid` is `sessionId`.
    SessionQuery,
    /// `$http_mcp_method`.
    McpMethod,
    /// `$http_user_agent`.
    UserAgent,
    /// `$sent_http_content_type`.
    ContentType,
    /// Any other.
    Other,
}

impl Variable {
    /// The variable of this name, without its `$`. nginx lowers the case of names.
    pub(super) fn named(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "time_local" => Self::TimeLocal,
            "time_iso8601" => Self::TimeIso,
            "msec" => Self::Msec,
            "request" => Self::Request,
            "request_method" => Self::Method,
            "request_uri" => Self::RequestUri,
            "uri" | "document_uri" => Self::Uri,
            "args" | "query_string" => Self::Args,
            "status" => Self::Status,
            "request_completion" => Self::Completion,
            "request_time" => Self::Duration,
            "upstream_addr" => Self::Upstream,
            "upstream_header_time" => Self::UpstreamHeaderTime,
            "connection" => Self::Connection,
            "http_mcp_session_id" => Self::SessionSent,
            "upstream_http_mcp_session_id" | "sent_http_mcp_session_id" => Self::SessionMinted,
            "arg_session_id" | "arg_sessionid" => Self::SessionQuery,
            "http_mcp_method" => Self::McpMethod,
            "http_user_agent" => Self::UserAgent,
            "sent_http_content_type" | "upstream_http_content_type" => Self::ContentType,
            _ => Self::Other,
        }
    }

    /// Whether it tells when the request ended.
    pub(super) fn is_time(self) -> bool {
        matches!(self, Self::TimeLocal | Self::TimeIso | Self::Msec)
    }

    /// Reads a value into its field.
    pub(super) fn read<'a>(
        self,
        raw: &'a [u8],
        record: &mut Record<'a>,
    ) -> Result<(), UnparsedKind> {
        match self {
            Self::Other => {}
            Self::Completion => record.completed = Some(raw == b"OK"),
            Self::UpstreamHeaderTime => record.upstream_headers = Some(headers_came(raw)),
            _ => {
                if let Some(raw) = value::present(raw) {
                    self.read_present(raw, record)?;
                }
            }
        }
        Ok(())
    }

    fn read_present<'a>(self, raw: &'a [u8], record: &mut Record<'a>) -> Result<(), UnparsedKind> {
        match self {
            Self::TimeLocal | Self::TimeIso | Self::Msec => self.read_time(raw, record)?,
            Self::Request => read_request(raw, record),
            Self::Method => record.method = Some(raw),
            Self::RequestUri => read_target(raw, record),
            Self::Uri => record.path = Some(raw),
            Self::Args => read_query(raw, record),
            Self::Status => {
                let status = value::integer(raw).and_then(|status| u16::try_from(status).ok());
                record.status = Some(status.ok_or(UnparsedKind::Number)?);
            }
            Self::Duration => {
                record.duration = Some(value::seconds(raw).ok_or(UnparsedKind::Number)?);
            }
            Self::Connection => {
                record.connection = Some(value::integer(raw).ok_or(UnparsedKind::Number)?);
            }
            Self::Upstream => {
                let (last, retried) = last_of_list(raw);
                (record.upstream, record.retried) = (value::present(last), retried);
                record.tried = if retried { tried_in_vain(raw) } else { None };
            }
            Self::SessionSent => record.session_sent = Some(raw),
            Self::SessionMinted => record.session_minted = Some(raw),
            Self::SessionQuery => record.session_query = Some(raw),
            Self::McpMethod => record.mcp_method = Some(raw),
            Self::UserAgent => record.user_agent = Some(raw),
            Self::ContentType => record.content_type = Some(raw),
            Self::Completion | Self::UpstreamHeaderTime | Self::Other => {}
        }
        Ok(())
    }

    /// Takes the most exact moment, and the zone from wherever it is written.
    fn read_time(self, raw: &[u8], record: &mut Record<'_>) -> Result<(), UnparsedKind> {
        let (stamp, exact) = match self {
            Self::TimeLocal => (value::common(raw), false),
            Self::TimeIso => (value::iso8601(raw), false),
            _ => (value::unix_ms(raw).map(value::without_zone), true),
        };
        let stamp = stamp.ok_or(UnparsedKind::Number)?;
        let ended = record.ended.get_or_insert(stamp);
        ended.utc_offset = ended.utc_offset.or(stamp.utc_offset);
        if exact {
            ended.unix_ms = stamp.unix_ms;
        }
        Ok(())
    }
}

/// Drops work whose result another variable gives better: of several that fill one field, the last
/// one read would win, whichever it is.
pub(super) fn leave_out_redundant(steps: &mut [Step]) {
    let has = |steps: &[Step], wanted| steps.iter().any(|step| step.variable == wanted);
    let whole = has(steps, Variable::Request);
    let parts = has(steps, Variable::Method) && has(steps, Variable::RequestUri);
    for step in steps {
        match step.variable {
            Variable::Request if parts => step.variable = Variable::Other,
            Variable::Uri | Variable::Args if parts || whole => step.variable = Variable::Other,
            Variable::Method | Variable::RequestUri if whole && !parts => {
                step.variable = Variable::Other;
            }
            _ => {}
        }
    }
}

/// The last of a list of upstreams' values, and whether there were several. nginx separates tries by
/// `, ` and internal redirects by ` : ` (manual, `$upstream_addr`).
fn last_of_list(raw: &[u8]) -> (&[u8], bool) {
    let Some(space) = memchr::memrchr(b' ', raw) else {
        return (raw, false);
    };
    (raw.get(space + 1..).unwrap_or_default(), true)
}

/// The upstreams before the last one, as written, since the last internal redirect: those before that
/// answered, with the redirect.
fn tried_in_vain(raw: &[u8]) -> Option<&[u8]> {
    let group = memchr::memmem::rfind(raw, b" : ").map_or(0, |at| at + 3);
    let group = raw.get(group..)?;
    group.get(..memchr::memmem::rfind(group, b", ")?)
}

/// Whether the last upstream's headers came: a time stands where they did.
fn headers_came(raw: &[u8]) -> bool {
    value::present(last_of_list(raw).0).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_give_their_last_upstream() {
        for (raw, last, several) in [
            ("10.0.0.1:80", "10.0.0.1:80", false),
            ("10.0.0.1:80, 10.0.0.2:80", "10.0.0.2:80", true),
            ("10.0.0.1:80 : [::1]:80", "[::1]:80", true),
            ("pool", "pool", false),
        ] {
            assert_eq!(last_of_list(raw.as_bytes()), (last.as_bytes(), several));
        }
        for (raw, before) in [
            ("a:1", None),
            ("a:1, b:1", Some("a:1")),
            ("a:1, b:1, c:1", Some("a:1, b:1")),
            ("a:1 : b:1", None),
            ("a:1, b:1 : c:1, d:1", Some("c:1")),
        ] {
            assert_eq!(
                tried_in_vain(raw.as_bytes()),
                before.map(str::as_bytes),
                "{raw}"
            );
        }
        assert!(headers_came(b"-, 0.001"));
        assert!(!headers_came(b"0.001, -"));
        assert!(!headers_came(b""));
    }
}
