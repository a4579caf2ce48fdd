//! One value's text to its checked type, or a message: what was found; what was expected.
//!
//! Does not know where the value stands, nor what depends on it.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::problem::quote;
use crate::access_log::rules::{self, EventKind, Preset};
use crate::access_log::wrapping::Wrapping;
use crate::access_log::{Format, Kind};
use crate::canary::Transport;
use crate::label::Label;
use crate::reason::Reason;
use crate::syslog::Address;

/// What a check answers.
pub(super) type Checked<T> = Result<T, String>;

/// Longest duration that is accepted; keeps deadlines far from the end of the monotonic clock.
const DURATION_MAX: Duration = Duration::from_secs(366 * 86_400);

/// Most streams a canary holds per leg.
const STREAMS_MAX: usize = 1000;

/// Most requests of one affinity check: each is a new connection to the user's server.
const REQUESTS_MAX: usize = 100;

/// Largest tolerance; keeps tolerance × interval representable.
const TOLERANCE_MAX: f64 = 100.0;

/// Headers that the canary itself must set, by the MCP transport
/// (<https://modelcontextprotocol.io/specification/2025-11-25/basic/transports>), SSE, HTTP/1.1 or RFC 6455.
const OWN_HEADERS: &[&str] = &[
    "accept",
    "connection",
    "content-length",
    "content-type",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// A name that becomes a label value: 1 to 64 characters of `[A-Za-z0-9_.-]`.
pub(super) fn name(text: &str) -> Checked<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "bad name {}; expected 1 to 64 of A-Z a-z 0-9 _ . -",
        quote(text)
    ))
}

/// A duration above zero, such as `15s`.
pub(super) fn duration(text: &str) -> Checked<Duration> {
    let found = humantime::parse_duration(text).map_err(|_| {
        format!(
            "bad duration {}; expected such as 500ms, 15s or 24h",
            quote(text)
        )
    })?;
    if found.is_zero() || found > DURATION_MAX {
        return Err(format!(
            "duration {} is out of range; expected above 0s, at most 366d",
            quote(text)
        ));
    }
    Ok(found)
}

/// A duration, or one word that stands for none.
fn duration_or(word: &str, text: &str) -> Checked<Option<Duration>> {
    if text == word {
        return Ok(None);
    }
    duration(text)
        .map(Some)
        .map_err(|message| format!("{message}, or {word}"))
}

/// `canaries[].max_age`: a duration, or `off`.
pub(super) fn max_age(text: &str) -> Checked<Option<Duration>> {
    duration_or("off", text)
}

/// `canaries[].heartbeat.expected`: a duration, or `auto`.
pub(super) fn expected_heartbeat(text: &str) -> Checked<Option<Duration>> {
    duration_or("auto", text)
}

/// `canaries[].affinity.interval`: a duration; `0s` or `off` disable, which zero stands for.
pub(super) fn affinity_interval(text: &str) -> Checked<Duration> {
    if humantime::parse_duration(text).is_ok_and(|found| found.is_zero()) {
        return Ok(Duration::ZERO);
    }
    duration_or("off", text).map(Option::unwrap_or_default)
}

/// `canaries[].heartbeat.tolerance`: a factor above 1.
pub(super) fn tolerance(text: &str) -> Checked<f64> {
    match text.parse::<f64>() {
        Ok(found) if found > 1.0 && found <= TOLERANCE_MAX => Ok(found),
        _ => Err(format!(
            "bad tolerance {}; expected a number above 1, at most {TOLERANCE_MAX}",
            quote(text)
        )),
    }
}

fn count(text: &str, max: usize) -> Checked<usize> {
    match text.parse::<usize>() {
        Ok(found) if (1..=max).contains(&found) => Ok(found),
        _ => Err(format!(
            "bad number {}; expected a whole number from 1 to {max}",
            quote(text)
        )),
    }
}

/// `canaries[].streams`.
pub(super) fn streams(text: &str) -> Checked<usize> {
    count(text, STREAMS_MAX)
}

/// `canaries[].affinity.requests`.
pub(super) fn affinity_requests(text: &str) -> Checked<usize> {
    count(text, REQUESTS_MAX)
}

/// `canaries[].transport`.
pub(super) fn transport(text: &str) -> Checked<Transport> {
    if let Some(found) = Transport::ALL.iter().find(|t| t.as_str() == text) {
        return Ok(*found);
    }
    let known: Vec<_> = Transport::ALL.iter().map(|t| t.as_str()).collect();
    Err(format!(
        "transport {} is unknown; expected one of: {}",
        quote(text),
        known.join(", ")
    ))
}

/// The name of a header that the user may set: not one of the canary's own, nor one for secrets.
pub(super) fn header_name(text: &str) -> Checked<String> {
    let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| {
        format!(
            "bad header name {}; expected a token such as X-Team",
            quote(text)
        )
    })?;
    match name.as_str() {
        "authorization" | "proxy-authorization" => Err(format!(
            "header {} holds a secret; expected bearer_token_file",
            quote(text)
        )),
        own if OWN_HEADERS.contains(&own) => Err(format!(
            "header {} is set by holter itself; expected another",
            quote(text)
        )),
        _ => Ok(text.to_owned()),
    }
}

