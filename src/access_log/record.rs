//! One line of an access log, whichever proxy wrote it.
//!
//! It does not know how the line was written, nor what it means.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Stamp, rules, search};
use crate::reason::Reason;

/// What one line says, borrowed from it. `None`: not logged, or logged as absent (`-`, empty).
/// Values are as written: where a backslash stands in one, [`super::unescape`] gives what was meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// Not a request: a message of the proxy's own among its access lines.
    pub no_request: bool,
    /// Why the stream ended, if it was one, as the line alone tells; `None` where a join decides.
    pub verdict: Option<Reason>,
    /// When the request began, where that is logged.
    pub started: Option<Stamp>,
    /// When the request ended.
    pub ended: Option<Stamp>,
    /// The same in microseconds since 1970-01-01 UTC, where logged so exactly.
    pub ended_us: Option<i64>,
    /// How long it took, from its first byte to the end of the answer.
    pub duration: Option<Duration>,
    /// How long the answer went on after its headers.
    pub after_headers: Option<Duration>,
    /// `GET`, `POST`, …
    pub method: Option<&'a [u8]>,
    /// The path, without the query.
    pub path: Option<&'a [u8]>,
    /// What follows the `?`.
    pub query: Option<&'a [u8]>,
    /// The status that the client got, or would have got (nginx: 499).
    pub status: Option<u16>,
    /// Whether the proxy itself holds the answer for complete (nginx: `$request_completion`).
    pub completed: Option<bool>,
    /// The last upstream tried, as written: an address (nginx: a group's name where none was live), or
    /// `backend/server` where HAProxy logs no address.
    pub upstream: Option<&'a [u8]>,
    /// More than one upstream was tried.
    pub retried: bool,
    /// The upstreams tried before in vain, divided by `, `, where they are logged.
    pub tried: Option<&'a [u8]>,
    /// Whether the last upstream had sent its headers.
    pub upstream_headers: Option<bool>,
    /// Whether the last upstream accepted the connection.
    pub upstream_connected: Option<bool>,
    /// The proxy's number for the client's connection.
    pub connection: Option<u64>,
    /// The client's address.
    pub client: Option<&'a [u8]>,
    /// The client's port.
    pub client_port: Option<u16>,
    /// What became of the client's connection (Apache: `%X`).
    pub client_connection: Option<ClientConnection>,
    /// The id that the proxy's error log has for the request; `-` where nothing was logged there
    /// (Apache: `%L`).
    pub error_id: Option<&'a [u8]>,
    /// The session id in the request's header.
    pub session_sent: Option<&'a [u8]>,
    /// The session id in the answer's header.
    pub session_minted: Option<&'a [u8]>,
    /// The session id in the query: HTTP+SSE of 2024-11-05.
    pub session_query: Option<&'a [u8]>,
    /// The `User-Agent` header.
    pub user_agent: Option<&'a [u8]>,
    /// The `Mcp-Method` header: what a POST asks for (MCP 2026-07-28).
    pub mcp_method: Option<&'a [u8]>,
    /// What an application's own line says of a stream.
    pub told: Option<rules::Told>,
    /// The answer's `Content-Type`.
    pub content_type: Option<&'a [u8]>,
}

impl<'a> Record<'a> {
    /// Whether it carries a session, or opens one.
    pub fn has_session(&self) -> bool {
        let ids = [self.session_sent, self.session_minted, self.session_query];
        ids.iter().any(Option::is_some)
    }

    /// Whether the proxy answered with an error of its own, as far as the line tells: no upstream did.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.status, Some(502..=504)) && self.upstream_headers != Some(true)
    }

    /// The last upstream tried, if it is one: a group's name (no upstream was live) is none. Proxies
    /// whose lines decide alone write a server's name or address, and no group's.
    pub fn upstream_address(&self) -> Option<&'a [u8]> {
        let is_one = |upstream: &&[u8]| self.verdict.is_some() || search::contains(b':', upstream);
        self.upstream.filter(is_one)
    }
}

/// What became of the client's connection at the end of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientConnection {
    /// It broke before the answer was complete.
    Aborted,
    /// The answer was complete, and the connection serves further requests.
    Kept,
    /// It is closed behind the answer, complete or not.
    Closed,
}
