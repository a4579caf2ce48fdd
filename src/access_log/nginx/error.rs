//! One line of nginx's error log: which connection it is about, and what happened to the request.
//!
//! Rules go by the parts of messages that are fixed in nginx's source (`ngx_http_upstream.c`,
//! `ngx_http_v2.c`, `ngx_connection_error`), never by addresses or the system's wording of an error:
//! glibc and musl spell `ETIMEDOUT` differently. It does not know the access log.

use serde::{Deserialize, Serialize};

use crate::access_log::{MAX_LINE, UnparsedKind, value};
use crate::reason::Reason;

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its level.
    pub level: Level,
    /// When, in naive local seconds: the error log writes no zone. Comparable among themselves.
    pub at: i64,
    /// What it is about.
    pub subject: Subject<'a>,
}

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The end of a request, or of one try at an upstream.
    Request(Entry<'a>),
    /// A worker began to shut down: it serves its open requests to their end, or to
    /// `worker_shutdown_timeout`.
    WorkerDrains,
    /// A worker is gone.
    WorkerGone,
    /// Anything else.
    Other,
}

/// What happened to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// nginx's number for the client's connection: `*N`, the access log's `$connection`.
    pub connection: u64,
    /// Why it, or the try, ended.
    pub reason: Reason,
    /// How far it had come.
    pub phase: Phase,
    /// The request line, where the message names one: an HTTP/2 connection's end names none and
    /// counts for every stream on it.
    pub request: Option<&'a [u8]>,
    /// The upstream as `address/path`, without its scheme.
    pub upstream: Option<&'a [u8]>,
}

/// How far a request had come when something happened to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Finding and connecting to an upstream; nginx may try another.
    Connecting,
    /// Waiting for the upstream's headers; nginx may try another.
    Headers,
    /// Passing the answer's body on.
    Body,
    /// The client's side, at any time.
    Client,
}

/// The levels of the error log, least severe first (manual, `error_log`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "nginx's own names")]
pub enum Level {
    Debug,
    Info,
    Notice,
    Warn,
    Error,
    Crit,
    Alert,
    Emerg,
}

impl Level {
    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"debug" => Self::Debug,
            b"info" => Self::Info,
            b"notice" => Self::Notice,
            b"warn" => Self::Warn,
            b"error" => Self::Error,
            b"crit" => Self::Crit,
            b"alert" => Self::Alert,
            b"emerg" => Self::Emerg,
            _ => return None,
        })
    }
}

/// Reads one line, without its line end.
///
/// # Errors
/// The kind of damage, to be counted: this is no line of nginx's error log.
pub fn parse(line: &[u8]) -> Result<Line<'_>, UnparsedKind> {
    match line.len() {
        0 => return Err(UnparsedKind::Empty),
        1..=MAX_LINE => {}
        _ => return Err(UnparsedKind::TooLong),
    }
    let shape = split(line).ok_or(UnparsedKind::Format);
    let (at, level, message) = shape.map_err(|kind| match memchr::memchr(0, line) {
        Some(_) => UnparsedKind::Binary,
        None => kind,
    })?;
    Ok(Line {
        level: Level::named(level).ok_or(UnparsedKind::Format)?,
        at: value::naive(at).ok_or(UnparsedKind::Number)?,
        subject: subject(Level::named(level), message),
    })
}

/// `TIME [LEVEL] PID#TID: MESSAGE`.
fn split(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (at, rest) = line.split_at_checked(19)?;
    let rest = rest.strip_prefix(b" [")?;
    let (level, rest) = split_once(rest, b"] ")?;
    let (process, message) = split_once(rest, b": ")?;
    let is_process = |byte: &u8| byte.is_ascii_digit() || *byte == b'#';
    process
        .iter()
        .all(is_process)
        .then_some((at, level, message))
}

fn subject(level: Option<Level>, message: &[u8]) -> Subject<'_> {
    let Some(numbered) = message.strip_prefix(b"*") else {
        return worker(message);
    };
    let request = || {
        let (number, message) = split_once(numbered, b" ")?;
        entry(level?, value::integer(number)?, message)
    };
    request().map_or(Subject::Other, Subject::Request)
}

fn worker(message: &[u8]) -> Subject<'static> {
    match message {
        b"gracefully shutting down" => Subject::WorkerDrains,
        b"exiting" => Subject::WorkerGone,
        _ if has(message, " exited on signal ") => Subject::WorkerGone,
        _ => Subject::Other,
    }
}

fn entry(level: Level, connection: u64, message: &[u8]) -> Option<Entry<'_>> {
    let (head, context) = split_once(message, b", client: ").unwrap_or((message, b""));
    let action = memchr::memmem::rfind(head, b" while ");
    let (what, action) = head.split_at(action.unwrap_or(head.len()));
    let action = action.strip_prefix(b" while ").unwrap_or_default();
    let (reason, phase) = judge(level, what, action)?;
    Some(Entry {
        connection,
        reason,
        phase,
        request: field(context, b", request: \""),
        upstream: field(context, b", upstream: \"")
            .and_then(|url| split_once(url, b"://"))
            .map(|(_, upstream)| upstream),
    })
}

