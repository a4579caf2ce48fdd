//! A WebSocket: upgrade with the subprotocol `mcp`, then `initialize` and everything else as text messages.
//!
//! No version of the specification has this transport; its shape is that of the SDKs (`mcp.client.websocket` in
//! Python, `client/websocket` in TypeScript). The session is the socket: nothing of it outlives a stream, so
//! affinity does not apply. Frames are the sender's (RFC 6455).

use url::Url;

use super::{Answer, Cookies, Next, Request};
use crate::canary::ending::Cause;
use crate::canary::rpc::{self, Incoming};
use crate::reason::Reason;

/// The status of an upgrade (RFC 9110 section 15.2.2).
const SWITCHING_PROTOCOLS: u16 = 101;

/// Something that arrived on a WebSocket: a whole message, or a control frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A text message.
    Text(String),
    /// A binary message, which MCP has no use for; a sign of life all the same.
    Binary,
    /// A Ping frame, which the sender answers by itself.
    Ping,
    /// A Pong frame, which nobody asked for: a heartbeat in one direction (RFC 6455 section 5.5.3).
    Pong,
    /// A Close frame, with its status code where it has one.
    Close(Option<u16>),
}

/// What a server's Close frame says of the end, by its status code (RFC 6455 section 7.4.1 and the IANA registry
/// "WebSocket Close Code Number").
///
/// Codes of 3000 and above are the applications' own, and no number tells what they mean.
pub fn close_cause(code: Option<u16>) -> Cause {
    match code {
        // Normal closure, going away, no code at all.
        None | Some(1000 | 1001) => Cause::CleanEnd,
        // Service restart.
        Some(1012) => Cause::Drain,
        // Something that was said broke a rule: of the protocol, of its types, its encoding, size, extensions.
        Some(1002 | 1003 | 1007 | 1009 | 1010) => Cause::Garbage,
        // Policy, internal error, overload.
        Some(1008 | 1011 | 1013) => Cause::Complaint,
        // Reserved ones, that nobody may send. tungstenite counts 1014 among them, and reads each as 1002.
        Some(0..=999 | 1004..=1006 | 1014..=2999) => Cause::Garbage,
        Some(_) => Cause::Other,
    }
}

/// The script of one slot.
#[derive(Debug)]
pub struct Script {
    url: Url,
    state: State,
    version: &'static str,
    cookies: Cookies,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Opening,
    Initializing,
    Held,
}

impl Script {
    pub(super) fn new(url: Url) -> Self {
        Self {
            url,
            state: State::Opening,
            version: rpc::STREAMABLE_VERSION,
            cookies: Cookies::default(),
        }
    }

    pub(super) fn version(&self) -> &'static str {
        self.version
    }

    pub(super) fn begin(&mut self) -> Next {
        self.state = State::Opening;
        Next::Upgrade(Request {
            url: self.url.clone(),
            headers: self.cookies.header().into_iter().collect(),
            body: None,
        })
    }

    pub(super) fn opened(&mut self, answer: &Answer) -> Next {
        if answer.status != SWITCHING_PROTOCOLS {
            return Next::Fail(answer.refusal());
        }
        self.cookies.take(answer);
        self.state = State::Initializing;
        Next::Say(rpc::initialize(rpc::STREAMABLE_VERSION))
    }

    pub(super) fn heard(&mut self, text: &str) -> Next {
        if self.state != State::Initializing {
            return Next::Wait;
        }
        match rpc::read(text) {
            Some(Incoming::Initialized { version }) => {
                self.version = version;
                self.state = State::Held;
                Next::SayAndHold(rpc::initialized())
            }
            Some(Incoming::InitializeFailed) => Next::Fail(Reason::ProtocolError),
            _ => Next::Wait,
        }
    }

    pub(super) fn forget(&mut self) {
        self.state = State::Opening;
        self.cookies.clear();
    }
}
