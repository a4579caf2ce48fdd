//! Where syslog messages are received.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Longest path of a Unix socket, in bytes: 108 with the NUL that ends it (unix(7), "Address format").
const PATH_MAX: usize = 107;

/// An address that a log source listens at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `udp://127.0.0.1:5514`: one message a datagram (RFC 5426, section 3.1).
    Udp(SocketAddr),
    /// `tcp://127.0.0.1:5514`: a stream of messages (RFC 6587).
    Tcp(SocketAddr),
    /// `unix:///run/holter.sock`: one message a datagram.
    Unix(PathBuf),
}

/// Not an address that can be listened at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAddress;

impl FromStr for Address {
    type Err = BadAddress;

    /// A name in place of an IP address is refused: it could come to mean another address.
    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let (scheme, rest) = text.split_once("://").ok_or(BadAddress)?;
        let ip = || rest.parse().map_err(|_| BadAddress);
        match scheme {
            "udp" => ip().map(Self::Udp),
            "tcp" => ip().map(Self::Tcp),
            "unix" if is_path(rest) => Ok(Self::Unix(rest.into())),
            _ => Err(BadAddress),
        }
    }
}

fn is_path(text: &str) -> bool {
    text.starts_with('/')
        && !text.ends_with('/')
        && text.len() <= PATH_MAX
        && !text.contains(char::is_control)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(at) => write!(f, "udp://{at}"),
            Self::Tcp(at) => write!(f, "tcp://{at}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_as_written() {
        for text in [
            "udp://127.0.0.1:5514",
            "udp://[::1]:514",
            "tcp://0.0.0.0:6514",
            "unix:///run/holter.sock",
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_listened_at_is_refused() {
        let long = format!("unix:///{}", "x".repeat(PATH_MAX));
        for text in [
            "",
            "127.0.0.1:5514",
            "udp://",
            "udp://127.0.0.1",
            "udp://localhost:5514",
            "udp://127.0.0.1:65536",
            "http://127.0.0.1:1",
            "unix://run/holter.sock",
            "unix:///run/",
            "unix:///a\0b",
            &long,
        ] {
            assert_eq!(text.parse::<Address>(), Err(BadAddress), "{text}");
        }
    }
}
