//! What to say to an MCP server, per transport.
//!
//! A [`Protocol`] is a script: told what the server answered, it says what is [`Next`]. It knows no time,
//! no sockets and no retries.

mod cookies;
mod event_id;
mod http_sse;
mod listen;
mod sse;
mod streamable;
pub mod websocket;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use url::Url;

use self::cookies::Cookies;
use super::ending::{self, Cause};
use super::{Transport, rpc};
use crate::reason::Reason;
use crate::sse::{Frame, Message, Tap};

/// A request to send on a fresh connection.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Where to.
    pub url: Url,
    /// The protocol's own headers; the configured ones are added by the sender.
    pub headers: Vec<(&'static str, String)>,
    /// JSON-RPC text; `None` for GET and DELETE.
    pub body: Option<String>,
}

/// Session ids and cookies stand in a request, so its debug form is only its path.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({})", self.url.path())
    }
}

/// The head of an answer, and its body where it was read whole.
#[derive(Clone, Default)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`, lower case, without parameters.
    pub content_type: String,
    /// `Mcp-Session-Id`.
    pub session: Option<String>,
    /// `Set-Cookie` values as they came.
    pub cookies: Vec<String>,
    /// `Retry-After`, from now (RFC 9110 section 10.2.3).
    pub retry_after: Option<Duration>,
    /// The body, for posts; bounded by the sender.
    pub body: Bytes,
}

/// Ids, cookies and bodies stay out of the debug form.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} {})", self.status, self.content_type)
    }
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn is_event_stream(&self) -> bool {
        self.content_type == "text/event-stream"
    }

    /// Refused as a server refuses an id that it does not know: 404, and 400 from older SDKs.
    pub(super) fn is_session_refusal(&self) -> bool {
        matches!(self.status, 400 | 404)
    }

    /// Refused as a server refuses an era that it does not speak (specification 2025-11-25,
    /// `basic/transports#backwards-compatibility`). Not so 401, 403, 406, 415, 421 and 429: it speaks, and
    /// would say the same in any era.
    fn is_unspoken(&self) -> bool {
        matches!(self.status, 400 | 404 | 405)
    }

    /// The reason that a status outside 2xx is.
    fn refusal(&self) -> Reason {
        match self.status {
            400..=499 => Reason::Http4xx,
            500..=599 => Reason::Http5xx,
            _ => Reason::ProtocolError,
        }
    }

    /// The JSON-RPC messages of a body, be it JSON or an event stream.
    fn messages(&self) -> Vec<String> {
        if !self.is_event_stream() {
            return vec![String::from_utf8_lossy(&self.body).into_owned()];
        }
        let mut messages = Vec::new();
        Tap::default().feed(&self.body, &mut |frame| {
            if let Frame::Event(message) = frame {
                messages.push(message.data);
            }
        });
        messages
    }
}

/// What the script wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send this post; its answer goes to [`Protocol::replied`].
    Post(Request),
    /// Open the stream; its head goes to [`Protocol::opened`].
    Open(Request),
    /// Ask for a WebSocket; the head of the answer goes to [`Protocol::opened`].
    Upgrade(Request),
    /// Say this on the stream.
    Say(String),
    /// Say this on the stream; the handshake is done with it.
    SayAndHold(String),
    /// Wait for the stream to say something.
    Wait,
    /// The handshake is done and the stream is held.
    Held,
    /// The server refused the session id; the same request may be tried on another connection.
    Refused(Request),
    /// The server is well and offers no stream: there is nothing to hold.
    NoStream,
    /// The server does not speak this era. The reason is that of the attempt, where no other is left to try.
    NotSpoken(Reason),
    /// No stream can be had.
    Fail(Reason),
}

/// The script of one stream slot.
#[derive(Debug)]
pub enum Protocol {
    /// HTTP+SSE, 2024-11-05.
    HttpSse(http_sse::Script),
    /// Streamable HTTP with sessions.
    Streamable(streamable::Script),
    /// `subscriptions/listen`, 2026-07-28.
    Listen(listen::Script),
    /// A plain event stream.
    Sse(sse::Script),
    /// A WebSocket.
    WebSocket(websocket::Script),
}

impl Protocol {
    /// The script for a transport; `auto` begins with the newest.
    pub fn new(transport: Transport, url: Url) -> Self {
        match transport {
            Transport::HttpSse => Self::HttpSse(http_sse::Script::new(url)),
            Transport::StreamableHttp => Self::Streamable(streamable::Script::new(url)),
            Transport::Auto | Transport::Listen => Self::Listen(listen::Script::new(url)),
            Transport::Sse => Self::Sse(sse::Script::new(url)),
            Transport::WebSocket => Self::WebSocket(websocket::Script::new(url)),
        }
    }

    /// The transport that is spoken.
    pub fn transport(&self) -> Transport {
        match self {
            Self::HttpSse(_) => Transport::HttpSse,
            Self::Streamable(_) => Transport::StreamableHttp,
            Self::Listen(_) => Transport::Listen,
            Self::Sse(_) => Transport::Sse,
            Self::WebSocket(_) => Transport::WebSocket,
        }
    }