/// Why and where, from what happened and what nginx was doing (`while …`).
fn judge(level: Level, what: &[u8], action: &[u8]) -> Option<(Reason, Phase)> {
    if ["reading client", "waiting for", "keepalive"]
        .iter()
        .any(|idle| action.starts_with(idle.as_bytes()))
    {
        return None;
    }
    let client = |reason| Some((reason, Phase::Client));
    let upstream = |reason| Some((reason, phase(action)));
    if has(what, "client prematurely closed connection") {
        return client(errno(what).map_or(Reason::ClientClose, Errno::of_client));
    }
    if has(what, "client canceled stream") || has(what, "client terminated stream") {
        return client(Reason::ClientReset);
    }
    if what.starts_with(b"client timed out") {
        return client(Reason::SendTimeout);
    }
    if has(what, "could not be resolved") || has(what, "no resolver defined") {
        return Some((Reason::DnsError, Phase::Connecting));
    }
    if what.starts_with(b"no live upstreams") {
        return Some((Reason::NoUpstream, Phase::Connecting));
    }
    if what.starts_with(b"upstream timed out") {
        return upstream(match phase(action) {
            Phase::Connecting => Reason::ConnectTimeout,
            Phase::Headers | Phase::Body | Phase::Client => Reason::IdleTimeout,
        });
    }
    if what.starts_with(b"upstream prematurely closed connection") {
        return upstream(Reason::ServerCut);
    }
    judge_failure(level, what, action)
}

/// The messages that carry the level as a meaning: `ngx_connection_error` logs a client's connection
/// at `info` and an upstream's at `error`.
fn judge_failure(level: Level, what: &[u8], action: &[u8]) -> Option<(Reason, Phase)> {
    if level <= Level::Info || action.starts_with(b"processing HTTP/") {
        let reason = has(what, "() failed (").then(|| errno(what))??;
        return Some((reason.of_client(), Phase::Client));
    }
    if level < Level::Error {
        return None;
    }
    if what.starts_with(b"connect() failed") {
        return Some((errno(what)?.of_connect()?, Phase::Connecting));
    }
    if action.starts_with(b"SSL handshaking to upstream") {
        return Some((Reason::TlsError, Phase::Connecting));
    }
    if what.starts_with(b"upstream sent ") {
        return Some((Reason::ProtocolError, phase(action)));
    }
    let reason = has(what, "() failed (").then(|| errno(what))??;
    Some((reason.of_upstream()?, phase(action)))
}

/// How far a request has come while nginx does this.
fn phase(action: &[u8]) -> Phase {
    let doing = |start: &str| action.starts_with(start.as_bytes());
    if doing("connecting to upstream") || doing("SSL handshaking to upstream") {
        Phase::Connecting
    } else if doing("sending request to upstream") || doing("reading response header") {
        Phase::Headers
    } else {
        Phase::Body
    }
}

/// The system errors that mean something here.
#[derive(Clone, Copy)]
enum Errno {
    Reset,
    Refused,
    TimedOut,
    Pipe,
}

/// The error in the message's parentheses, by Linux's number or by words that all C libraries share.
fn errno(what: &[u8]) -> Option<Errno> {
    let open = memchr::memrchr(b'(', what)?;
    let error = what.get(open + 1..)?;
    let is = |number: &str, words: &str| error.starts_with(number.as_bytes()) || has(error, words);
    if is("104:", "onnection reset") {
        Some(Errno::Reset)
    } else if is("111:", "onnection refused") {
        Some(Errno::Refused)
    } else if is("110:", "timed out") {
        Some(Errno::TimedOut)
    } else if is("32:", "roken pipe") {
        Some(Errno::Pipe)
    } else {
        None
    }
}

impl Errno {
    /// On the client's connection. `ETIMEDOUT`: the kernel gave up on data that the client did not
    /// acknowledge. `EPIPE`: it had hung up before.
    fn of_client(self) -> Reason {
        match self {
            Self::Reset | Self::Refused => Reason::ClientReset,
            Self::TimedOut => Reason::SendTimeout,
            Self::Pipe => Reason::ClientClose,
        }
    }

    /// On the upstream's connection. A kernel's time-out there is not nginx's, and has no reason of
    /// its own.
    fn of_upstream(self) -> Option<Reason> {
        match self {
            Self::Reset => Some(Reason::ServerReset),
            Self::Pipe => Some(Reason::ServerCut),
            Self::Refused => Some(Reason::ConnectRefused),
            Self::TimedOut => None,
        }
    }

    fn of_connect(self) -> Option<Reason> {
        match self {
            Self::Refused => Some(Reason::ConnectRefused),
            Self::TimedOut => Some(Reason::ConnectTimeout),
            Self::Reset | Self::Pipe => None,
        }
    }
}

/// The quoted value after a name in the message's context.
fn field<'a>(context: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let start = memchr::memmem::find(context, name)? + name.len();
    split_once(context.get(start..)?, b"\"").map(|(value, _)| value)
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
