//! One line of Apache's error log: which client it is about, and what happened to the request.
//!
//! `ErrorLogFormat` is free, so parts are found wherever they stand: the moment at the line's start,
//! `[pid …]`, `[client …]` or `[remote …]`, the system's error in parentheses, and the `AH` number,
//! which is fixed in Apache's source (`mod_proxy.c`, `proxy_util.c`, `mod_proxy_http.c`,
//! `mod_proxy_balancer.c`, `event.c`). It does not know the access log.

use crate::access_log::{MAX_LINE, UnparsedKind, damage, value};
use crate::reason::Reason;

/// Longest part before the message that is searched for ids, in bytes.
const MAX_HEAD: usize = 1024;

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// When, in naive local microseconds: the error log writes no zone.
    pub at_us: i64,
    /// What it is about.
    pub subject: Subject<'a>,
}

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The end of a request, or of one try at an upstream.
    Request(Entry<'a>),
    /// An upstream could not be connected to; the thread's next line names the client.
    Connect {
        /// The process and thread, as written.
        thread: &'a [u8],
        /// Why, if the system's error tells.
        reason: Option<Reason>,
    },
    /// The server stopped: its children's streams were cut just before.
    Stopped,
    /// The server restarts, not gracefully: its children's streams are cut just after.
    Restarts,
    /// Anything else.
    Other,
}

/// What happened to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The client's address.
    pub client: Option<&'a [u8]>,
    /// The client's port.
    pub port: Option<u16>,
    /// The process and thread, as written; empty if not logged.
    pub thread: &'a [u8],
    /// Everything before the message: an id of the request may stand in it (`%L`).
    pub head: &'a [u8],
    /// Why it, or the try, ended; `None`: the thread's [`Subject::Connect`] tells.
    pub reason: Option<Reason>,
    /// The headers of the answer had come.
    pub after_headers: bool,
}

/// Reads one line, without its line end.
///
/// # Errors
/// The kind of damage, to be counted: this is no line of Apache's error log.
pub fn parse(line: &[u8]) -> Result<Line<'_>, UnparsedKind> {
    if line.len() > MAX_LINE {
        return Err(UnparsedKind::TooLong);
    }
    let at_us = moment(line).ok_or_else(|| damage(line))?;
    let subject = number(line).map(|(at, number)| subject(line, at, number));
    Ok(Line {
        at_us,
        subject: subject.unwrap_or(Subject::Other),
    })
}

/// `[Fri Nov 20 10:00:50.781066 2026]` or `[2026-11-20 10:00:50.781066]`, at the line's start.
fn moment(line: &[u8]) -> Option<i64> {
    let line = line.strip_prefix(b"[").unwrap_or(line);
    let (date, clock) = if line.get(4) == Some(&b'-') {
        let date = [
            value::number(line, 0, 4)?,
            value::number(line, 5, 2)?,
            value::number(line, 8, 2)?,
        ];
        (date, line.get(11..)?)
    } else {
        let clock = line.get(11..)?;
        let space = memchr::memchr(b' ', clock)?;
        let year = value::number(clock, space + 1, 4)?;
        let day = value::integer(line.get(8..10)?.trim_ascii_start())?;
        let date = [
            year,
            value::month(line.get(4..7)?)?,
            i64::try_from(day).ok()?,
        ];
        (date, clock)
    };
    let seconds = value::days(date)? * 86_400 + value::clock(clock.get(..8)?)?;
    Some(seconds * 1_000_000 + fraction(clock.get(8..)?))
}

/// A line's head without the brackets that name the client: `ErrorLogFormat` may put an id behind them.
pub(super) fn without_client(head: &[u8]) -> Box<[u8]> {
    let marks: [&[u8]; 2] = [b"[client ", b"[remote "];
    let mut left = head.to_vec();
    for mark in marks {
        while let Some(from) = memchr::memmem::find(&left, mark) {
            let until = left.iter().skip(from).position(|byte| *byte == b']');
            let until = until.map_or(left.len(), |length| from + length + 1);
            left.drain(from..until);
        }
    }
    left.into()
}

/// `.781066`, if it follows.
fn fraction(rest: &[u8]) -> i64 {
    let digits = rest.strip_prefix(b".").and_then(|rest| rest.get(..6));
    let micros = digits.and_then(value::integer);
    micros
        .and_then(|micros| i64::try_from(micros).ok())
        .unwrap_or(0)
}

/// The place and value of the first `AHnnnnn:`.
fn number(line: &[u8]) -> Option<(usize, u64)> {
    memchr::memmem::find_iter(line, b"AH").find_map(|at| {
        let digits = line.get(at + 2..at + 7)?;
        let ends = line.get(at + 7) == Some(&b':');
        Some((at, value::integer(digits).filter(|_| ends)?))
    })
}

