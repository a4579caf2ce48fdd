//! `subscriptions/listen`: POST `server/discover`, then POST the subscription, whose answer is the stream.
//!
//! MCP specification 2026-07-28, `basic/transports/streamable-http` and `basic/utilities/subscriptions`. No
//! session, no resuming: a stream that ended is asked for again under a new id, and what was said between
//! is lost.

use url::Url;

use super::{Answer, Next, Request};
use crate::canary::ending::{self, Cause};
use crate::canary::rpc::modern::{self, Changes, Discovery};
use crate::canary::rpc::{self, Incoming};
use crate::reason::Reason;

/// The id of the request at the beginning; any will do, the answer is the only one on its connection.
const DISCOVER_ID: u64 = 1;

/// The script of one slot.
#[derive(Debug)]
pub struct Script {
    url: Url,
    state: State,
    /// What the server can tell of, once discovered.
    changes: Option<Changes>,
    /// Subscriptions so far: each has a new id.
    count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Discovering,
    Subscribing,
    Held,
    /// The server said that it ends the subscription.
    Dismissed,
}

impl Script {
    pub(super) fn new(url: Url) -> Self {
        Self {
            url,
            state: State::Discovering,
            changes: None,
            count: 0,
        }
    }

    /// What was discovered holds until an attempt fails.
    pub(super) fn begin(&mut self) -> Next {
        match self.changes {
            Some(changes) => self.subscribe(changes),
            None => {
                self.state = State::Discovering;
                Next::Post(self.probe(DISCOVER_ID))
            }
        }
    }

    pub(super) fn replied(&mut self, answer: &Answer) -> Next {
        if self.state != State::Discovering {
            return Next::Wait;
        }
        match modern::discovered(&answer.messages()) {
            Discovery::Speaks(changes) if answer.is_success() => {
                self.changes = Some(changes);
                self.subscribe(changes)
            }
            Discovery::Refuses => Next::Fail(answer.refusal()),
            // Some older servers break on a method that they have never heard of.
            _ if answer.is_unspoken() || matches!(answer.status, 422 | 500 | 501) => {
                Next::NotSpoken(answer.refusal())
            }
            _ if answer.is_success() => Next::NotSpoken(Reason::ProtocolError),
            _ => Next::Fail(answer.refusal()),
        }
    }

    /// A server that does not know the method may not answer at all.
    pub(super) fn reply_failed(&self, cause: Cause) -> Next {
        let reason = ending::of_attempt(cause);
        if self.state == State::Discovering && cause == Cause::AnswerTimeout {
            return Next::NotSpoken(reason);
        }
        Next::Fail(reason)
    }

    pub(super) fn opened(&mut self, answer: &Answer) -> Next {
        if answer.is_success() && answer.is_event_stream() {
            return Next::Wait;
        }
        // In this version 404 is "method not found": the server speaks, and offers no stream.
        if answer.status == 404 {
            return Next::NoStream;
        }
        self.changes = None;
        Next::Fail(answer.refusal())
    }

    /// The first that a server says is the acknowledgement; the last is the result, or the cancellation:
    /// the specification has both (`subscriptions#graceful-closure`, `patterns/cancellation`).
    pub(super) fn heard(&mut self, data: &str) -> Next {
        let own = self.id();
        match (self.state, rpc::read(data)) {
            (State::Subscribing, Some(Incoming::Acknowledged(id))) if id == own => {
                self.state = State::Held;
                Next::Held
            }
            (State::Subscribing, Some(Incoming::Failed { id, code }))
                if id == own && code == modern::METHOD_NOT_FOUND =>
            {
                Next::NoStream
            }
            (
                State::Subscribing,
                Some(
                    Incoming::Acknowledged(_)
                    | Incoming::Done(_)
                    | Incoming::Failed { .. }
                    | Incoming::Cancelled(_),
                ),
            ) => Next::Fail(Reason::ProtocolError),
            (State::Held, Some(Incoming::Done(id) | Incoming::Cancelled(id))) if id == own => {
                self.state = State::Dismissed;
                Next::Wait
            }
            _ => Next::Wait,
        }
    }

    /// "A transport that closes without [the result] indicates an unexpected disconnect"
    /// (`subscriptions#graceful-closure`); with it, how the connection ends does not matter.
    pub(super) fn read_end(&self, cause: Cause) -> Cause {
        match (cause, self.state) {
            (Cause::CleanEnd | Cause::Truncated, State::Dismissed) => Cause::CleanEnd,
            (Cause::CleanEnd, _) => Cause::Truncated,
            (cause, _) => cause,
        }
    }

    /// Any request without effect shows that the server lives.
    pub(super) fn probe(&self, id: u64) -> Request {
        self.post("server/discover", modern::discover(id))
    }

    pub(super) fn forget(&mut self) {
        self.changes = None;
    }

    fn subscribe(&mut self, changes: Changes) -> Next {
        if !changes.any() {
            return Next::NoStream;
        }
        self.count += 1;
        self.state = State::Subscribing;
        let body = modern::listen(&self.id(), changes);
        Next::Open(self.post("subscriptions/listen", body))
    }

    fn id(&self) -> String {
        format!("listen-{}", self.count)
    }

    /// Header and body say the same, or the server answers 400.
    fn post(&self, method: &str, body: String) -> Request {
        Request {
            url: self.url.clone(),
            headers: vec![
                ("accept", "application/json, text/event-stream".into()),
                ("content-type", "application/json".into()),
                ("mcp-protocol-version", modern::VERSION.into()),
                ("mcp-method", method.into()),
            ],
            body: Some(body),
        }
    }
}
