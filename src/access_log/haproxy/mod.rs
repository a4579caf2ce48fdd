//! HAProxy's log of HTTP requests, in the user's own `log-format`.
//!
//! [`Format`] is compiled once from the text of the configuration; a line is then read in one pass
//! that allocates nothing, and decides alone why a stream ended: there is no second log. Sources:
//! HAProxy's configuration manual, "Log formats". It does not know what a stream is.

mod ending;
mod field;
mod prefix;
mod scan;
mod setup;

use std::time::Duration;

use super::keyed::Keys;
use super::target::{read_query, read_request, read_target};
use super::template::{self, Template, TemplateError};
use super::{POST_STREAMS, Record, Stamp, UnparsedKind, value};
pub use setup::JSON;

use ending::End;
use field::{Capture, Field};
use setup::{Captures, Setup};

/// A compiled log-format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    template: Template<Field>,
    /// The same by key, if the line is a JSON object.
    keys: Option<Keys<Template<Field>>>,
    captures: Option<Captures>,
    major: Option<u8>,
}

/// A line that is being read.
#[derive(Debug, Default)]
struct Line<'a> {
    record: Record<'a>,
    end: End,
    /// The phases up to the answer's headers: how many are read, and their milliseconds.
    phases: (u8, u64),
    /// Which field gave the upstream.
    upstream: Option<Field>,
}

impl Format {
    /// Compiles a preset's name (`httplog`, `httpslog`, `json`), a log-format string, or lines of haproxy.cfg:
    /// `log-format …`, `option httplog`, and the `capture request header …` whose order says what
    /// `%hr` holds.
    ///
    /// # Errors
    /// The place of the first problem, and what was expected there.
    pub fn compile(text: &str) -> Result<Self, TemplateError> {
        let setup = Setup::of(text)?;
        let scanned = scan::scan(text, &setup.letters, setup.captures.as_ref())?;
        let mut members = template::members(&scanned.pieces);
        let mut template = Template::of(text, scanned.pieces)?;
        let has = |field| template.has(field);
        if !(has(Field::Request) || has(Field::Method) && has(Field::Target)) {
            let problem = "no request in the format; expected %r, or %HM with %HU or %HP: without them no stream can be recognised";
            return Err(TemplateError::at(text, 0, problem));
        }
        leave_out_redundant(&mut template);
        if !members.is_empty() {
            template = template.of_json();
        }
        if setup.is_json {
            members.extend(field::keys());
        }
        let is_request = |field| matches!(field, Field::Request | Field::Method);
        let of_request = |value: &Template<Field>| value.fields().any(is_request);
        Ok(Self {
            template,
            keys: (!members.is_empty()).then(|| Keys::new(members, of_request)),
            captures: setup.captures,
            major: setup.major.or(scanned.is_of_3.then_some(3)),
        })
    }

