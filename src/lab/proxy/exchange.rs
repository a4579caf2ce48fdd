//! One request on its way through the proxy; writes its log lines when it is dropped, however it ended.
//!
//! Dropped before it was told of an end means that the client hung up: hyper drops a response that
//! nobody reads any more. Does not decide where to send a request.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::http::{HeaderMap, HeaderName, header, request};

use super::Client;
use super::line::{Asked, Attempt, End, Record};
use super::log::Logs;
use super::text::field;
use crate::lab::clock;

/// The session header (spec 2025-06-18, basic/transports, "Session Management").
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// The header that says what a POST asks for (spec 2026-07-28, basic/transports).
const METHOD: HeaderName = HeaderName::from_static("mcp-method");

/// A request and its answer so far.
pub(super) struct Exchange {
    logs: Arc<Logs>,
    started: Instant,
    tried: Instant,
    record: Record,
    /// Bytes of content still to send, where the response's head states them.
    left: Option<u64>,
}

impl Exchange {
    /// A request whose head was just read.
    pub(super) fn begin(logs: Arc<Logs>, client: &Client, head: &request::Parts) -> Self {
        let started = clock::now();
        let uri = field(
            head.uri
                .path_and_query()
                .map_or("", |target| target.as_str())
                .as_bytes(),
        );
        let asked = Asked {
            connection: client.connection,
            client: client.addr.ip(),
            request: format!(
                "{} {uri} {:?}",
                field(head.method.as_str().as_bytes()),
                head.version
            ),
            uri,
            host: value(&head.headers, &header::HOST),
            referer: value(&head.headers, &header::REFERER),
            user_agent: value(&head.headers, &header::USER_AGENT),
            session: value(&head.headers, &SESSION),
            mcp_method: value(&head.headers, &METHOD),
        };
        let record = Record {
            asked,
            attempts: Vec::new(),
            status: None,
            body_bytes: 0,
            minted: "-".to_owned(),
            content_type: "-".to_owned(),
            end: End::ClientGone,
        };
        Self {
            logs,
            started,
            tried: started,
            record,
            left: None,
        }
    }

    /// The next upstream is tried.
    pub(super) fn attempt(&mut self, addr: SocketAddr) {
        self.tried = clock::now();
        self.record.attempts.push(Attempt {
            addr,
            status: None,
            is_connected: false,
            header_time: None,
        });
    }

    /// The upstream did not take the connection.
    pub(super) fn refused(&mut self, error: &io::Error) {
        self.upstream_status(502);
        self.logs.error(
            self.record
                .connect_line(clock::calendar(), &os_error(error)),
        );
    }

    /// The upstream took the request and gave no head: logged now, since the answer to the client
    /// is an ordinary one.
    pub(super) fn failed(&mut self, end: End) {
        self.connected();
        self.upstream_status(if end == End::TimedOut { 504 } else { 502 });
        self.record.end = end;
        if let Some(line) = self.record.end_line(clock::calendar()) {
            self.logs.error(line);
        }
        self.record.end = End::ClientGone;
    }

    /// The upstream's head arrived, and `length` bytes of content will follow, if it says how many.
    pub(super) fn answered(&mut self, status: u16, headers: &HeaderMap, length: Option<u64>) {
        if let Some(attempt) = self.record.attempts.last_mut() {
            attempt.header_time = Some(clock::now().duration_since(self.tried));
        }
        self.upstream_status(status);
        self.connected();
        self.record.minted = value(headers, &SESSION);
        self.record.content_type = value(headers, &header::CONTENT_TYPE);
        self.reply(status, length);
    }

    /// The client is answered with `status`, by the upstream or by the proxy itself.
    pub(super) fn reply(&mut self, status: u16, length: Option<u64>) {
        self.record.status = Some(status);
        self.left = length;
        self.sent(0);
    }

    /// Content was handed to the client. With the last byte of a stated length the response is
    /// whole: hyper then asks for nothing more.
    pub(super) fn sent(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        self.record.body_bytes += bytes;
        self.left = self.left.map(|left| left.saturating_sub(bytes));
        if self.left == Some(0) {
            self.record.end = End::Whole;
        }
    }

    /// The response ended so.
    pub(super) fn end(&mut self, end: End) {
        self.record.end = end;
    }

    fn connected(&mut self) {
        if let Some(attempt) = self.record.attempts.last_mut() {
            attempt.is_connected = true;
        }
    }

    fn upstream_status(&mut self, status: u16) {
        if let Some(attempt) = self.record.attempts.last_mut() {
            attempt.status = Some(status);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let (at, took) = (clock::calendar(), clock::now().duration_since(self.started));
        if let Some(line) = self.record.end_line(at) {
            self.logs.error(line);
        }
        self.logs.access(self.record.access_line(at, took));
    }
}

fn value(headers: &HeaderMap, name: &HeaderName) -> String {
    field(headers.get(name).map_or(&[][..], |value| value.as_bytes()))
}

/// `111: Connection refused`, as nginx writes an operating system's error.
fn os_error(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    format!("{}: {text}", error.raw_os_error().unwrap_or_default())
}
