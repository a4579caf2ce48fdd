//! A transport's error to a [`Cause`], by type along the chain of sources and never by text.
//!
//! reqwest calls every failure of a body a decode error, and `io::Error::source` skips what it carries, so
//! the chain is walked through `get_ref` too. The downcasts need the very versions of hyper, h2 and rustls
//! that reqwest uses; `tests/ends.rs` would see a second version at once, as `unknown`.

use std::error::Error;
use std::io;

use crate::canary::ending::Cause;

/// Why a request got no answer.
pub fn of_request(error: &reqwest::Error) -> Cause {
    if error.is_connect() {
        return of_connect(error);
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

fn of_connect(error: &reqwest::Error) -> Cause {
    if error.is_dns() {
        return Cause::Dns;
    }
    if find::<rustls::Error>(error).is_some() {
        return Cause::Tls;
    }
    match io_kind(error) {
        Some(io::ErrorKind::ConnectionRefused) => Cause::Refused,
        // The peer left in the middle of the TLS handshake: nothing else is read while connecting.
        Some(io::ErrorKind::UnexpectedEof) => Cause::Tls,
        Some(io::ErrorKind::ConnectionReset) => Cause::Reset,
        Some(io::ErrorKind::TimedOut) => Cause::ConnectTimeout,
        _ if error.is_timeout() => Cause::ConnectTimeout,
        _ => Cause::Other,
    }
}

fn of_chain(error: &(dyn Error + 'static)) -> Cause {
    if let Some(error) = find::<h2::Error>(error) {
        return of_h2(error);
    }
    if os_error(error) == Some(ETIMEDOUT) {
        return Cause::DeadPeer;
    }
    match io_kind(error) {
        Some(io::ErrorKind::UnexpectedEof) => return Cause::Truncated,
        Some(io::ErrorKind::ConnectionReset) => return Cause::Reset,
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => return Cause::Garbage,
        _ => {}
    }
    match find::<hyper::Error>(error) {
        Some(error) if error.is_incomplete_message() => Cause::NoAnswer,
        Some(error) if error.is_parse() => Cause::Garbage,
        _ => Cause::Other,
    }
}

/// A broken pipe stands for three different ends of HTTP/2, so it is none of them.
fn of_h2(error: &h2::Error) -> Cause {
    if error.is_go_away() || error.is_reset() {
        Cause::StreamReset
    } else {
        Cause::Other
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