/// The value of a header; never repeated in a message.
pub(super) fn header_value(text: &str) -> Checked<String> {
    match HeaderValue::from_str(text) {
        Ok(value) if value.to_str().is_ok() => Ok(text.to_owned()),
        _ => Err("bad header value; expected visible ASCII".to_owned()),
    }
}

/// A file, or a pattern with `*`, `?`, `[…]`, `**`.
pub(super) fn pattern(text: &str) -> Checked<String> {
    if text.is_empty() || text.contains('\0') {
        return Err(format!(
            "bad file {}; expected a path or a pattern",
            quote(text)
        ));
    }
    match glob::Pattern::new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!(
            "bad pattern {} at character {} ({}); expected *, ?, [...] or **/",
            quote(text),
            error.pos + 1,
            error.msg
        )),
    }
}

/// `logs[].syslog` and `logs[].error_syslog`.
pub(super) fn syslog(text: &str) -> Checked<Address> {
    text.parse().map_err(|_| {
        format!(
            "bad address {}; expected udp://IP:PORT, tcp://IP:PORT or unix:///PATH",
            quote(text)
        )
    })
}

/// `logs[].stdin`: there is nothing to say but that it is read.
pub(super) fn stdin(text: &str) -> Checked<()> {
    match text {
        "true" => Ok(()),
        _ => Err(format!("bad value {}; expected true", quote(text))),
    }
}

/// A path to one file.
pub(super) fn path(text: &str) -> Checked<std::path::PathBuf> {
    if text.is_empty() || text.contains('\0') {
        return Err(format!("bad file {}; expected a path", quote(text)));
    }
    Ok(text.into())
}

/// A request path under which streams are opened.
pub(super) fn stream_path(text: &str) -> Checked<String> {
    if text.starts_with('/') && !text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "bad request path {}; expected such as /mcp",
        quote(text)
    ))
}

/// What a log source reads: a proxy's access log, or an application's own log by rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogKind {
    Proxy(Kind),
    Rules,
}

/// `logs[].format`.
pub(super) fn log_kind(text: &str) -> Checked<LogKind> {
    let kind = Kind::ALL.iter().find(|kind| kind.as_str() == text).copied();
    match kind
        .map(LogKind::Proxy)
        .or((text == "rules").then_some(LogKind::Rules))
    {
        Some(kind) => Ok(kind),
        None => {
            let known: Vec<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
            let known = known.join(", ");
            Err(format!(
                "log format {} is unknown; expected one of: {known}, rules",
                quote(text)
            ))
        }
    }
}

/// `logs[].log_format`: what the proxy's own format says, compiled here once.
pub(super) fn log_format(kind: Kind, text: &str) -> Checked<Format> {
    Format::compile(kind, text).map_err(|error| format!("bad log_format: {error}"))
}

/// One of a closed set; `noun` stands in the message.
fn one_of<T: Label>(noun: &str, text: &str) -> Checked<T> {
    let names = || T::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>();
    let found = T::ALL.iter().copied().find(|one| one.as_str() == text);
    found.ok_or_else(|| {
        format!(
            "{noun} {} is unknown; expected one of: {}",
            quote(text),
            names().join(", ")
        )
    })
}

/// `logs[].wrapping`: `None` is found out from each file's first lines.
pub(super) fn wrapping(text: &str) -> Checked<Option<Wrapping>> {
    match text {
        "auto" => Ok(None),
        _ => one_of("wrapping", text)
            .map(Some)
            .map_err(|message| message.replacen("one of: ", "one of: auto, ", 1)),
    }
}

/// `logs[].presets`.
pub(super) fn preset(text: &str) -> Checked<Preset> {
    one_of("preset", text)
}

/// `logs[].rules[].event`.
pub(super) fn event(text: &str) -> Checked<EventKind> {
    one_of("event", text)
}

/// `logs[].samples[].event`: `None` is that no rule fits.
pub(super) fn sample_event(text: &str) -> Checked<Option<EventKind>> {
    match text {
        "none" => Ok(None),
        _ => one_of("event", text)
            .map(Some)
            .map_err(|message| format!("{message}, none")),
    }
}

/// `logs[].rules[].reason`.
pub(super) fn reason(text: &str) -> Checked<Reason> {
    one_of("reason", text)
}

/// `logs[].rules[].contains`.
pub(super) fn literal(text: &str) -> Checked<String> {
    rules::literal(text).map(|_| text.to_owned())
}

/// `logs[].rules[].pattern`.
pub(super) fn expression(text: &str) -> Checked<String> {
    rules::expression(text).map(|_| text.to_owned())
}

/// `logs[].samples[].line`: one line, of which a rule sees all.
pub(super) fn sample_line(text: &str) -> Checked<String> {
    if (1..=rules::LINE_MAX).contains(&text.len()) && !text.contains('\n') {
        return Ok(text.to_owned());
    }
    Err(format!(
        "bad sample of {} bytes; expected one line of 1 to {} bytes",
        text.len(),
        rules::LINE_MAX
    ))
}

/// A request method that opens streams. Methods are case-sensitive (RFC 9110, section 9.1).
pub(super) fn method(text: &str) -> Checked<String> {
    if (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase()) {
        return Ok(text.to_owned());
    }
    Err(format!("bad method {}; expected such as GET", quote(text)))
}