    /// The negotiated protocol version.
    pub fn version(&self) -> &'static str {
        match self {
            Self::HttpSse(script) => script.version(),
            Self::Streamable(script) => script.version(),
            Self::Listen(_) => rpc::modern::VERSION,
            Self::Sse(_) => "none",
            Self::WebSocket(script) => script.version(),
        }
    }

    /// A new attempt begins.
    pub fn begin(&mut self) -> Next {
        match self {
            Self::HttpSse(script) => script.begin(),
            Self::Streamable(script) => script.begin(),
            Self::Listen(script) => script.begin(),
            Self::Sse(script) => script.begin(),
            Self::WebSocket(script) => script.begin(),
        }
    }

    /// The post of the handshake was answered.
    pub fn replied(&mut self, answer: &Answer) -> Next {
        match self {
            Self::HttpSse(script) => script.replied(answer),
            Self::Streamable(script) => script.replied(answer),
            Self::Listen(script) => script.replied(answer),
            Self::Sse(_) | Self::WebSocket(_) => Next::Wait,
        }
    }

    /// The post of the handshake was not answered.
    pub fn reply_failed(&mut self, cause: Cause) -> Next {
        match self {
            Self::Listen(script) => script.reply_failed(cause),
            _ => Next::Fail(ending::of_attempt(cause)),
        }
    }

    /// The stream's head arrived.
    pub fn opened(&mut self, answer: &Answer) -> Next {
        match self {
            Self::HttpSse(script) => script.opened(answer),
            Self::Streamable(script) => script.opened(answer),
            Self::Listen(script) => script.opened(answer),
            Self::Sse(script) => script.opened(answer),
            Self::WebSocket(script) => script.opened(answer),
        }
    }

    /// The stream said something.
    pub fn heard(&mut self, message: &Message) -> Next {
        match self {
            Self::HttpSse(script) => return script.heard(message),
            Self::Listen(script) => return script.heard(&message.data),
            Self::WebSocket(script) => return script.heard(&message.data),
            Self::Streamable(script) => script.heard(message),
            Self::Sse(script) => script.heard(message),
        }
        Next::Wait
    }

    /// Whether the stream has not yet begun as HTTP+SSE demands.
    pub fn awaits_endpoint(&self) -> bool {
        matches!(self, Self::HttpSse(script) if script.awaits_endpoint())
    }

    /// What the end of a held stream means in this era.
    pub fn read_end(&self, cause: Cause) -> Cause {
        match self {
            Self::Listen(script) => script.read_end(cause),
            Self::HttpSse(_) | Self::Streamable(_) | Self::Sse(_) | Self::WebSocket(_) => cause,
        }
    }

    /// Whether a server may end the connection and mean the stream to go on (SEP-1699).
    pub fn may_pause(&self) -> bool {
        matches!(self, Self::Streamable(script) if script.may_pause())
    }

    /// The place in the stream led nowhere: the next is asked for without it.
    pub fn forget_place(&mut self) {
        if let Self::Streamable(script) = self {
            script.forget_place();
        }
    }

    /// How to answer a request of the server: by a post or on the stream, or not at all. 2026-07-28 has no
    /// requests on streams, and a plain stream no way back.
    pub fn answer(&self, body: String) -> Next {
        match self {
            Self::HttpSse(script) => script.post(body).map_or(Next::Wait, Next::Post),
            Self::Streamable(script) => Next::Post(script.post(body)),
            Self::WebSocket(_) => Next::Say(body),
            Self::Listen(_) | Self::Sse(_) => Next::Wait,
        }
    }

    /// A request without effect that shows whether the server lives, and knows the session where it lands.
    pub fn probe(&self, id: u64) -> Option<Request> {
        match self {
            Self::HttpSse(script) => script.post(rpc::cancelled(id)),
            Self::Streamable(script) => Some(script.post(rpc::ping(id))),
            Self::Listen(script) => Some(script.probe(id)),
            Self::Sse(_) | Self::WebSocket(_) => None,
        }
    }

    /// The request that ends the session; `None` where there is none to end.
    pub fn delete(&self) -> Option<Request> {
        match self {
            Self::Streamable(script) => script.delete(),
            Self::HttpSse(_) | Self::Listen(_) | Self::Sse(_) | Self::WebSocket(_) => None,
        }
    }

    /// Whether requests carry a session that outlives the stream.
    pub fn has_session(&self) -> bool {
        self.delete().is_some()
    }

    /// Whether the session ends with its stream, so that an open stream proves that it lives.
    pub fn dies_with_stream(&self) -> bool {
        matches!(self, Self::HttpSse(_))
    }

    /// Whether requests carry a session at all, so that affinity can be watched.
    pub fn has_affinity(&self) -> bool {
        matches!(self, Self::HttpSse(_)) || self.has_session()
    }

    /// Takes a session and cookies from a late answer, so that the session can be deleted.
    pub fn adopt(&mut self, answer: &Answer) {
        if let Self::Streamable(script) = self {
            script.adopt(answer);
        }
    }

    /// Drops session and cookies, and what was found out: the next attempt begins anew.
    pub fn forget(&mut self) {
        match self {
            Self::HttpSse(script) => script.forget(),
            Self::Streamable(script) => script.forget(),
            Self::Listen(script) => script.forget(),
            Self::WebSocket(script) => script.forget(),
            Self::Sse(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_forms_hide_ids() {
        let request = Request {
            url: "http://h/mcp?sessionId=secret".parse().unwrap(),
            headers: vec![("mcp-session-id", "secret".into())],
            body: None,
        };
        let answer = Answer {
            session: Some("secret".into()),
            ..Answer::default()
        };
        assert!(!format!("{request:?} {answer:?}").contains("secret"));
    }
}
