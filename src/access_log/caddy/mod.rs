//! Caddy's logs: the JSON access log, and the runtime log that says how answers broke off.
//!
//! Both are JSON, and Caddy's default logger writes both to one stream. The upstream is in the
//! access log only where the configuration puts it there: a response header such as
//! `header_down X-Upstream-Addr {http.reverse_proxy.upstream.hostport}`, or
//! `log_append upstream {http.reverse_proxy.upstream.hostport}`. Sources: Caddy's manual, `log` and
//! `reverse_proxy`. It does not know what a stream is.

pub(crate) mod join;
pub mod runtime;

use std::time::Duration;

use super::json::{Members, Value};
use super::target::read_target;
use super::{FormatError, MAX_LINE, Record, Stamp, UnparsedKind, damage, value};
use crate::reason::Reason;

/// Caddy's access log, which is always JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format;

impl Format {
    /// The format of this name: there is one.
    ///
    /// # Errors
    /// Another name.
    pub fn compile(text: &str) -> Result<Self, FormatError> {
        match text.trim() {
            "json" | "default" => Ok(Self),
            _ => Err(FormatError::Name { expected: "json" }),
        }
    }

    /// What this format cannot tell, and what to add to it: one sentence each.
    pub fn limits(&self) -> Vec<String> {
        vec![
            "the upstream is known only where a response header or log_append logs it".to_owned(),
            "a client that left, one whose connection broke and the server's write timeout are alike"
                .to_owned(),
        ]
    }

    /// Reads one line, without its line end.
    ///
    /// # Errors
    /// The kind of damage, to be counted.
    pub fn parse<'a>(&self, line: &'a [u8]) -> Result<Record<'a>, UnparsedKind> {
        if line.len() > MAX_LINE {
            return Err(UnparsedKind::TooLong);
        }
        let mut record = Record::default();
        for member in Members::of(line) {
            let (key, value) = member.map_err(|_| damage(line))?;
            read_member(key, value, &mut record)?;
        }
        record.verdict = record.status.and_then(alone);
        record.method.ok_or(UnparsedKind::Format)?;
        Ok(record)
    }
}

/// Whether the line is of the runtime log: JSON, and not of an access logger.
pub(crate) fn is_runtime(line: &[u8]) -> bool {
    // The message of every access line; in a value, its quotes would be escaped or in an array.
    if line.len() > MAX_LINE || memchr::memmem::find(line, b"\"msg\":\"handled request\"").is_some()
    {
        return false;
    }
    let (mut access, mut request) = (None, false);
    for member in Members::of(line) {
        match member {
            Ok((b"logger", name)) => {
                access = (name.letters()).map(|name| name.starts_with(b"http.log.access"));
            }
            Ok((b"request", _)) => request = true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    // A filtered access log may have lost its logger; the runtime log's lines on requests have one.
    !access.unwrap_or(request)
}

fn read_member<'a>(
    key: &[u8],
    value: Value<'a>,
    record: &mut Record<'a>,
) -> Result<(), UnparsedKind> {
    match key {
        b"ts" => {
            let us = timestamp(value).ok_or(UnparsedKind::Number)?;
            record.ended_us = Some(us);
            record.ended = Some(Stamp {
                unix_ms: us.div_euclid(1000),
                utc_offset: Some(0),
            });
        }
        b"duration" => record.duration = Some(duration(value).ok_or(UnparsedKind::Number)?),
        b"status" => {
            let status = value.letters().and_then(value::integer);
            let status = status.and_then(|status| u16::try_from(status).ok());
            record.status = Some(status.ok_or(UnparsedKind::Number)?);
        }
        b"request" => read_request(value, record),
        b"resp_headers" => read_response(value, record),
        key => read_upstream(key, value, record),
    }
    Ok(())
}

fn read_request<'a>(request: Value<'a>, record: &mut Record<'a>) {
    read_client(request, record);
    for (key, value) in request.members().flatten() {
        match (key, value) {
            (b"method", Value::Text(method)) => record.method = Some(method),
            (b"uri", Value::Text(uri)) => read_target(uri, record),
            (b"headers", headers) => {
                for (name, value) in headers.members().flatten() {
                    let value = value.letters().and_then(value::present);
                    if name.eq_ignore_ascii_case(b"Mcp-Session-Id") {
                        record.session_sent = value;
                    } else if name.eq_ignore_ascii_case(b"User-Agent") {
                        record.user_agent = value;
                    } else if name.eq_ignore_ascii_case(b"Mcp-Method") {
                        record.mcp_method = value;
                    }
                }
            }
            _ => {}
        }
    }
}

/// `remote_ip` and `remote_port`; before Caddy 2.5, `remote_addr`.
fn read_client<'a>(request: Value<'a>, record: &mut Record<'a>) {
    for (key, value) in request.members().flatten() {
        match (key, value.letters()) {
            (b"remote_ip", Some(address)) => record.client = Some(address),
            (b"remote_port", Some(port)) => record.client_port = port_number(port),
            (b"remote_addr", Some(address)) => {
                let (host, port) = split_address(address);
                (record.client, record.client_port) = (Some(host), port);
            }
            _ => {}
        }
    }
}

