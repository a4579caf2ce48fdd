//! HTTP+SSE: GET the stream, read the `endpoint` event, POST to it; answers come on the stream.
//!
//! MCP specification 2024-11-05, `basic/transports#http-with-sse`. The session lives as long as the stream.

use url::Url;

use super::{Answer, Cookies, Next, Request};
use crate::canary::rpc::{self, Incoming};
use crate::reason::Reason;
use crate::sse::Message;

/// The script of one slot.
#[derive(Debug)]
pub struct Script {
    url: Url,
    state: State,
    endpoint: Option<Endpoint>,
    version: &'static str,
    cookies: Cookies,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Opening,
    Greeting,
    Initializing,
    Announcing,
    Held,
}

/// The URL to post to; it carries the session id, so its debug form hides it.
struct Endpoint(Url);

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Endpoint(..)")
    }
}

impl Script {
    pub(super) fn new(url: Url) -> Self {
        Self {
            url,
            state: State::Opening,
            endpoint: None,
            version: rpc::HTTP_SSE_VERSION,
            cookies: Cookies::default(),
        }
    }

    pub(super) fn version(&self) -> &'static str {
        self.version
    }

    pub(super) fn begin(&mut self) -> Next {
        self.forget();
        Next::Open(Request {
            url: self.url.clone(),
            headers: vec![("accept", "text/event-stream".into())],
            body: None,
        })
    }

    pub(super) fn opened(&mut self, answer: &Answer) -> Next {
        if !(answer.is_success() && answer.is_event_stream()) {
            return Next::Fail(answer.refusal());
        }
        self.cookies.take(answer);
        self.state = State::Greeting;
        Next::Wait
    }

    pub(super) fn awaits_endpoint(&self) -> bool {
        matches!(self.state, State::Opening | State::Greeting)
    }

    pub(super) fn heard(&mut self, message: &Message) -> Next {
        match self.state {
            State::Greeting if message.name == "endpoint" => self.greeted(&message.data),
            // The first event must be `endpoint`: whoever says something else speaks no MCP.
            State::Greeting => Next::NotSpoken(Reason::ProtocolError),
            State::Initializing => match rpc::read(&message.data) {
                Some(Incoming::Initialized { version }) => {
                    self.version = version;
                    self.state = State::Announcing;
                    self.post_or_fail(rpc::initialized())
                }
                Some(Incoming::InitializeFailed) => Next::Fail(Reason::ProtocolError),
                _ => Next::Wait,
            },
            _ => Next::Wait,
        }
    }

    pub(super) fn replied(&mut self, answer: &Answer) -> Next {
        self.cookies.take(answer);
        let body = match self.state {
            State::Initializing if answer.is_success() => return Next::Wait,
            State::Announcing if answer.is_success() => {
                self.state = State::Held;
                return Next::Held;
            }
            State::Initializing => rpc::initialize(rpc::HTTP_SSE_VERSION),
            State::Announcing => rpc::initialized(),
            State::Opening | State::Greeting | State::Held => return Next::Wait,
        };
        match self.post(body) {
            Some(request) if answer.is_session_refusal() => Next::Refused(request),
            _ => Next::Fail(answer.refusal()),
        }
    }

    pub(super) fn post(&self, body: String) -> Option<Request> {
        let Endpoint(url) = self.endpoint.as_ref()?;
        let mut headers = vec![("content-type", "application/json".to_owned())];
        headers.extend(self.cookies.header());
        Some(Request {
            url: url.clone(),
            headers,
            body: Some(body),
        })
    }

    pub(super) fn forget(&mut self) {
        self.state = State::Opening;
        self.endpoint = None;
        self.cookies.clear();
    }

    /// The endpoint must be of the stream's own origin, or secrets would go where the server points.
    fn greeted(&mut self, endpoint: &str) -> Next {
        let Some(url) = self
            .url
            .join(endpoint.trim())
            .ok()
            .filter(|url| url.origin() == self.url.origin())
        else {
            return Next::Fail(Reason::ProtocolError);
        };
        self.endpoint = Some(Endpoint(url));
        self.state = State::Initializing;
        self.post_or_fail(rpc::initialize(rpc::HTTP_SSE_VERSION))
    }

    fn post_or_fail(&self, body: String) -> Next {
        self.post(body)
            .map_or(Next::Fail(Reason::ProtocolError), Next::Post)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str) -> Message {
        Message {
            name: name.into(),
            data: data.into(),
            id: String::new(),
        }
    }

    fn status(status: u16) -> Answer {
        Answer {
            status,
            content_type: "text/event-stream".into(),
            ..Answer::default()
        }
    }

    fn greeted(endpoint: &str) -> (Script, Next) {
        let mut script = Script::new("http://127.0.0.1:3001/sse".parse().unwrap());
        assert!(matches!(script.begin(), Next::Open(_)));
        assert_eq!(script.opened(&status(200)), Next::Wait);
        let next = script.heard(&event("endpoint", endpoint));
        (script, next)
    }

    #[test]
    fn shakes_hands_over_the_stream() {
        let (mut script, next) = greeted("/messages?sessionId=s1");
        let Next::Post(initialize) = next else {
            panic!("initialize, not {next:?}")
        };
        assert_eq!(
            initialize.url.as_str(),
            "http://127.0.0.1:3001/messages?sessionId=s1"
        );
        assert_eq!(script.replied(&status(202)), Next::Wait);
        let result = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2024-11-05"}}"#;
        assert!(matches!(
            script.heard(&event("message", result)),
            Next::Post(_)
        ));
        assert_eq!(script.replied(&status(202)), Next::Held);
    }

    #[test]
    fn a_refused_post_may_be_tried_elsewhere() {
        for code in [400, 404] {
            let (mut script, next) = greeted("/messages?session_id=s1");
            let Next::Post(initialize) = next else {
                panic!("initialize, not {next:?}")
            };
            assert_eq!(script.replied(&status(code)), Next::Refused(initialize));
        }
        let (mut script, _) = greeted("/messages");
        assert_eq!(script.replied(&status(503)), Next::Fail(Reason::Http5xx));
    }

    #[test]
    fn another_event_than_endpoint_is_no_mcp() {
        let mut script = Script::new("http://127.0.0.1:3001/events".parse().unwrap());
        script.begin();
        script.opened(&status(200));
        assert_eq!(
            script.heard(&event("status", "ready")),
            Next::NotSpoken(Reason::ProtocolError)
        );
    }

    #[test]
    fn an_endpoint_elsewhere_is_refused() {
        for endpoint in [
            "http://evil.example/messages",
            "//evil.example/m",
            "http://127.0.0.1:1/m",
            "http://[",
        ] {
            assert_eq!(
                greeted(endpoint).1,
                Next::Fail(Reason::ProtocolError),
                "{endpoint}"
            );
        }
    }

    #[test]
    fn a_stream_of_another_kind_is_refused() {
        let mut script = Script::new("http://127.0.0.1:3001/sse".parse().unwrap());
        let html = Answer {
            status: 200,
            content_type: "text/html".into(),
            ..Answer::default()
        };
        assert_eq!(script.opened(&html), Next::Fail(Reason::ProtocolError));
        assert_eq!(script.opened(&status(405)), Next::Fail(Reason::Http4xx));
    }
}
