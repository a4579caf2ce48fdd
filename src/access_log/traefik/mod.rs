//! Traefik's access log: its extended common log format, `genericCLF`, and JSON.
//!
//! By the documentation and source only (Traefik's manual, "Access logs"; `logger_formatters.go`,
//! `logdata.go`, `proxy/httputil/proxy.go`): no line of a real Traefik was read. It has no field that
//! says how an answer ended, so a stream that began has no reason. It does not know what a stream is.

use std::time::Duration;

use super::apache::address;
use super::json::{Members, Value};
use super::nginx::scan::{self, Shape};
use super::target::{read_request, read_target};
use super::{FormatError, MAX_LINE, POST_STREAMS, Record, Stamp, UnparsedKind, damage, value};
use crate::reason::Reason;

/// A format of Traefik's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `common`, the default, and `genericCLF`, which ends after the user agent.
    Common,
    /// `json`.
    Json,
}

impl Format {
    /// The format of this name, as Traefik's option `accesslog.format` has it.
    ///
    /// # Errors
    /// Another name.
    pub fn compile(text: &str) -> Result<Self, FormatError> {
        match text.trim() {
            "common" | "default" | "genericCLF" => Ok(Self::Common),
            "json" => Ok(Self::Json),
            _ => Err(FormatError::Name {
                expected: "common, genericCLF or json",
            }),
        }
    }

    /// What this format cannot tell, and what to add to it: one sentence each.
    pub fn limits(&self) -> Vec<String> {
        let mut limits =
            vec!["no field says how an answer ended: streams that began have no reason".to_owned()];
        limits.push(match self {
            Self::Common => "headers are not logged: session affinity cannot be told; use json",
            Self::Json => "headers are logged only with accesslog.fields.headers.names: keep Mcp-Session-Id, Mcp-Method, User-Agent and Content-Type",
        }.to_owned());
        if *self == Self::Common {
            limits.push(format!("headers are not logged: {POST_STREAMS}; use json"));
        }
        limits
    }

    /// Reads one line, without its line end.
    ///
    /// # Errors
    /// The kind of damage, to be counted.
    pub fn parse<'a>(&self, line: &'a [u8]) -> Result<Record<'a>, UnparsedKind> {
        if line.len() > MAX_LINE {
            return Err(UnparsedKind::TooLong);
        }
        let mut record = match self {
            Self::Common => common(line)?,
            Self::Json => json(line)?,
        };
        record.verdict = record.status.map(verdict);
        Ok(record)
    }
}

/// Errors before headers (`proxy/httputil/proxy.go`): 499 the client is gone; 502 and 504 any of
/// several failures.
fn verdict(status: u16) -> Reason {
    match status {
        499 => Reason::ClientClose,
        400..=498 => Reason::Http4xx,
        500..=599 => Reason::Http5xx,
        _ => Reason::Unknown,
    }
}

/// `host - user [time] "METHOD path PROTO" status size "referer" "agent" count "router" "url" NNNms`.
fn common(line: &[u8]) -> Result<Record<'_>, UnparsedKind> {
    let mut record = Record::default();
    let rest = head(line, &mut record).ok_or_else(|| damage(line))?;
    let (status, rest) = word(rest).ok_or_else(|| damage(line))?;
    record.status = match value::present(status) {
        Some(status) => Some(number(status)?),
        None => None,
    };
    let rest = tail(rest, &mut record).ok_or_else(|| damage(line))?;
    if let Some(took) = rest.and_then(|rest| rest.strip_suffix(b"ms")) {
        let took = value::integer(took).ok_or(UnparsedKind::Number)?;
        record.duration = Some(Duration::from_millis(took));
        put_in_time(&mut record);
    }
    Ok(record)
}

/// Reads up to the request; gives what follows it.
fn head<'a>(line: &'a [u8], record: &mut Record<'a>) -> Option<&'a [u8]> {
    let (host, rest) = word(line)?;
    record.client = value::present(host);
    let time = memchr::memmem::find(rest, b" [")?;
    let rest = rest.get(time + 2..)?;
    let (time, rest) = rest.split_at_checked(26)?;
    record.started = Some(value::common(time)?);
    let rest = rest.strip_prefix(b"] \"")?;
    let end = scan::end(rest, Shape::Plain, b"\" ")?;
    read_request(rest.get(..end)?, record);
    rest.get(end + 2..)
}