    /// Reads one line, without its line end.
    ///
    /// # Errors
    /// The kind of damage, to be counted.
    pub fn parse<'a>(&self, line: &'a [u8]) -> Result<Record<'a>, UnparsedKind> {
        let content = prefix::content(line);
        match self
            .as_written(content)
            .or_else(|kind| self.by_key(content, kind))
        {
            Ok(read) => Ok(self.finish(read)),
            Err(_) if prefix::is_notice(content) => Ok(Record {
                no_request: true,
                ..Record::default()
            }),
            Err(kind) => Err(kind),
        }
    }

    /// Reads a line that has the format's shape.
    fn as_written<'a>(&self, content: &'a [u8]) -> Result<Line<'a>, UnparsedKind> {
        let mut read = Line::default();
        (self.template).read(content, |field, raw| self.take(field, raw, &mut read))?;
        Ok(read)
    }

    /// Reads one that has not for this reason, though it may be an object with the same members.
    fn by_key<'a>(&self, content: &'a [u8], kind: UnparsedKind) -> Result<Line<'a>, UnparsedKind> {
        let keys = self.keys.as_ref().ok_or(kind)?;
        let mut read = Line::default();
        keys.read(content, |value, raw| {
            value.read(raw, |field, raw| self.take(field, raw, &mut read))
        })?;
        Ok(read)
    }

    /// What this format cannot tell, and what to add to it: one sentence each.
    pub fn limits(&self) -> Vec<String> {
        let has = |field| self.template.has(field);
        let upstream = [Field::ServerAddress, Field::BackendServer, Field::Server];
        let sent = has(Field::SessionSent) || has(Field::RequestCaptures);
        let minted = has(Field::SessionMinted) || has(Field::ResponseCaptures);
        let agent = has(Field::Agent) || has(Field::RequestCaptures);
        let captured = |captures: &Captures| {
            has(Field::ResponseCaptures) && captures.response.contains(&Capture::ContentType)
                || has(Field::RequestCaptures) && captures.request.contains(&Capture::McpMethod)
        };
        let post_streams = has(Field::ContentType)
            || has(Field::McpMethod)
            || self.captures.as_ref().is_some_and(captured);
        let no_post_streams = format!(
            "neither Content-Type is captured from answers nor Mcp-Method from requests: {POST_STREAMS}"
        );
        let guessed = self.captures.is_none()
            && (has(Field::RequestCaptures) || has(Field::ResponseCaptures));
        [
            (!has(Field::State), "%tsc is not logged: why a stream ended cannot be told"),
            (!(has(Field::Duration) || has(Field::Total)), "%Ta is not logged: streams have no lifetime"),
            (!upstream.into_iter().any(has), "%b/%s is not logged: neither replicas nor session affinity can be told"),
            (!(sent && minted), "Mcp-Session-Id is not captured from requests and answers: session affinity cannot be told"),
            (!agent, "User-Agent is not captured: Holter's own canaries cannot be left out"),
            (!post_streams, &*no_post_streams),
            (guessed, "the captures are not declared: only the first of each side is taken for Mcp-Session-Id, where it looks like an id; add the lines `capture request header …` of haproxy.cfg to log_format"),
            (self.major.is_none(), "HAProxy's version is not given: from 3.0 on, a silent stream cut by `timeout server` is logged as the client's end; add the line `HAProxy version 3.0` to log_format"),
        ]
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, limit)| limit.to_owned())
        .collect()
    }

    fn take<'a>(
        &self,
        field: Field,
        raw: &'a [u8],
        line: &mut Line<'a>,
    ) -> Result<(), UnparsedKind> {
        let number = UnparsedKind::Number;
        match field {
            Field::RequestCaptures | Field::ResponseCaptures => self.captured(field, raw, line),
            // Written as -1 where it does not apply.
            _ if raw == b"-1" => {}
            // The time before the request is in it: second best.
            Field::Total if line.record.duration.is_some() => {}
            Field::Duration | Field::Total => {
                let digits = raw.strip_prefix(b"+");
                line.end.early |= digits.is_some();
                let millis = value::integer(digits.unwrap_or(raw)).ok_or(number)?;
                line.record.duration = Some(Duration::from_millis(millis));
            }
            Field::Phase => {
                let (count, millis) = &mut line.phases;
                *millis = millis.saturating_add(value::integer(raw).ok_or(number)?);
                *count += 1;
            }
            Field::Data => {
                let millis = value::integer(raw).ok_or(number)?;
                line.record.after_headers = Some(Duration::from_millis(millis));
            }
            Field::Status => {
                let status = value::integer(raw).and_then(|status| u16::try_from(status).ok());
                line.record.status = Some(status.ok_or(number)?);
            }
            Field::TimeNaive | Field::TimeZoned | Field::TimeUnix => {
                line.record.started = Some(time(field, raw).ok_or(number)?);
            }
            _ => {
                if let Some(raw) = value::present(raw) {
                    take_text(field, raw, line);
                }
            }
        }
        Ok(())
    }

    /// Reads `{a|b}`. (HAProxy writes a brace or bar inside a value as `#` and hexadecimal digits.)
    fn captured<'a>(&self, field: Field, raw: &'a [u8], line: &mut Line<'a>) {
        if raw.is_empty() {
            return;
        }
        let inner = raw.strip_prefix(b"{").unwrap_or(raw);
        let inner = inner.strip_suffix(b"}").unwrap_or(inner);
        // One group alone is the answer's, if requests' captures are known to be none.
        let answer = field == Field::ResponseCaptures
            || (self.captures.as_ref()).is_some_and(|captures| captures.request.is_empty());
        for (at, raw) in inner.split(|byte| *byte == b'|').enumerate() {
            let raw = value::present(raw);
            let record = &mut line.record;
            match (self.capture(answer, at, raw), answer) {
                (Capture::Session, false) => record.session_sent = raw,
                (Capture::Session, true) => record.session_minted = raw,
                (Capture::Agent, false) => record.user_agent = raw,
                (Capture::McpMethod, false) => record.mcp_method = raw,
                (Capture::ContentType, true) => record.content_type = raw,
                _ => {}
            }
        }
    }

    /// What the capture at this index holds. Where it is not declared: the first is the session id if
    /// it looks like one, and Holter's own agent is known anywhere.
    fn capture(&self, answer: bool, at: usize, raw: Option<&[u8]>) -> Capture {
        match (&self.captures, raw) {
            (Some(captures), _) => {
                let side = if answer {
                    &captures.response
                } else {
                    &captures.request
                };
                side.get(at).copied().unwrap_or(Capture::Other)
            }
            (None, Some(raw)) if super::reader::is_own(raw) => Capture::Agent,
            (None, Some(raw)) if at == 0 && is_opaque(raw) => Capture::Session,
            (None, _) => Capture::Other,
        }
    }

    fn finish<'a>(&self, line: Line<'a>) -> Record<'a> {
        let mut record = line.record;
        let upstream = [Field::ServerAddress, Field::BackendServer, Field::Server];
        let told = upstream.into_iter().any(|field| self.template.has(field));
        let end = End {
            status: record.status,
            server: told.then_some(record.upstream.is_some()),
            major: self.major,
            ..line.end
        };
        record.verdict = Some(end.reason());
        record.after_headers =
            (record.after_headers).or_else(|| data_time(line.phases, record.duration));
        record.ended = record
            .started
            .map(|started| after(started, record.duration));
        record
    }
}