fn read_response<'a>(headers: Value<'a>, record: &mut Record<'a>) {
    for (name, value) in headers.members().flatten() {
        let letters = value.letters().and_then(value::present);
        if name.eq_ignore_ascii_case(b"Mcp-Session-Id") {
            record.session_minted = letters;
        } else if name.eq_ignore_ascii_case(b"Content-Type") {
            record.content_type = letters;
        } else {
            read_upstream(name, value, record);
        }
    }
}

/// A header or field that is named after an upstream and holds an address. Clients write neither.
fn read_upstream<'a>(name: &[u8], value: Value<'a>, record: &mut Record<'a>) {
    let names = [&b"upstream"[..], b"backend", b"served-by"];
    let has = |part: &[u8]| {
        name.windows(part.len())
            .any(|window| window.eq_ignore_ascii_case(part))
    };
    let Some(address) = value.letters().filter(|_| names.into_iter().any(has)) else {
        return;
    };
    let (host, port) = split_address(address);
    if port.is_some() && !host.is_empty() && !host.contains(&b' ') {
        record.upstream = Some(address);
    }
}

/// What the status tells: Caddy writes 0 (later versions 499) for a client that left before the
/// answer began, and the error of its own 5xx in the runtime log.
fn alone(status: u16) -> Option<Reason> {
    match status {
        0 | 499 => Some(Reason::ClientClose),
        400..=498 => Some(Reason::Http4xx),
        _ => None,
    }
}

/// `host:port`, an IPv6 host without its brackets.
pub(crate) fn split_address(address: &[u8]) -> (&[u8], Option<u16>) {
    let Some(colon) = memchr::memrchr(b':', address) else {
        return (address, None);
    };
    let (host, port) = address.split_at_checked(colon).unwrap_or((address, b""));
    let host = host.strip_prefix(b"[").unwrap_or(host);
    let host = host.strip_suffix(b"]").unwrap_or(host);
    (host, port.get(1..).and_then(port_number))
}

fn port_number(raw: &[u8]) -> Option<u16> {
    value::integer(raw).and_then(|port| u16::try_from(port).ok())
}

/// A log's moment in microseconds since 1970. Manual, `log`, `time_format`: by default seconds with
/// decimals; also milli- and nanoseconds, or text with a zone.
pub(crate) fn timestamp(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Bare(raw) => {
            let number: f64 = std::str::from_utf8(raw).ok()?.parse().ok()?;
            let unit = match number.abs() {
                // The year 5138 in seconds is 1973 in milliseconds: no log is so old or so new.
                ..1e11 => 1e6,
                1e11..1e16 => 1e3,
                _ => 1e-3,
            };
            let us = number * unit;
            // Far beyond any date, and exact in both types.
            (us.abs() < 9e15).then_some(us.round() as i64)
        }
        Value::Text(raw) => text_timestamp(raw),
        Value::Object(_) | Value::Array(_) => None,
    }
}

/// `2026-11-20T10:05:53.075Z`, decimals of any length.
fn text_timestamp(raw: &[u8]) -> Option<i64> {
    let (clock, rest) = raw.split_at_checked(19)?;
    let digits = match rest.strip_prefix(b".") {
        Some(rest) => rest.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        None => 0,
    };
    let zone = rest.get(if digits > 0 { digits + 1 } else { 0 }..)?;
    let mut whole = [0; 25];
    let length = 19 + zone.len();
    whole.get_mut(..19)?.copy_from_slice(clock);
    whole.get_mut(19..length)?.copy_from_slice(zone);
    let stamp = value::iso8601(whole.get(..length)?)?;
    let mut fraction = [b'0'; 6];
    for (place, digit) in fraction
        .iter_mut()
        .zip(rest.get(1..=digits).unwrap_or_default())
    {
        *place = *digit;
    }
    let us = i64::try_from(value::integer(&fraction)?).ok()?;
    stamp.unix_ms.checked_mul(1000)?.checked_add(us)
}

/// Seconds with decimals; as text with `duration_format string`, such as `1m30.5s`.
fn duration(value: Value<'_>) -> Option<Duration> {
    match value {
        Value::Bare(raw) => {
            let seconds: f64 = std::str::from_utf8(raw).ok()?.parse().ok()?;
            Duration::try_from_secs_f64(seconds).ok()
        }
        Value::Text(raw) => go_duration(std::str::from_utf8(raw).ok()?),
        Value::Object(_) | Value::Array(_) => None,
    }
}

/// As Go writes durations: `1h2m3.5s`, `850ms`, `42.5µs`, `17ns`.
fn go_duration(mut text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    while !text.is_empty() {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, rest) = text.split_at_checked(end)?;
        let length = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (unit, rest) = rest.split_at_checked(length)?;
        let scale = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "µs" | "us" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * scale).ok()?;
        total = total.checked_add(part)?;
        text = rest;
    }
    Some(total)
}

#[cfg(test)]
mod tests;