/// Reads from the size on; gives the duration as written, if the format has it.
fn tail<'a>(rest: &'a [u8], record: &mut Record<'a>) -> Option<Option<&'a [u8]>> {
    let (_size, rest) = word(rest)?;
    let (_referer, rest) = quoted(rest)?;
    let (agent, rest) = quoted(rest)?;
    record.user_agent = value::present(agent);
    if rest.is_empty() {
        return Some(None);
    }
    let (_count, rest) = word(rest)?;
    let (_router, rest) = quoted(rest)?;
    let (url, rest) = quoted(rest)?;
    record.upstream = value::present(address(url));
    Some(Some(rest))
}

/// Up to a space, and what follows it.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b' ', text)?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// A quoted text, and what follows it and a space.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"\"")?;
    let end = scan::end(text, Shape::Plain, b"\"")?;
    let rest = text.get(end + 1..)?;
    Some((text.get(..end)?, rest.strip_prefix(b" ").unwrap_or(rest)))
}

fn json(line: &[u8]) -> Result<Record<'_>, UnparsedKind> {
    let mut record = Record::default();
    for member in Members::of(line) {
        let (key, value) = member.map_err(|_| damage(line))?;
        if let Some(letters) = value.letters().and_then(value::present) {
            read_member(key, value, letters, &mut record)?;
        }
    }
    record.method.ok_or(UnparsedKind::Format)?;
    put_in_time(&mut record);
    Ok(record)
}

/// The keys of `logdata.go`; headers that are kept have `request_`, `origin_` or `downstream_` before
/// their name.
fn read_member<'a>(
    key: &[u8],
    value: Value<'a>,
    letters: &'a [u8],
    record: &mut Record<'a>,
) -> Result<(), UnparsedKind> {
    match key {
        b"StartUTC" => record.started = Some(start(value).ok_or(UnparsedKind::Number)?),
        // Where StartUTC is dropped, which is how the manual has local time written.
        b"StartLocal" if record.started.is_none() => record.started = start(value),
        b"Duration" => {
            let nanos = value::integer(letters).ok_or(UnparsedKind::Number)?;
            record.duration = Some(Duration::from_nanos(nanos));
        }
        b"ServiceURL" => record.upstream = value::present(address(letters)),
        b"ServiceAddr" => record.upstream = record.upstream.or(Some(letters)),
        b"ClientHost" => record.client = Some(letters),
        b"ClientPort" => record.client_port = number(letters).ok(),
        b"RequestMethod" => record.method = Some(letters),
        b"RequestPath" => read_target(letters, record),
        b"DownstreamStatus" => record.status = Some(number(letters)?),
        b"RetryAttempts" => record.retried = letters != b"0",
        key => read_header(key, letters, record),
    }
    Ok(())
}

fn read_header<'a>(key: &[u8], letters: &'a [u8], record: &mut Record<'a>) {
    let is = |name: &[u8]| key.eq_ignore_ascii_case(name);
    if is(b"request_Mcp-Session-Id") {
        record.session_sent = Some(letters);
    } else if is(b"downstream_Mcp-Session-Id") || is(b"origin_Mcp-Session-Id") {
        record.session_minted = Some(letters);
    } else if is(b"request_User-Agent") {
        record.user_agent = Some(letters);
    } else if is(b"request_Mcp-Method") {
        record.mcp_method = Some(letters);
    } else if is(b"downstream_Content-Type") || is(b"origin_Content-Type") {
        record.content_type = Some(letters);
    }
}

/// RFC 3339 with nanoseconds.
fn start(value: Value<'_>) -> Option<Stamp> {
    let us = super::caddy::timestamp(value)?;
    Some(Stamp {
        unix_ms: us.div_euclid(1000),
        utc_offset: None,
    })
}

/// The line is stamped with the request's beginning.
fn put_in_time(record: &mut Record<'_>) {
    record.ended = record
        .started
        .zip(record.duration)
        .map(|(started, took)| Stamp {
            unix_ms: started
                .unix_ms
                .saturating_add(i64::try_from(took.as_millis()).unwrap_or(i64::MAX)),
            ..started
        });
}

