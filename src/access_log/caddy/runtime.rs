//! One line of Caddy's runtime log: what broke, and what it says about whose request it was.
//!
//! The `error` field is Go's own wording (`net`, `net/http`, `os`), which is the same on all systems
//! but for the system's errors, of which the few that matter here are spelt alike on all Unixes. It
//! does not know the access log.

use super::{read_client, split_address, timestamp};
use crate::access_log::json::{Members, Value};
use crate::access_log::{MAX_LINE, Record, UnparsedKind, damage, value};
use crate::reason::Reason;

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// When, in microseconds since 1970-01-01 UTC.
    pub at_us: i64,
    /// It is of a level below `error`: such lines are shown, and so is whatever is more severe.
    pub below_error: bool,
    /// What it is about.
    pub subject: Subject<'a>,
}

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// An answer broke off after its headers.
    Abort(Abort<'a>),
    /// A request failed before headers.
    Failed(Failed<'a>),
    /// The name of dynamic upstreams did not resolve.
    LookupFailed,
    /// Anything else.
    Other,
}

/// An answer that broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abort<'a> {
    /// Why, if the error tells.
    pub reason: Option<Reason>,
    /// The client's address and port, where they are named.
    pub client: Option<(&'a [u8], u16)>,
    /// The upstream's address and port, where they are named.
    pub upstream: Option<&'a [u8]>,
}

/// A request that failed before headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed<'a> {
    /// Why, if the error tells.
    pub reason: Option<Reason>,
    /// The client's address and port.
    pub client: Option<(&'a [u8], u16)>,
    /// The status that Caddy answered.
    pub status: Option<u16>,
}

/// The fields that matter, as written.
#[derive(Default)]
struct Fields<'a> {
    at_us: Option<i64>,
    level: &'a [u8],
    logger: &'a [u8],
    message: &'a [u8],
    error: &'a [u8],
    status: Option<u16>,
    request: Record<'a>,
}

/// Reads one line, without its line end.
///
/// # Errors
/// The kind of damage, to be counted: this is no line of Caddy's log.
pub fn parse(line: &[u8]) -> Result<Line<'_>, UnparsedKind> {
    if line.len() > MAX_LINE {
        return Err(UnparsedKind::TooLong);
    }
    let mut fields = Fields::default();
    for member in Members::of(line) {
        let (key, value) = member.map_err(|_| damage(line))?;
        fields.read(key, value);
    }
    Ok(Line {
        at_us: fields.at_us.ok_or(UnparsedKind::Number)?,
        below_error: matches!(fields.level, b"debug" | b"info" | b"warn"),
        subject: fields.subject(),
    })
}

impl<'a> Fields<'a> {
    fn read(&mut self, key: &[u8], value: Value<'a>) {
        let letters = value.letters().unwrap_or_default();
        match key {
            b"ts" => self.at_us = timestamp(value),
            b"level" => self.level = letters,
            b"logger" => self.logger = letters,
            b"msg" => self.message = letters,
            b"error" => self.error = letters,
            b"status" => {
                self.status = value::integer(letters).and_then(|status| u16::try_from(status).ok());
            }
            b"request" => read_client(value, &mut self.request),
            _ => {}
        }
    }

    fn subject(&self) -> Subject<'a> {
        let client = self.request.client.zip(self.request.client_port);
        if self.message == b"aborting with incomplete response" {
            return Subject::Abort(abort(self.error, client));
        }
        if self
            .message
            .starts_with(b"failed getting dynamic upstreams")
        {
            return Subject::LookupFailed;
        }
        if self.logger.starts_with(b"http.log.error") {
            // The error is the message; where `err_trace` and the like stand too, `error` may be it.
            let error = if self.message.is_empty() {
                self.error
            } else {
                self.message
            };
            return Subject::Failed(Failed {
                reason: before_headers(error),
                client,
                status: self.status,
            });
        }
        Subject::Other
    }
}

/// `read tcp LOCAL->UPSTREAM: …`, `write tcp LOCAL->CLIENT: …`, or no address at all.
fn abort<'a>(error: &'a [u8], client: Option<(&'a [u8], u16)>) -> Abort<'a> {
    let writing = error.starts_with(b"write ");
    let peer = peer(error);
    let named = peer.filter(|_| writing).map(split_address);
    Abort {
        reason: if writing {
            of_client(error)
        } else {
            of_upstream(error)
        },
        client: client.or_else(|| named.and_then(|(host, port)| Some((host, port?)))),
        upstream: peer.filter(|_| !writing),
    }
}

/// The far end in `read tcp NEAR->FAR: …`.
fn peer(error: &[u8]) -> Option<&[u8]> {
    let rest = error.get(memchr::memmem::find(error, b"->")? + 2..)?;
    rest.get(..memchr::memmem::find(rest, b": ")?)
}

fn of_client(error: &[u8]) -> Option<Reason> {
    if has(error, "i/o timeout") {
        Some(Reason::SendTimeout)
    } else if has(error, "connection reset by peer") {
        Some(Reason::ClientReset)
    } else if has(error, "broken pipe") {
        Some(Reason::ClientClose)
    } else {
        None
    }
}

/// While the answer was read. `context canceled`: the client is gone, however it went.
fn of_upstream(error: &[u8]) -> Option<Reason> {
    if has(error, "context canceled") || has(error, "client disconnected") {
        Some(Reason::ClientClose)
    } else if has(error, "i/o timeout") {
        Some(Reason::IdleTimeout)
    } else if has(error, "connection reset by peer") || error.starts_with(b"stream error: ") {
        Some(Reason::ServerReset)
    } else if error.ends_with(b"EOF") || has(error, "server sent GOAWAY") {
        Some(Reason::ServerCut)
    } else if has(error, "malformed chunked encoding") || has(error, "invalid byte in chunk length")
    {
        Some(Reason::ProtocolError)
    } else {
        None
    }
}

fn before_headers(error: &[u8]) -> Option<Reason> {
    if has(error, "no upstreams available") {
        Some(Reason::NoUpstream)
    } else if has(error, "tls: ") || has(error, "x509: ") || has(error, "TLS handshake timeout") {
        Some(Reason::TlsError)
    } else if error.starts_with(b"dial ") {
        dialing(error)
    } else if has(error, "timeout awaiting response headers") {
        Some(Reason::IdleTimeout)
    } else if has(error, "malformed HTTP") {
        Some(Reason::ProtocolError)
    } else if has(error, "server closed idle connection") || has(error, "broken pipe") {
        Some(Reason::ServerCut)
    } else {
        of_upstream(error)
    }
}

fn dialing(error: &[u8]) -> Option<Reason> {
    if has(error, ": lookup ") {
        Some(Reason::DnsError)
    } else if has(error, "connection refused") {
        Some(Reason::ConnectRefused)
    } else if has(error, "i/o timeout") || has(error, "connection timed out") {
        Some(Reason::ConnectTimeout)
    } else if has(error, "operation was canceled") {
        Some(Reason::ClientClose)
    } else {
        None
    }
}

fn has(text: &[u8], part: &str) -> bool {
    memchr::memmem::find(text, part.as_bytes()).is_some()
}

#[cfg(test)]
mod tests;
