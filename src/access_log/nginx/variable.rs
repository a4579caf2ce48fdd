//! Which nginx variable fills which field of a record, and how its value is read.
//!
//! Variables that are not listed here are skipped. Names and meanings: nginx's manual, "Alphabetical
//! index of variables". It does not know where a value ends in the line.

use std::time::Duration;

use super::cut::Step;
use super::sketch::Moment;
use crate::access_log::search;
use crate::access_log::target::{read_query, read_request, read_target};
use crate::access_log::times::Times;
use crate::access_log::{Record, UnparsedKind, value};

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
    /// `$upstream_connect_time`.
    UpstreamConnectTime,
    /// `$upstream_response_time`.
    UpstreamResponseTime,
    /// `$remote_addr`.
    Client,
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

/// The names, without their `$`.
pub(super) const NAMES: [(&str, Variable); 28] = [
    ("time_local", Variable::TimeLocal),
    ("time_iso8601", Variable::TimeIso),
    ("msec", Variable::Msec),
    ("request", Variable::Request),
    ("request_method", Variable::Method),
    ("request_uri", Variable::RequestUri),
    ("uri", Variable::Uri),
    ("document_uri", Variable::Uri),
    ("args", Variable::Args),
    ("query_string", Variable::Args),
    ("status", Variable::Status),
    ("request_completion", Variable::Completion),
    ("request_time", Variable::Duration),
    ("upstream_addr", Variable::Upstream),
    ("upstream_header_time", Variable::UpstreamHeaderTime),
    ("upstream_connect_time", Variable::UpstreamConnectTime),
    ("upstream_response_time", Variable::UpstreamResponseTime),
    ("remote_addr", Variable::Client),
    ("connection", Variable::Connection),
    ("http_mcp_session_id", Variable::SessionSent),
    ("upstream_http_mcp_session_id", Variable::SessionMinted),
    ("sent_http_mcp_session_id", Variable::SessionMinted),
    ("arg_session_id", Variable::SessionQuery),
    ("arg_sessionid", Variable::SessionQuery),
    ("http_mcp_method", Variable::McpMethod),
    ("http_user_agent", Variable::UserAgent),
    ("sent_http_content_type", Variable::ContentType),
    ("upstream_http_content_type", Variable::ContentType),
];

impl Variable {
    /// The variable of this name, without its `$`. nginx lowers the case of names.
    pub(super) fn named(name: &str) -> Self {
        let is = |(known, _): &&(&str, Self)| known.eq_ignore_ascii_case(name);
        NAMES
            .iter()
            .find(is)
            .map_or(Self::Other, |(_, found)| *found)
    }

    /// Whether it tells when the request ended.
    pub(super) fn is_time(self) -> bool {
        matches!(self, Self::TimeLocal | Self::TimeIso | Self::Msec)
    }

    /// Those that tell what a request was, and when.
    pub(super) const SKETCH: [Self; 13] = [
        Self::TimeLocal,
        Self::TimeIso,
        Self::Msec,
        // What the client wrote counts, where both are there: the last one does.
        Self::Uri,
        Self::Request,
        Self::RequestUri,
        Self::Args,
        Self::Status,
        Self::Upstream,
        Self::SessionSent,
        Self::SessionMinted,
        Self::SessionQuery,
        Self::UserAgent,
    ];

    /// Whether it tells what a request was, or when.
    pub(super) fn is_sketch(self) -> bool {
        Self::SKETCH.contains(&self)
    }

    /// How many there are, without [`Variable::Other`].
    const COUNT: usize = Self::Other as usize;
}

/// A line cut into its variables' values, as they are written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Values<'a>([Option<&'a [u8]>; Variable::COUNT]);

impl<'a> Values<'a> {
    /// Takes a value, unless it is another's; of several for one variable the last that says something wins.
    #[inline]
    pub(super) fn set(&mut self, variable: Variable, raw: &'a [u8]) {
        if let Some(value) = self.0.get_mut(variable as usize)
            && (value.is_none() || value::present(raw).is_some())
        {
            *value = Some(raw);
        }
    }

    /// What takes each value that is found.
    pub(super) fn taker(&mut self) -> impl FnMut(Variable, &'a [u8]) -> Option<()> {
        |variable, raw| {
            self.set(variable, raw);
            Some(())
        }
    }