fn number(raw: &[u8]) -> Result<u16, UnparsedKind> {
    let number = value::integer(raw).and_then(|number| u16::try_from(number).ok());
    number.ok_or(UnparsedKind::Number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINE: &str = r#"10.0.0.9 - - [20/Nov/2026:09:59:41 +0000] "GET /mcp?x=1 HTTP/1.1" 200 13 "-" "claude \"code\"" 7 "mcp@docker" "http://10.0.0.1:8080" 30012ms"#;
    const JSON: &str = r#"{"ClientAddr":"10.0.0.9:4321","ClientHost":"10.0.0.9","ClientPort":"4321","DownstreamStatus":200,"Duration":30012000000,"RequestMethod":"GET","RequestPath":"/mcp?x=1","RetryAttempts":0,"ServiceAddr":"10.0.0.1:8080","ServiceURL":"http://10.0.0.1:8080","StartUTC":"2026-11-20T09:59:41.000000001Z","request_User-Agent":"claude \"code\"","request_Mcp-Session-Id":"s","downstream_Content-Type":"text/event-stream","level":"info","msg":"","time":"2026-11-20T09:59:41Z"}"#;

    #[test]
    fn both_formats_tell_the_same() {
        let [common, json] = [(Format::Common, LINE), (Format::Json, JSON)]
            .map(|(format, line)| format.parse(line.as_bytes()).unwrap());
        for record in [&common, &json] {
            assert_eq!(record.ended.unwrap().unix_ms, 1_795_168_811_012);
            assert_eq!(record.duration, Some(Duration::from_millis(30_012)));
            assert_eq!(record.upstream_address(), Some(&b"10.0.0.1:8080"[..]));
            assert_eq!(
                (record.path, record.query),
                (Some(&b"/mcp"[..]), Some(&b"x=1"[..]))
            );
            assert_eq!(record.user_agent, Some(&br#"claude \"code\""#[..]));
            assert_eq!(
                (record.status, record.verdict),
                (Some(200), Some(Reason::Unknown))
            );
        }
        assert_eq!(json.session_sent, Some(&b"s"[..]));
        assert_eq!(json.content_type, Some(&b"text/event-stream"[..]));
    }

    #[test]
    fn local_time_stands_in_for_utc() {
        let local = r#""StartLocal":"2026-11-20T00:59:41.000000001-09:00""#;
        let utc = r#""StartUTC":"2026-11-20T09:59:41.000000001Z""#;
        assert!(JSON.contains(utc));
        for start in [local.to_owned(), format!("{local},{utc}")] {
            let line = JSON.replace(utc, &start);
            let record = Format::Json.parse(line.as_bytes()).unwrap();
            assert_eq!(record.ended.unwrap().unix_ms, 1_795_168_811_012, "{start}");
        }
    }

    #[test]
    fn a_generic_line_ends_after_the_agent() {
        let (line, _) = LINE.split_once(" 7 ").unwrap();
        let record = Format::Common.parse(line.as_bytes()).unwrap();
        assert_eq!(
            (record.upstream, record.duration, record.ended),
            (None, None, None)
        );
        assert_eq!(record.user_agent, Some(&br#"claude \"code\""#[..]));
    }

    #[test]
    fn a_status_tells_what_it_tells() {
        for (status, expected) in [
            ("499", Some(Reason::ClientClose)),
            ("404", Some(Reason::Http4xx)),
            ("502", Some(Reason::Http5xx)),
            ("504", Some(Reason::Http5xx)),
            ("200", Some(Reason::Unknown)),
            ("-", None),
        ] {
            let line = LINE.replace(" 200 ", &format!(" {status} "));
            let record = Format::Common.parse(line.as_bytes()).unwrap();
            assert_eq!(record.verdict, expected, "{status}");
        }
    }

    #[test]
    fn damage_is_named() {
        for (format, line, kind) in [
            (Format::Common, "", UnparsedKind::Empty),
            (Format::Common, "\0", UnparsedKind::Binary),
            (Format::Common, JSON, UnparsedKind::Format),
            (Format::Json, LINE, UnparsedKind::Format),
            (Format::Json, "{}", UnparsedKind::Format),
            (Format::Json, r#"{"Duration":"x"}"#, UnparsedKind::Number),
        ] {
            assert_eq!(format.parse(line.as_bytes()), Err(kind), "{line}");
        }
        assert!(Format::compile("clf2").is_err());
    }

    proptest! {
        #[test]
        fn any_damage_is_read_without_a_panic(cut in 0..400usize, byte: u8, at in 0..400usize, raw: Vec<u8>) {
            for (format, line) in [(Format::Common, LINE), (Format::Json, JSON)] {
                format.parse(&raw).ok();
                let mut line = line.as_bytes().to_vec();
                if let Some(place) = line.get_mut(at) { *place = byte; }
                line.truncate(cut);
                format.parse(&line).ok();
            }
        }

        #[test]
        fn any_name_is_compiled_without_a_panic(text: String) {
            Format::compile(&text).ok();
        }
    }
}
