//! A client of MCP servers as users run them, with the User-Agent `it-client`.
//!
//! Every request goes out on a fresh connection: connection reuse would hide affinity misses. It knows
//! the two transports that the SDK's server speaks, and no proxy.

use super::http::{self, Response, Stream};
use std::net::{Ipv4Addr, SocketAddr};

const ACCEPT: (&str, &str) = ("Accept", "application/json, text/event-stream");
const JSON: (&str, &str) = ("Content-Type", "application/json");
const AGENT: (&str, &str) = ("User-Agent", "it-client");

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"it-client","version":"1"}}}"#;
const PING: &str = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;

/// Whether a client sends back the cookies that it was given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookies {
    Kept,
    Dropped,
}

/// One client and its session.
pub(crate) struct Client {
    address: SocketAddr,
    /// Sent as `X-Real-IP`, which the test's nginx believes: many clients on one loopback address.
    from: Option<String>,
    cookies: Cookies,
    cookie: Option<String>,
    session: Option<String>,
}

impl Client {
    /// A client without a session. `from` is the address it pretends to come from.
    pub(crate) fn new(address: SocketAddr, from: Option<Ipv4Addr>, cookies: Cookies) -> Self {
        Self {
            address,
            from: from.map(|ip| ip.to_string()),
            cookies,
            cookie: None,
            session: None,
        }
    }

    /// Opens a Streamable HTTP session, and gives the name of the replica that minted it.
    pub(crate) fn initialize(&mut self) -> String {
        let answer = self.send("POST /mcp", INITIALIZE);
        assert_eq!(answer.status, 200, "initialize: {}", answer.body);
        self.session = answer.header("mcp-session-id").map(str::to_owned);
        assert!(self.session.is_some(), "no session id");
        self.cookie = answer
            .header("set-cookie")
            .and_then(|all| all.split(';').next())
            .map(str::to_owned);
        answer
            .header("x-replica")
            .expect("the replica's name")
            .to_owned()
    }

    /// The id of the open session.
    pub(crate) fn session(&self) -> &str {
        self.session.as_deref().expect("an open session")
    }

    /// A request within the session; its status.
    pub(crate) fn ping(&self) -> u16 {
        self.send("POST /mcp", PING).status
    }

    /// The statuses of `count` requests within the session.
    pub(crate) fn pings(&self, count: usize) -> Vec<u16> {
        (0..count).map(|_| self.ping()).collect()
    }

    /// Ends the session; the status of the DELETE.
    pub(crate) fn delete(&self) -> u16 {
        self.send("DELETE /mcp", "").status
    }

    /// Opens the session's GET stream.
    pub(crate) fn stream(&self) -> Stream {
        let stream = self.open("GET /mcp", "").expect("the stream's head");
        assert_eq!(stream.status, 200, "GET /mcp");
        stream
    }

    /// Opens a stream of the legacy transport; the path to POST to comes with it.
    pub(crate) fn legacy_stream(&self) -> (Stream, String) {
        let mut stream = self.open("GET /sse", "").expect("the stream's head");
        assert_eq!(stream.status, 200, "GET /sse");
        let endpoint = stream.wait_for_line("data: ");
        (stream, endpoint)
    }

    /// `initialize` over the legacy transport; the answer to the POST, not the one on the stream.
    pub(crate) fn legacy_initialize(&self, endpoint: &str) -> Response {
        self.send(&format!("POST {endpoint}"), INITIALIZE)
    }

    fn send(&self, line: &str, body: &str) -> Response {
        http::request(self.address, line, &self.headers(), body)
            .unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    fn open(&self, line: &str, body: &str) -> std::io::Result<Stream> {
        Stream::open(self.address, line, &self.headers(), body)
    }

    fn headers(&self) -> Vec<(&str, &str)> {
        let mut headers = vec![AGENT, ACCEPT, JSON];
        headers.extend(self.from.as_deref().map(|ip| ("X-Real-IP", ip)));
        headers.extend(self.session.as_deref().map(|id| ("Mcp-Session-Id", id)));
        if self.cookies == Cookies::Kept {
            headers.extend(self.cookie.as_deref().map(|cookie| ("Cookie", cookie)));
        }
        headers
    }
}