fn subject(line: &[u8], at: usize, number: u64) -> Subject<'_> {
    let (head, message) = line.split_at_checked(at).unwrap_or((line, b""));
    let head = head.get(..head.len().min(MAX_HEAD)).unwrap_or(head);
    let error = errno(head);
    let entry = |reason, after_headers| {
        let (client, port) = client(line);
        Subject::Request(Entry {
            client,
            port,
            thread: thread(head),
            head,
            reason,
            after_headers,
        })
    };
    match number {
        // "error reading response"
        1110 => error.map_or(Subject::Other, |error| entry(error.of_reading(), true)),
        // "error reading status line from remote server"
        1102 => error.map_or(Subject::Other, |error| entry(error.of_reading(), false)),
        // "attempt to connect to … failed"
        957 => Subject::Connect {
            thread: thread(head),
            reason: error.and_then(Errno::of_connecting),
        },
        // "failed to make connection to backend"
        1114 => entry(None, false),
        // "All workers are in error state"
        1170 => entry(Some(Reason::NoUpstream), false),
        // "… returned by /path": the proxy's own refusal, in words of its source.
        898 if has(message, "DNS lookup failure") => entry(Some(Reason::DnsError), false),
        898 if has(message, "SSL Handshake") => entry(Some(Reason::TlsError), false),
        491 => Subject::Stopped,
        494 => Subject::Restarts,
        _ => Subject::Other,
    }
}

/// The errors that mean something here: the system's, or of the portable runtime (APR).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Errno {
    Reset,
    Refused,
    TimedOut,
    Ended,
    Other,
}

/// The error before the message: `(104)Connection reset by peer: `. APR's own numbers are the same
/// everywhere, the system's are not: there, words that all systems share.
fn errno(head: &[u8]) -> Option<Errno> {
    let (number, words) = memchr::memchr_iter(b'(', head).find_map(|open| {
        let (number, words) = split_once(head.get(open + 1..)?, b")")?;
        // Name resolution has numbers of its own: `EAI 3`.
        let is_number = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b' ';
        let ends = number.last().is_some_and(u8::is_ascii_digit);
        (ends && number.iter().all(is_number)).then_some((number, words))
    })?;
    Some(match number {
        // APR_TIMEUP.
        b"70007" => Errno::TimedOut,
        // APR_INCOMPLETE, APR_EOF, APR_EGENERAL: the connection ended early.
        b"70008" | b"70014" | b"20014" => Errno::Ended,
        b"104" => Errno::Reset,
        b"111" => Errno::Refused,
        b"110" => Errno::TimedOut,
        _ if has(words, "onnection reset") => Errno::Reset,
        _ if has(words, "onnection refused") => Errno::Refused,
        _ if has(words, "timed out") => Errno::TimedOut,
        _ => Errno::Other,
    })
}

impl Errno {
    fn of_reading(self) -> Option<Reason> {
        match self {
            Self::Reset => Some(Reason::ServerReset),
            Self::TimedOut => Some(Reason::IdleTimeout),
            Self::Ended => Some(Reason::ServerCut),
            Self::Refused | Self::Other => None,
        }
    }

    fn of_connecting(self) -> Option<Reason> {
        match self {
            Self::Refused => Some(Reason::ConnectRefused),
            Self::TimedOut => Some(Reason::ConnectTimeout),
            Self::Reset | Self::Ended | Self::Other => None,
        }
    }
}

/// `[pid 29157:tid 29157]`, without the brackets.
fn thread(head: &[u8]) -> &[u8] {
    bracket(head, b"[pid ").unwrap_or_default()
}

/// `[client 127.0.2.13:33767]`, or on a stream of HTTP/2 `[remote …]`. An IPv6 address stands in
/// brackets of its own, which are left out as in `%a`.
fn client(line: &[u8]) -> (Option<&[u8]>, Option<u16>) {
    let Some(peer) = bracket(line, b"[client ").or_else(|| bracket(line, b"[remote ")) else {
        return (None, None);
    };
    let Some(colon) = memchr::memrchr(b':', peer) else {
        return (Some(peer), None);
    };
    let (address, port) = peer.split_at_checked(colon).unwrap_or((peer, b""));
    let port = port.get(1..).and_then(value::integer);
    let address = address.strip_prefix(b"[").unwrap_or(address);
    let address = address.strip_suffix(b"]").unwrap_or(address);
    (
        Some(address),
        port.and_then(|port| u16::try_from(port).ok()),
    )
}

/// What stands between this opening and the bracket that closes it.
fn bracket<'a>(text: &'a [u8], open: &[u8]) -> Option<&'a [u8]> {
    let start = memchr::memmem::find(text, open)? + open.len();
    let rest = text.get(start..)?;
    let inner = if rest.starts_with(b"[") {
        memchr::memchr(b']', rest)? + 1
    } else {
        0
    };
    let end = inner + memchr::memchr(b']', rest.get(inner..)?)?;
    rest.get(..end)
}

fn has(text: &[u8], part: &str) -> bool {
    memchr::memmem::find(text, part.as_bytes()).is_some()
}

fn split_once<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memchr::memmem::find(text, separator)?;
    Some((text.get(..at)?, text.get(at + separator.len()..)?))
}

#[cfg(test)]
mod tests;
