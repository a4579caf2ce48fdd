//! Envoy's access log, as text in any format string or as JSON.
//!
//! [`Format`] is compiled once from the text of the configuration; a line is then read in one pass
//! that allocates nothing, and decides alone why a stream ended: there is no second log. Sources:
//! Envoy's manual, "Access logging"; Istio's, "Envoy Access Logs". It does not know what a stream is.

mod ending;
mod operator;
mod pasted;

use std::time::Duration;

use super::keyed::{Keys, Name};
use super::target::read_target;
use super::template::{self, MAX_FORMAT, Template, TemplateError};
use super::{POST_STREAMS, Record, Stamp, UnparsedKind, value};
use ending::End;
use operator::Field;
use pasted::Pasted;

/// Text formats known by name; a third name is `json`.
const PRESETS: [(&str, &str); 2] = [("default", DEFAULT), ("istio", ISTIO)];

/// Envoy's own (its manual, "Default format string").
const DEFAULT: &str = r#"[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%""#;

/// Istio's own (its manual, "Envoy Access Logs", "Default access log format").
const ISTIO: &str = r#"[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%"#;

/// A compiled format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    shape: Shape,
    /// The keys are the defaults: what of them a line has is not known.
    assumed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Text(Template<Field>),
    Json(Keys<Template<Field>>),
}

impl Shape {
    fn of_members(members: Vec<(Name, Template<Field>)>) -> Self {
        Self::Json(Keys::new(members, |value| value.has(Field::Method)))
    }

    /// Of a text format, which may draw a JSON object.
    fn of_text(text: &str) -> Result<Self, TemplateError> {
        // A format ends with a line feed, written as `\n` in YAML, and lines come without.
        let bare = text.trim_end();
        let bare = bare.strip_suffix("\\n").unwrap_or(bare);
        let pieces = operator::pieces(bare)?;
        if let Some(at) = bare.trim_start().find('\n') {
            let at = text.chars().take_while(|char| char.is_whitespace()).count()
                + bare
                    .trim_start()
                    .get(..at)
                    .map_or(0, |before| before.chars().count());
            let problem = "a line break; expected a format of one line, or the map of json_format with one key: \"%OPERATOR%\" a line, all indented alike";
            return Err(TemplateError::at(text, at, problem));
        }
        let members = template::members(&pieces);
        if !members.is_empty() {
            return Ok(Self::of_members(members));
        }
        Template::of(text, pieces).map(Self::Text)
    }
}

/// A line that is being read.
#[derive(Debug, Default)]
struct Line<'a> {
    record: Record<'a>,
    end: End<'a>,
    until_headers: Option<Duration>,
}

impl Format {
    /// Compiles a preset's name (`default`, `istio`, `json`), a text format string, or a JSON format
    /// as Envoy's configuration has it, in JSON or YAML: `{"key": "%OPERATOR%", …}`.
    ///
    /// # Errors
    /// The place of the first problem, and what was expected there.
    pub fn compile(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_FORMAT {
            return Err(TemplateError::at(
                text,
                0,
                "too long; expected at most 16384 bytes",
            ));
        }
        if text.trim().is_empty() {
            let problem = "empty; expected default, istio, json, or a format of Envoy's";
            return Err(TemplateError::at(text, 0, problem));
        }
        let preset = PRESETS.iter().find(|(name, _)| *name == text.trim());
        let shape = match preset {
            Some((_, format)) => Shape::of_text(format)?,
            None if text.trim() == "json" => Shape::of_members(operator::keys()),
            None => match Pasted::of(text) {
                Pasted::Members(members) => Shape::of_members(members),
                Pasted::Inner(format) => Shape::of_text(&format)?,
                Pasted::Text => Shape::of_text(text)?,
            },
        };
        let format = Self {
            shape,
            assumed: text.trim() == "json",
        };
        if !(format.has(Field::Method) && format.has(Field::Target)) {
            let problem = "no request in the format; expected %REQ(:METHOD)% and %REQ(:PATH)%: without them no stream can be recognised";
            return Err(TemplateError::at(text, 0, problem));
        }
        Ok(format)
    }

    /// Reads one line, without its line end.
    ///
    /// # Errors
    /// The kind of damage, to be counted.
    pub fn parse<'a>(&self, line: &'a [u8]) -> Result<Record<'a>, UnparsedKind> {
        let mut read = Line::default();
        let outcome = match &self.shape {
            Shape::Text(template) => template.read(line, |field, raw| take(field, raw, &mut read)),
            Shape::Json(keys) => keys.read(line, |value, raw| {
                value.read(raw, |field, raw| take(field, raw, &mut read))
            }),
        };
        match outcome {
            Ok(()) => Ok(read.finish()),
            Err(_) if is_notice(line) => Ok(Record {
                no_request: true,
                ..Record::default()
            }),
            Err(kind) => Err(kind),
        }
    }

    /// What this format cannot tell, and what to add to it: one sentence each.
    pub fn limits(&self) -> Vec<String> {
        if self.assumed {
            return Vec::new();
        }
        let limits = [
            (
                Field::Details,
                "%RESPONSE_CODE_DETAILS% is not logged: a drain looks like a client that left, and max_stream_duration like a server that ended",
            ),
            (
                Field::Flags,
                "%RESPONSE_FLAGS% is not logged: idle timeouts and clients that left are unknown without %RESPONSE_CODE_DETAILS%",
            ),
            (
                Field::Duration,
                "%DURATION% is not logged: streams have no lifetime",
            ),
            (
                Field::Upstream,
                "%UPSTREAM_HOST% is not logged: neither replicas nor session affinity can be told",
            ),
            (
                Field::SessionSent,
                "%REQ(MCP-SESSION-ID)% is not logged: session affinity cannot be told",
            ),
            (
                Field::SessionMinted,
                "%RESP(MCP-SESSION-ID)% is not logged: session affinity cannot be told",
            ),
            (
                Field::Agent,
                "%REQ(USER-AGENT)% is not logged: Holter's own canaries cannot be left out",
            ),
        ];
        let missing = limits.into_iter().filter(|(field, _)| !self.has(*field));
        let mut limits: Vec<String> = missing.map(|(_, limit)| limit.to_owned()).collect();
        if !(self.has(Field::ContentType) || self.has(Field::McpMethod)) {
            limits.push(format!(
                "%RESP(CONTENT-TYPE)% or %REQ(MCP-METHOD)% is not logged: {POST_STREAMS}"
            ));
        }
        limits
    }

    fn has(&self, field: Field) -> bool {
        match &self.shape {
            Shape::Text(template) => template.has(field),
            Shape::Json(keys) => keys.values().any(|value| value.has(field)),
        }
    }
}