/// How long the answer went on after its headers: what the four phases before leave of the whole.
/// (Manual, "Timing events": `Ta = TR + Tw + Tc + Tr + Td`.)
fn data_time((count, before): (u8, u64), whole: Option<Duration>) -> Option<Duration> {
    let whole = whole.filter(|_| count == 4)?;
    whole.checked_sub(Duration::from_millis(before))
}

fn take_text<'a>(field: Field, raw: &'a [u8], line: &mut Line<'a>) {
    let record = &mut line.record;
    match field {
        Field::State => line.end.state = raw.first_chunk().copied(),
        Field::Server | Field::BackendServer | Field::ServerAddress => {
            let is_better = line
                .upstream
                .is_none_or(|known| known.exactness() <= field.exactness());
            if is_better {
                line.upstream = Some(field);
                record.upstream =
                    Some(raw).filter(|raw| !raw.ends_with(b"<NOSRV>") && *raw != b"-:-");
            }
        }
        Field::Client => record.client = Some(raw),
        // An IPv6 address stands bare before its port.
        Field::ClientAddress => {
            record.client = memchr::memrchr(b':', raw).and_then(|at| raw.get(..at))
        }
        Field::Retries => record.retried = raw.starts_with(b"+"),
        Field::Request => {
            read_request(raw, record);
            record.path = record.path.map(origin_form);
        }
        Field::Method => record.method = Some(raw),
        Field::Target => read_target(origin_form(raw), record),
        Field::Query => read_query(raw.strip_prefix(b"?").unwrap_or(raw), record),
        Field::SessionSent => record.session_sent = Some(raw),
        Field::SessionMinted => record.session_minted = Some(raw),
        Field::Agent => record.user_agent = Some(raw),
        Field::ContentType => record.content_type = Some(raw),
        Field::McpMethod => record.mcp_method = Some(raw),
        _ => {}
    }
}

/// Drops work whose result another variable gives better: of several that fill one field, the last
/// one read would win, whichever it is.
fn leave_out_redundant(template: &mut Template<Field>) {
    let whole = template.has(Field::Request);
    template.replace(|field| match field {
        Field::Method | Field::Target | Field::Query if whole => Field::Other,
        field => field,
    });
}

/// The path of `http://host/path`, which HAProxy logs for HTTP/2.
fn origin_form(target: &[u8]) -> &[u8] {
    let rest = (target.strip_prefix(b"http://")).or_else(|| target.strip_prefix(b"https://"));
    let path = rest.and_then(|rest| rest.get(memchr::memchr(b'/', rest)?..));
    path.unwrap_or(target)
}

/// Whether a value that nobody declared looks like a session id, and not like a host, an address or
/// an agent: MCP asks for visible ASCII that is hard to guess (2025-03-26, "Session Management").
fn is_opaque(raw: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    raw.len() >= 16 && raw.iter().all(is_letter)
}

fn time(field: Field, raw: &[u8]) -> Option<Stamp> {
    match field {
        Field::TimeUnix => value::unix_ms(raw).map(value::without_zone),
        Field::TimeZoned => value::common(raw),
        _ => naive(raw),
    }
}

/// `20/Nov/2026:10:15:03.339`, in the proxy's own zone, which is not written.
fn naive(raw: &[u8]) -> Option<Stamp> {
    const SECONDS: usize = 20;
    let mut zoned = *b"20/Nov/2026:10:15:03 +0000";
    zoned
        .get_mut(..SECONDS)?
        .copy_from_slice(raw.get(..SECONDS)?);
    let seconds = value::common(&zoned)?;
    let millis = value::integer(raw.get(SECONDS..)?.strip_prefix(b".")?).filter(|ms| *ms < 1000)?;
    Some(value::without_zone(
        seconds.unix_ms + i64::try_from(millis).ok()?,
    ))
}

/// That moment, so much later.
fn after(started: Stamp, duration: Option<Duration>) -> Stamp {
    let millis = duration.and_then(|duration| i64::try_from(duration.as_millis()).ok());
    Stamp {
        unix_ms: started.unix_ms.saturating_add(millis.unwrap_or(0)),
        ..started
    }
}

#[cfg(test)]
mod tests;
