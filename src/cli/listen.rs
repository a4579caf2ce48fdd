//! An address to listen at, as it is written.
//!
//! Does not resolve names, nor bind.

use std::fmt;
use std::str::FromStr;

/// An address to listen at: `:PORT`, `HOST:PORT` or `[v6]:PORT`, as the Prometheus exporters take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// Name or address without brackets; `None` is every address of the machine.
    pub host: Option<String>,
    /// Port; 0 lets the system choose.
    pub port: u16,
}

impl FromStr for ListenAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected :PORT, HOST:PORT or [IPV6]:PORT";
        let (host, port) = text.rsplit_once(':').ok_or(EXPECTED)?;
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let port = port.parse().ok().filter(|_| digits).ok_or(EXPECTED)?;
        let host = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            Some(v6) => Some(
                v6.parse::<std::net::Ipv6Addr>()
                    .map_err(|_| EXPECTED)?
                    .to_string(),
            ),
            None if host.is_empty() => None,
            None if is_host(host) => Some(host.to_owned()),
            None => return Err(EXPECTED),
        };
        Ok(Self { host, port })
    }
}

fn is_host(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    text.len() <= 253 && text.bytes().all(allowed)
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.as_deref() {
            Some(v6) if v6.contains(':') => write!(f, "[{v6}]:{}", self.port),
            host => write!(f, "{}:{}", host.unwrap_or(""), self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses() {
        let check = |text: &str, host: Option<&str>, port: u16| {
            let found: ListenAddress = text.parse().expect(text);
            assert_eq!((found.host.as_deref(), found.port), (host, port));
            assert_eq!(found.to_string(), text);
        };
        check(":10048", None, 10048);
        check("127.0.0.1:0", Some("127.0.0.1"), 0);
        check("localhost:80", Some("localhost"), 80);
        check("[::1]:80", Some("::1"), 80);
        for bad in [
            "", "80", ":", ":65536", ":-1", ":+1", "::1:80", "[::1]80", "[x]:80", "a b:80",
        ] {
            assert!(bad.parse::<ListenAddress>().is_err(), "{bad}");
        }
    }
}