fn take<'a>(field: Field, raw: &'a [u8], line: &mut Line<'a>) -> Result<(), UnparsedKind> {
    let (record, number) = (&mut line.record, UnparsedKind::Number);
    if field == Field::Flags {
        line.end.flags = Some(raw);
    }
    let Some(raw) = value::present(raw) else {
        return Ok(());
    };
    match field {
        Field::TimeIso => record.started = Some(iso8601(raw).ok_or(number)?),
        Field::TimeUnix => {
            record.started = Some(value::without_zone(value::unix_ms(raw).ok_or(number)?))
        }
        Field::Duration => record.duration = Some(milliseconds(raw)?),
        // A header: where Envoy is told to leave it alone it is the upstream's, and may be anything.
        Field::UntilHeaders => line.until_headers = milliseconds(raw).ok(),
        Field::AfterHeaders => record.after_headers = Some(milliseconds(raw)?),
        Field::Status => {
            let status = value::integer(raw).and_then(|status| u16::try_from(status).ok());
            record.status = Some(status.ok_or(number)?).filter(|status| *status != 0);
        }
        Field::Details => line.end.details = Some(raw),
        Field::ClientAddress => {
            record.client = memchr::memrchr(b':', raw).and_then(|at| raw.get(..at))
        }
        Field::Client => record.client = Some(raw),
        Field::Upstream => record.upstream = Some(raw),
        Field::Attempts => record.retried = value::integer(raw).ok_or(number)? > 1,
        Field::Method => record.method = Some(raw),
        Field::Target => read_target(raw, record),
        Field::Agent => record.user_agent = Some(raw),
        Field::SessionSent => record.session_sent = Some(raw),
        Field::SessionMinted => record.session_minted = Some(raw),
        Field::ContentType => record.content_type = Some(raw),
        Field::McpMethod => record.mcp_method = Some(raw),
        Field::Flags | Field::Other => {}
    }
    Ok(())
}

fn milliseconds(raw: &[u8]) -> Result<Duration, UnparsedKind> {
    let millis = value::integer(raw).ok_or(UnparsedKind::Number)?;
    Ok(Duration::from_millis(millis))
}

impl<'a> Line<'a> {
    fn finish(self) -> Record<'a> {
        let mut record = self.record;
        let end = End {
            status: record.status,
            duration: record.duration,
            ..self.end
        };
        record.verdict = Some(end.reason());
        let whole = || record.duration?.checked_sub(self.until_headers?);
        record.after_headers = record.after_headers.or_else(whole);
        record.ended = record.started.map(|started| Stamp {
            unix_ms: started.unix_ms.saturating_add(millis(record.duration)),
            ..started
        });
        record
    }
}

fn millis(duration: Option<Duration>) -> i64 {
    let millis = duration.map(|duration| i64::try_from(duration.as_millis()));
    millis.and_then(Result::ok).unwrap_or(0)
}

/// `2026-11-20T10:04:37.789Z`.
fn iso8601(raw: &[u8]) -> Option<Stamp> {
    const SECONDS: usize = 19;
    let mut whole = *b"2026-11-20T10:04:37Z";
    whole
        .get_mut(..SECONDS)?
        .copy_from_slice(raw.get(..SECONDS)?);
    let stamp = value::iso8601(&whole)?;
    let fraction = raw.get(SECONDS..)?.strip_prefix(b".")?.strip_suffix(b"Z")?;
    let millis = value::integer(fraction).filter(|_| fraction.len() == 3)?;
    Some(Stamp {
        unix_ms: stamp.unix_ms + i64::try_from(millis).ok()?,
        ..stamp
    })
}

/// Whether a line is of Envoy's own log, which can share an output with the access log:
/// `[2026-11-20 10:04:37.726][31323][info][main] …`, or Istio's agent's `2026-11-20T10:04:37.726Z<tab>info`.
fn is_notice(line: &[u8]) -> bool {
    let date = line.strip_prefix(b"[").unwrap_or(line);
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let dated = marks.iter().all(|(at, mark)| date.get(*at) == Some(mark));
    let end = date
        .iter()
        .take(32)
        .position(|byte| matches!(byte, b']' | b'\t'));
    let after = end.and_then(|end| date.get(end..));
    dated && after.is_some_and(|after| after.starts_with(b"][") || after.starts_with(b"\t"))
}

#[cfg(test)]
mod tests;
