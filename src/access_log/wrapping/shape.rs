//! The shapes of the wrappings: one wrapped line to its content.
//!
//! A shape is checked as strictly as it can be without refusing what its writers write, because
//! detection goes by it. Nothing here remembers a line.

use std::borrow::Cow;

use serde::Deserialize;

use super::{Content, Output};

/// `2026-11-20T09:59:41.361000061Z stdout F content`.
///
/// The third word is a list of tags divided by `:`, of which the first is `P` (partial) or `F` (full):
/// Kubernetes, "CRI logging" (`kubelet-cri-logging.md`, "Log format").
pub(super) fn cri(raw: &[u8]) -> Option<Content<'_>> {
    let mut words = raw.splitn(4, |byte| *byte == b' ');
    let (time, output, tags) = (words.next()?, words.next()?, words.next()?);
    let ends = match tags.split(|byte| *byte == b':').next()? {
        b"F" => true,
        b"P" => false,
        _ => return None,
    };
    is_iso(time).then_some(())?;
    Some(Content {
        output: self::output(output)?,
        text: Cow::Borrowed(words.next().unwrap_or_default()),
        ends,
    })
}

/// One object of docker's `json-file` driver.
#[derive(Deserialize)]
struct Docker<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

/// `{"log":"content\n","stream":"stdout","time":"2026-11-20T09:59:41.361000061Z"}`; a piece of a long
/// line does not end in a line feed (docker's manual, "JSON File logging driver").
pub(super) fn docker(raw: &[u8]) -> Option<Content<'_>> {
    // Spares the parser every line that is no object.
    raw.first().filter(|byte| **byte == b'{')?;
    let line: Docker<'_> = serde_json::from_slice(raw).ok()?;
    is_iso(line.time.as_bytes()).then_some(())?;
    let output = output(line.stream.as_bytes())?;
    let whole = line.log.strip_suffix('\n').map(str::len);
    let text = match line.log {
        Cow::Borrowed(text) => Cow::Borrowed(
            text.as_bytes()
                .get(..whole.unwrap_or(text.len()))
                .unwrap_or_default(),
        ),
        Cow::Owned(text) => {
            let mut bytes = text.into_bytes();
            bytes.truncate(whole.unwrap_or(bytes.len()));
            Cow::Owned(bytes)
        }
    };
    let ends = whole.is_some();
    Some(Content { output, text, ends })
}

/// A syslog prefix: `<PRI>1 TIME HOST APP PROCID MSGID DATA content` (RFC 5424, section 6), or
/// `<PRI>Nov 20 09:59:41 host tag[pid]: content` (RFC 3164, section 4.1). In files daemons leave the
/// priority out, proxies leave the host out, and rsyslog writes the time as in RFC 3339.
pub(super) fn syslog(raw: &[u8]) -> Option<Content<'_>> {
    let text = match after_priority(raw) {
        Some(rest) => after_header(rest).or_else(|| after_tag(rest)),
        None => after_tag(raw),
    }?;
    Some(Content {
        output: Output::Stdout,
        text: Cow::Borrowed(text),
        ends: true,
    })
}

/// Skips `<191>`: at most 23 facilities of 8 severities.
fn after_priority(raw: &[u8]) -> Option<&[u8]> {
    let raw = raw.strip_prefix(b"<")?;
    let end = memchr::memchr(b'>', raw.get(..raw.len().min(4))?)?;
    let (number, rest) = raw.split_at(end);
    let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    is_number.then_some(rest.get(1..).unwrap_or_default())
}

/// Skips RFC 5424's header, version 1.
fn after_header(raw: &[u8]) -> Option<&[u8]> {
    let raw = raw.strip_prefix(b"1 ")?;
    let mut words = raw.splitn(6, |byte| *byte == b' ');
    let time = words.next()?;
    (time == b"-" || is_iso(time)).then_some(())?;
    let rest = words.nth(4)?;
    let rest = after_data(rest)?;
    Some(rest.strip_prefix("\u{feff}".as_bytes()).unwrap_or(rest))
}

/// Skips structured data: `-`, or `[id name="value"]…`, where `\` escapes within a value.
fn after_data(raw: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = raw.strip_prefix(b"-") {
        return rest.strip_prefix(b" ").or(rest.is_empty().then_some(rest));
    }
    raw.strip_prefix(b"[")?;
    let (mut quoted, mut escaped, mut inside) = (false, false, false);
    for (at, byte) in raw.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' if !quoted => inside = true,
            b']' if !quoted => inside = false,
            b' ' if !inside => return raw.get(at + 1..),
            _ if !inside => return None,
            _ => {}
        }
    }
    (!inside).then_some(&[])
}

/// Skips RFC 3164's time, host and tag. The tag is the word that ends in `:`.
fn after_tag(raw: &[u8]) -> Option<&[u8]> {
    let rest = match raw.split_at_checked(15) {
        Some((time, rest)) if is_bsd(time) => rest.strip_prefix(b" ")?,
        _ => {
            let end = memchr::memchr(b' ', raw)?;
            let (time, rest) = raw.split_at(end);
            is_iso(time).then_some(rest.get(1..)?)?
        }
    };
    let (first, after) = word(rest);
    let (tag, after) = match first.ends_with(b":") {
        true => (first, after),
        false => word(after),
    };
    (tag.ends_with(b":") && tag.len() > 1).then_some(after)
}

fn word(raw: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b' ', raw) {
        Some(end) => {
            let (word, rest) = raw.split_at(end);
            (word, rest.get(1..).unwrap_or_default())
        }
        None => (raw, &[]),
    }
}

fn output(name: &[u8]) -> Option<Output> {
    match name {
        b"stdout" => Some(Output::Stdout),
        b"stderr" => Some(Output::Stderr),
        _ => None,
    }
}

/// `2026-11-20T09:59:41`, and whatever fraction and zone follow.
fn is_iso(time: &[u8]) -> bool {
    matches_shape(time.get(..19), b"dddd-dd-ddTdd:dd:dd")
        && time.get(19..).is_some_and(|rest| {
            rest.iter()
                .all(|byte| byte.is_ascii_digit() || b".+-:Z".contains(byte))
        })
}

/// `Nov  2 09:59:41`.
fn is_bsd(time: &[u8]) -> bool {
    matches_shape(Some(time), b"Aaa bd dd:dd:dd")
}

/// Compares by kinds: `d` a digit, `b` a digit or blank, `A` and `a` letters, else itself.
fn matches_shape(text: Option<&[u8]>, shape: &[u8]) -> bool {
    let fits = |(byte, kind): (&u8, &u8)| match kind {
        b'd' => byte.is_ascii_digit(),
        b'b' => byte.is_ascii_digit() || *byte == b' ',
        b'A' => byte.is_ascii_uppercase(),
        b'a' => byte.is_ascii_lowercase(),
        other => byte == other,
    };
    text.is_some_and(|text| text.len() == shape.len() && text.iter().zip(shape).all(fits))
}
