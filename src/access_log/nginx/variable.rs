//! Which nginx variable fills which field of a record, and how its value is read.
//!
//! Variables that are not listed here are skipped. Names and meanings: nginx's manual, "Alphabetical
//! index of variables". It does not know where a value ends in the line.

use super::Step;
use crate::access_log::{Record, Stamp, UnparsedKind, search, value};

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
            "http_user_agent" => Self::UserAgent,
            "sent_http_content_type" | "upstream_http_content_type" => Self::ContentType,
            _ => Self::Other,
        }
    }

    /// Whether it tells when the request ended.
    pub(super) fn is_time(self) -> bool {
        matches!(self, Self::TimeLocal | Self::TimeIso | Self::Msec)
    }

    /// How many there are.
    const COUNT: usize = Self::Other as usize + 1;
}

/// A line cut into its variables' values, as they are written.
#[derive(Debug, Default)]
pub(super) struct Values<'a>([Option<&'a [u8]>; Variable::COUNT]);

impl<'a> Values<'a> {
    /// Takes a value; of several for one variable the last that says something wins.
    #[inline]
    pub(super) fn set(&mut self, variable: Variable, raw: &'a [u8]) {
        if let Some(value) = self.0.get_mut(variable as usize)
            && (value.is_none() || value::present(raw).is_some())
        {
            *value = Some(raw);
        }
    }

    /// What stands for a variable, if it is logged.
    #[inline]
    fn raw(&self, variable: Variable) -> Option<&'a [u8]> {
        self.0.get(variable as usize).copied().flatten()
    }

    /// The value of a variable, unless it is absent.
    #[inline]
    fn get(&self, variable: Variable) -> Option<&'a [u8]> {
        self.raw(variable).and_then(value::present)
    }

    /// A value that must be readable if it is there.
    #[inline]
    fn read<T>(
        &self,
        variable: Variable,
        read: impl FnOnce(&'a [u8]) -> Option<T>,
    ) -> Result<Option<T>, UnparsedKind> {
        match self.get(variable) {
            None => Ok(None),
            Some(raw) => read(raw).map(Some).ok_or(UnparsedKind::Number),
        }
    }

    /// Fills in the record but for its numbers and times: cheap, and enough to tell most requests
    /// from those that matter.
    #[inline]
    pub(super) fn sketch(&self, record: &mut Record<'a>) {
        record.method = self.get(Variable::Method);
        record.path = self.get(Variable::Uri);
        record.session_sent = self.get(Variable::SessionSent);
        record.session_minted = self.get(Variable::SessionMinted);
        record.session_query = self.get(Variable::SessionQuery);
        record.user_agent = self.get(Variable::UserAgent);
        self.target(record);
    }

    /// Adds what [`Values::sketch`] left out.
    ///
    /// # Errors
    /// [`UnparsedKind::Number`] where a number or a time is none.
    pub(super) fn complete(&self, record: &mut Record<'a>) -> Result<(), UnparsedKind> {
        record.ended = self.ended()?;
        record.duration = self.read(Variable::Duration, value::seconds)?;
        record.status = self.read(Variable::Status, status)?;
        record.connection = self.read(Variable::Connection, value::integer)?;
        record.completed = self.raw(Variable::Completion).map(|raw| raw == b"OK");
        record.upstream_headers = self.raw(Variable::UpstreamHeaderTime).map(headers_came);
        record.content_type = self.get(Variable::ContentType);
        if let Some(raw) = self.get(Variable::Upstream) {
            let (last, retried) = last_of_list(raw);
            (record.upstream, record.retried) = (value::present(last), retried);
        }
        Ok(())
    }

    /// Fills in the request's parts from whichever variables have them.
    #[inline]
    fn target(&self, record: &mut Record<'a>) {
        if let Some(raw) = self.get(Variable::Request) {
            read_request(raw, record);
        }
        if let Some(raw) = self.get(Variable::RequestUri) {
            read_target(raw, record);
        }
        if let Some(raw) = self.get(Variable::Args) {
            read_query(raw, record);
        }
    }

    /// The most exact moment, with the zone from wherever it is written.
    #[inline]
    fn ended(&self) -> Result<Option<Stamp>, UnparsedKind> {
        let local = self.read(Variable::TimeLocal, value::common)?;
        let iso = self.read(Variable::TimeIso, value::iso8601)?;
        let exact = self.read(Variable::Msec, value::unix_ms)?;
        let written = local.or(iso);
        Ok(match exact {
            Some(unix_ms) => Some(Stamp {
                utc_offset: written.and_then(|stamp| stamp.utc_offset),
                ..value::without_zone(unix_ms)
            }),
            None => written,
        })
    }
}

fn status(raw: &[u8]) -> Option<u16> {
    u16::try_from(value::integer(raw)?).ok()
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

/// `METHOD TARGET PROTOCOL`. A line that is none (a TLS greeting on a plain port) has no method.
fn read_request<'a>(raw: &'a [u8], record: &mut Record<'a>) {
    let words = search::split_once(b' ', raw)
        .and_then(|(method, rest)| Some((method, search::split_once(b' ', rest)?.0)));
    if let Some((method, target)) = words {
        record.method = Some(method);
        read_target(target, record);
    }
}

fn read_target<'a>(raw: &'a [u8], record: &mut Record<'a>) {
    let Some((path, query)) = search::split_once(b'?', raw) else {
        record.path = Some(raw);
        return;
    };
    record.path = Some(path);
    read_query(query, record);
}

fn read_query<'a>(raw: &'a [u8], record: &mut Record<'a>) {
    record.query = Some(raw);
    record.session_query = record.session_query.or_else(|| session_of(raw));
}

/// The parameter that legacy servers put the session in: `session_id` (Python SDK) or `sessionId`
/// (TypeScript and Java SDKs).
fn session_of(query: &[u8]) -> Option<&[u8]> {
    let mut pairs = query.split(|byte| *byte == b'&');
    let session = pairs.find_map(|pair| {
        (pair.strip_prefix(b"session_id=")).or_else(|| pair.strip_prefix(b"sessionId="))
    });
    session.and_then(value::present)
}

/// The last of a list of upstreams' values, and whether there were several. nginx separates tries by
/// `, ` and internal redirects by ` : ` (manual, `$upstream_addr`).
fn last_of_list(raw: &[u8]) -> (&[u8], bool) {
    let mut last = raw;
    while let Some((_, rest)) = search::split_once(b' ', last) {
        last = rest;
    }
    (last, last.len() < raw.len())
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
        assert!(headers_came(b"-, 0.001"));
        assert!(!headers_came(b"0.001, -"));
        assert!(!headers_came(b""));
    }

    #[test]
    fn the_session_is_found_in_the_query() {
        for (query, expected) in [
            ("session_id=a", Some("a")),
            ("x=1&sessionId=b&y=2", Some("b")),
            ("xsession_id=a", None),
            ("session_id=", None),
            ("", None),
        ] {
            let got = session_of(query.as_bytes());
            assert_eq!(got, expected.map(str::as_bytes), "{query}");
        }
    }
}
