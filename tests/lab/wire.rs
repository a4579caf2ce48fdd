//! A raw HTTP/1.1 client on a blocking socket: what is on the wire, final chunk or none.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub(crate) const BEAT: Duration = Duration::from_millis(20);
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// No condition takes this long unless it never comes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
/// Reads that a stream may take to its end: each waits for a heartbeat or so.
const READS_MAX: usize = 500;
pub(crate) const POLL: Duration = Duration::from_millis(5);

pub(crate) const HEARTBEAT: &str = ": keepalive\n\n";
pub(crate) const GONE: &str = "epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too while ";

/// A raw HTTP/1.1 connection and what was read from it.
pub(crate) struct Wire {
    pub(crate) socket: TcpStream,
    seen: String,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Ended {
    WithFinalChunk,
    WithoutFinalChunk,
}

impl Wire {
    /// Sends one request; `headers` are whole lines with their CRLF.
    pub(crate) fn send(addr: SocketAddr, request: &str, headers: &str, body: &str) -> Self {
        let mut socket = TcpStream::connect(addr).expect("connect");
        socket
            .set_read_timeout(Some(DEADLINE))
            .expect("read timeout");
        let fixed = format!(
            "Host: mcp.example.test\r\nUser-Agent: raw/1\r\nContent-Length: {}",
            body.len()
        );
        let text = format!("{request} HTTP/1.1\r\n{headers}{fixed}\r\n\r\n{body}");
        socket.write_all(text.as_bytes()).expect("write");
        Self {
            socket,
            seen: String::new(),
        }
    }

    /// Reads until `text` stands in the answer, and forgets everything up to it.
    pub(crate) fn until(&mut self, text: &str) -> String {
        for _ in 0..READS_MAX {
            if let Some((before, rest)) = self.seen.split_once(text) {
                let before = before.to_owned();
                self.seen = rest.to_owned();
                return before;
            }
            assert!(self.read(), "ended before {text:?}: {:?}", self.seen);
        }
        panic!("{text:?} never came: {:?}", self.seen);
    }

    pub(crate) fn ending(&mut self) -> Ended {
        for _ in 0..READS_MAX {
            if self.seen.ends_with("\r\n0\r\n\r\n") {
                return Ended::WithFinalChunk;
            }
            if !self.read() {
                return Ended::WithoutFinalChunk;
            }
        }
        panic!("a stream that goes on beating")
    }

    /// The whole answer to a request that is no stream.
    pub(crate) fn answer(mut self) -> (u16, String, String) {
        let head = self.until("\r\n\r\n").to_ascii_lowercase();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let length = header(&head, "content-length").and_then(|length| length.parse().ok());
        while self.seen.len() < length.unwrap_or(0) {
            assert!(self.read(), "short answer: {head}");
        }
        (status.expect("status"), head, self.seen)
    }

    fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.socket.read(&mut buffer) {
            Ok(read) => {
                self.seen
                    .push_str(std::str::from_utf8(&buffer[..read]).expect("text"));
                read > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing came: {error}; so far {:?}", self.seen),
        }
    }
}

pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

pub(crate) fn get(addr: SocketAddr, target: &str) -> Wire {
    Wire::send(addr, &format!("GET {target}"), "", "")
}

pub(crate) fn call(addr: SocketAddr, method: &str, session: &str, body: &str) -> Wire {
    let headers = format!("Mcp-Session-Id: {session}\r\n");
    Wire::send(addr, &format!("{method} /mcp"), &headers, body)
}