    /// What stands for a variable, if it is logged.
    #[inline]
    pub(super) fn raw(&self, variable: Variable) -> Option<&'a [u8]> {
        self.0.get(variable as usize).copied().flatten()
    }

    /// The value of a variable, unless it is absent.
    #[inline]
    pub(super) fn get(&self, variable: Variable) -> Option<&'a [u8]> {
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

    /// What became of the request at its upstreams.
    #[inline]
    fn upstream(&self, record: &mut Record<'a>) {
        record.completed = self.raw(Variable::Completion).map(|raw| raw == b"OK");
        record.upstream_headers = self.raw(Variable::UpstreamHeaderTime).map(has_time);
        record.upstream_connected = self.raw(Variable::UpstreamConnectTime).map(has_time);
        if let Some(raw) = self.get(Variable::Upstream) {
            let (last, retried) = last_of_list(raw);
            (record.upstream, record.retried) = (value::present(last), retried);
            record.tried = if retried { tried_in_vain(raw) } else { None };
        }
    }

    /// Fills an empty record.
    ///
    /// # Errors
    /// [`UnparsedKind::Number`] where a number or a time is none.
    pub(super) fn fill(
        &self,
        record: &mut Record<'a>,
        times: &mut Times,
    ) -> Result<(), UnparsedKind> {
        record.method = self.get(Variable::Method);
        record.path = self.get(Variable::Uri);
        record.session_sent = self.get(Variable::SessionSent);
        record.session_minted = self.get(Variable::SessionMinted);
        record.session_query = self.get(Variable::SessionQuery);
        record.user_agent = self.get(Variable::UserAgent);
        record.mcp_method = self.get(Variable::McpMethod);
        record.content_type = self.get(Variable::ContentType);
        record.client = self.get(Variable::Client);
        record.status = self.read(Variable::Status, status)?;
        record.duration = self.read(Variable::Duration, value::seconds)?;
        record.connection = self.read(Variable::Connection, value::integer)?;
        record.ended = self.moment().stamp(times)?;
        record.after_headers = self.after_headers();
        self.target(record);
        self.upstream(record);
        Ok(())
    }

    fn moment(&self) -> Moment<'a> {
        Moment {
            msec: self.get(Variable::Msec),
            local: self.get(Variable::TimeLocal),
            iso: self.get(Variable::TimeIso),
        }
    }

    /// How long the last upstream's answer went on after its headers: what of it came later than they did.
    /// (To the end of the request is another time: a client may take long to read what was buffered.)
    fn after_headers(&self) -> Option<Duration> {
        let last = |variable| {
            let (last, _) = last_of_list(self.raw(variable)?);
            value::seconds(value::present(last)?)
        };
        let whole = last(Variable::UpstreamResponseTime)?;
        whole.checked_sub(last(Variable::UpstreamHeaderTime)?)
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
        if let Some(raw) = self.get(Variable::Args)
            && record.query.is_none()
        {
            read_query(raw, record);
        }
    }
}

/// `$status`: three digits.
#[inline(always)]
pub(super) fn status(raw: &[u8]) -> Option<u16> {
    let digit = |byte: u8| u16::from(byte.wrapping_sub(b'0'));
    match *raw {
        [a, b, c] if [a, b, c].iter().all(u8::is_ascii_digit) => {
            Some(digit(a) * 100 + digit(b) * 10 + digit(c))
        }
        _ => u16::try_from(value::integer(raw)?).ok(),
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
    match search::contains(b' ', raw) {
        false => (raw, false),
        true => {
            let last = raw.rsplit(|byte| *byte == b' ').next();
            (last.unwrap_or_default(), true)
        }
    }
}

/// The upstreams before the last one, as written, since the last internal redirect: those before that
/// answered, with the redirect.
fn tried_in_vain(raw: &[u8]) -> Option<&[u8]> {
    let group = memchr::memmem::rfind(raw, b" : ").map_or(0, |at| at + 3);
    let group = raw.get(group..)?;
    group.get(..memchr::memmem::rfind(group, b", ")?)
}

/// Whether the last upstream came so far: a time stands where it did.
pub(super) fn has_time(raw: &[u8]) -> bool {
    !matches!(raw, [] | b"-" | [.., b' '] | [.., b' ', b'-'])
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
        for raw in [
            "-, 0.001", "0.001, -", "0.001", "0.001 ", "-", "", "--", " -", "- -", "a -b",
        ] {
            let raw = raw.as_bytes();
            let expected = value::present(last_of_list(raw).0).is_some();
            assert_eq!(has_time(raw), expected, "{raw:?}");
        }
    }
}
