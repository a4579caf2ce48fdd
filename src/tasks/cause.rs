//! A transport's error to a [`Cause`], by type along the chain of sources and never by text.
//!
//! reqwest calls every failure of a body a decode error, and `io::Error::source` skips what it carries, so
//! the chain is walked through `get_ref` too. The downcasts need the very versions of hyper and rustls that
//! reqwest and tokio-rustls use; `tests/ends` would see a second version at once, as `unknown`.

use std::error::Error;
use std::io;

use tokio_tungstenite::tungstenite::{self, error::ProtocolError};

use crate::canary::ending::Cause;

/// Why a request got no answer.
pub fn of_request(error: &reqwest::Error) -> Cause {
    if error.is_dns() {
        return Cause::Dns;
    }
    if error.is_connect() {
        // Its own time limit is an error of a private type.
        return match of_connect(error) {
            Cause::Other if error.is_timeout() => Cause::ConnectTimeout,
            cause => cause,
        };
    }
    if error.is_timeout() && os_error(error).is_none() {
        return Cause::AnswerTimeout;
    }
    of_chain(error)
}

/// Why a body ended with an error.
pub fn of_body(error: &reqwest::Error) -> Cause {
    of_chain(error)
}

/// Why a connection was not made, TLS included.
pub(super) fn of_connect(error: &(dyn Error + 'static)) -> Cause {
    if find::<rustls::Error>(error).is_some() {
        return Cause::Tls;
    }
    match io_kind(error) {
        Some(io::ErrorKind::ConnectionRefused) => Cause::Refused,
        // The peer left in the middle of the TLS handshake: nothing else is said while connecting.
        Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe) => Cause::Tls,
        Some(io::ErrorKind::ConnectionReset) => Cause::Reset,
        Some(io::ErrorKind::TimedOut) => Cause::ConnectTimeout,
        _ => Cause::Other,
    }
}

/// Why a connection in use ended, by any error of its layers.
pub(super) fn of_chain(error: &(dyn Error + 'static)) -> Cause {
    if os_error(error) == Some(ETIMEDOUT) {
        return Cause::DeadPeer;
    }
    match io_kind(error) {
        // EPIPE is what is left to say to a peer that had closed before.
        Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe) => return Cause::Truncated,
        Some(io::ErrorKind::ConnectionReset) => return Cause::Reset,
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => return Cause::Garbage,
        _ => {}
    }
    match find::<hyper::Error>(error) {
        // The peer left before the request was sent, or before it was answered.
        Some(error) if error.is_canceled() || error.is_incomplete_message() => Cause::NoAnswer,
        Some(error) if error.is_parse_too_large() => Cause::LargeHead,
        Some(error) if error.is_parse() => Cause::Garbage,
        _ => Cause::Other,
    }
}

/// Why a stream over HTTP/2 ended. Where the connection broke, see whether it had said GOAWAY before.
pub(super) fn of_h2(error: &h2::Error) -> Cause {
    // Our side ended it, because the server broke the protocol.
    if error.is_library() {
        return Cause::Garbage;
    }
    match error.reason() {
        // RFC 9113 section 8.1: no error, and nothing more will come.
        Some(h2::Reason::NO_ERROR) if error.is_reset() => Cause::CleanEnd,
        // RFC 9113 section 6.8: the connection is shut down gracefully.
        Some(h2::Reason::NO_ERROR) => Cause::Drain,
        Some(_) => Cause::StreamReset,
        None => of_h2_io(error.get_io().map(io::Error::kind)),
    }
}

/// h2 keeps the kind of an I/O error, and calls the end of the connection a broken pipe.
fn of_h2_io(kind: Option<io::ErrorKind>) -> Cause {
    match kind {
        Some(io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof) => Cause::Truncated,
        Some(io::ErrorKind::ConnectionReset) => Cause::Reset,
        // No limit of ours is an I/O error, so it is the kernel's.
        Some(io::ErrorKind::TimedOut) => Cause::DeadPeer,
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => Cause::Garbage,
        _ => Cause::Other,
    }
}

/// Why a WebSocket was not opened, or ended without a Close frame.
pub(super) fn of_websocket(error: &tungstenite::Error) -> Cause {
    use tungstenite::Error::{AttackAttempt, Capacity, HttpFormat, Io, Protocol, Utf8};
    match error {
        Io(error) => of_chain(error),
        Protocol(ProtocolError::HandshakeIncomplete) => Cause::NoAnswer,
        Protocol(ProtocolError::ResetWithoutClosingHandshake) => Cause::Truncated,
        Protocol(_) | Capacity(_) | Utf8(_) | HttpFormat(_) | AttackAttempt => Cause::Garbage,
        _ => Cause::Other,
    }
}

/// `ETIMEDOUT`, the kernel's word that the peer acknowledges nothing (`tcp(7)`).
const ETIMEDOUT: i32 = 110;

fn os_error(error: &(dyn Error + 'static)) -> Option<i32> {
    chain(error).find_map(|error| error.downcast_ref::<io::Error>()?.raw_os_error())
}

fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    // The innermost says what happened; those around it say `Other`.
    chain(error)
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .map(io::Error::kind)
        .last()
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// The error and everything below it, into what an `io::Error` carries.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>() {
            Some(io) => io
                .get_ref()
                .map(|carried| carried as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_acknowledges_nothing_is_dead_and_not_slow() {
        let dead = io::Error::from_raw_os_error(ETIMEDOUT);
        assert_eq!(of_chain(&dead), Cause::DeadPeer);
        assert_eq!(of_chain(&io::Error::other(dead)), Cause::DeadPeer);
        assert_eq!(
            of_chain(&io::Error::from(io::ErrorKind::TimedOut)),
            Cause::Other
        );
    }
}
