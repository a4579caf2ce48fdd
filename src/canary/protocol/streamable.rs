//! Streamable HTTP with sessions: POST `initialize`, POST `notifications/initialized`, GET the stream.
//!
//! MCP specification, `basic/transports#streamable-http`, 2025-03-26 to 2025-11-25.

use url::Url;

use super::event_id::LastEventId;
use super::{Answer, Cookies, Next, Request};
use crate::canary::rpc::{self, Incoming};
use crate::reason::Reason;
use crate::sse::Message;

const SESSION: &str = "mcp-session-id";
const VERSION: &str = "mcp-protocol-version";

/// The script of one slot.
#[derive(Debug)]
pub struct Script {
    url: Url,
    state: State,
    session: Option<Session>,
    version: &'static str,
    cookies: Cookies,
    last_event_id: LastEventId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Initializing,
    Announcing,
    Opening,
    Held,
}

/// A session id; its debug form hides it.
struct Session(String);

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session(..)")
    }
}

impl Script {
    pub(super) fn new(url: Url) -> Self {
        Self {
            url,
            state: State::Initializing,
            session: None,
            version: rpc::STREAMABLE_VERSION,
            cookies: Cookies::default(),
            last_event_id: LastEventId::default(),
        }
    }

    pub(super) fn version(&self) -> &'static str {
        self.version
    }

    /// A session that outlived its stream is used again, as a client would; else a new one is asked for.
    pub(super) fn begin(&mut self) -> Next {
        if self.session.is_some() {
            return self.open();
        }
        self.state = State::Initializing;
        Next::Post(self.post(rpc::initialize(rpc::STREAMABLE_VERSION)))
    }

    pub(super) fn replied(&mut self, answer: &Answer) -> Next {
        match self.state {
            State::Initializing => self.initialized(answer),
            State::Announcing if answer.is_success() => {
                self.cookies.take(answer);
                self.open()
            }
            State::Announcing if self.session.is_some() && answer.is_session_refusal() => {
                Next::Refused(self.announcement())
            }
            State::Announcing => Next::Fail(answer.refusal()),
            State::Opening | State::Held => Next::Wait,
        }
    }

    pub(super) fn opened(&mut self, answer: &Answer) -> Next {
        if answer.is_success() && answer.is_event_stream() {
            self.cookies.take(answer);
            self.state = State::Held;
            return Next::Held;
        }
        // The place in the stream may be what is refused: without an event store, Go's SDK answers 400 to any
        // `Last-Event-ID`, and Python's 500.
        if matches!(answer.status, 400 | 500) && self.last_event_id.is_known() {
            self.forget_place();
            return Next::Open(self.stream());
        }
        if self.session.is_some() && answer.is_session_refusal() {
            return Next::Refused(self.stream());
        }
        // "The server MUST either return Content-Type: text/event-stream [...] or else 405, indicating that
        // the server does not offer an SSE stream at this endpoint" (2025-11-25, #listening-for-messages).
        if answer.status == 405 {
            return Next::NoStream;
        }
        // An id that the server does not like must not keep the stream away.
        self.forget_place();
        Next::Fail(answer.refusal())
    }

    /// Any event may have an id, the first one too, whose data are empty: the priming event.
    pub(super) fn heard(&mut self, message: &Message) {
        self.last_event_id.take(&message.id);
    }

    /// "The server MAY close the connection (without terminating the SSE stream)" once it sent an event id
    /// (2025-11-25, `basic/transports#sending-messages-to-the-server`).
    pub(super) fn may_pause(&self) -> bool {
        self.last_event_id.is_known()
    }

    pub(super) fn forget_place(&mut self) {
        self.last_event_id.forget();
    }

    pub(super) fn post(&self, body: String) -> Request {
        let mut headers = self.session_headers();
        headers.push(("accept", "application/json, text/event-stream".into()));
        headers.push(("content-type", "application/json".into()));
        self.request(headers, Some(body))
    }

    pub(super) fn delete(&self) -> Option<Request> {
        self.session.as_ref()?;
        Some(self.request(self.session_headers(), None))
    }

    pub(super) fn adopt(&mut self, answer: &Answer) {
        // Ids are taken from 2xx only: Python's SDK sends a dead one with its 400 answers.
        if answer.is_success() && self.session.is_none() {
            self.session = answer.session.clone().map(Session);
        }
        self.cookies.take(answer);
    }

    pub(super) fn forget(&mut self) {
        self.session = None;
        self.version = rpc::STREAMABLE_VERSION;
        self.cookies.clear();
        self.forget_place();
    }

    fn initialized(&mut self, answer: &Answer) -> Next {
        if answer.is_unspoken() {
            return Next::NotSpoken(answer.refusal());
        }
        if !answer.is_success() {
            return Next::Fail(answer.refusal());
        }
        self.adopt(answer);
        let messages = answer.messages();
        let outcome = messages.iter().find_map(|text| match rpc::read(text) {
            found @ Some(Incoming::Initialized { .. } | Incoming::InitializeFailed) => found,
            _ => None,
        });
        let version = match outcome {
            Some(Incoming::Initialized { version }) => version,
            Some(_) => return Next::NotSpoken(Reason::ProtocolError),
            None => return Next::Fail(Reason::ProtocolError),
        };
        self.version = version;
        self.state = State::Announcing;
        Next::Post(self.announcement())
    }

    fn announcement(&self) -> Request {
        self.post(rpc::initialized())
    }

    fn open(&mut self) -> Next {
        self.state = State::Opening;
        Next::Open(self.stream())
    }

    fn stream(&self) -> Request {
        let mut headers = self.session_headers();
        headers.push(("accept", "text/event-stream".into()));
        headers.extend(self.last_event_id.header());
        self.request(headers, None)
    }

    fn session_headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::with_capacity(5);
        if let Some(Session(id)) = &self.session {
            headers.push((SESSION, id.clone()));
        }
        // "MUST on all subsequent requests" (2025-06-18); servers answer 400 to versions they do not know.
        if self.state != State::Initializing && self.version != "other" {
            headers.push((VERSION, self.version.to_owned()));
        }
        headers.extend(self.cookies.header());
        headers
    }

    fn request(&self, headers: Vec<(&'static str, String)>, body: Option<String>) -> Request {
        Request {
            url: self.url.clone(),
            headers,
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script() -> Script {
        Script::new("http://127.0.0.1:3001/mcp".parse().unwrap())
    }

    fn answer(status: u16, content_type: &str, session: Option<&str>, body: &str) -> Answer {
        Answer {
            status,
            content_type: content_type.into(),
            session: session.map(str::to_owned),
            body: body.to_owned().into(),
            ..Answer::default()
        }
    }

    const RESULT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}}"#;

    fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
        let found = request.headers.iter().find(|(key, _)| *key == name)?;
        Some(found.1.as_str())
    }

    /// Runs the handshake up to the open request.
    fn opening(script: &mut Script) -> Request {
        let Next::Post(first) = script.begin() else {
            panic!("initialize first")
        };
        assert_eq!(header(&first, SESSION), None);
        assert_eq!(header(&first, VERSION), None);
        let Next::Post(second) =
            script.replied(&answer(200, "application/json", Some("s1"), RESULT))
        else {
            panic!("then initialized")
        };
        assert_eq!(header(&second, SESSION), Some("s1"));
        assert_eq!(header(&second, VERSION), Some("2025-06-18"));
        let Next::Open(stream) = script.replied(&answer(202, "", None, "")) else {
            panic!("then the stream")
        };
        stream
    }

    #[test]
    fn shakes_hands_and_opens_the_stream() {
        let mut script = script();
        let stream = opening(&mut script);
        assert_eq!(header(&stream, SESSION), Some("s1"));
        assert_eq!(header(&stream, "accept"), Some("text/event-stream"));
        assert_eq!(
            script.opened(&answer(200, "text/event-stream", None, "")),
            Next::Held
        );
        assert!(script.delete().is_some());
    }

    #[test]
    fn reads_an_initialize_result_from_an_event_stream() {
        let mut script = script();
        script.begin();
        let body = format!("event: message\ndata: {RESULT}\n\n");
        assert!(matches!(
            script.replied(&answer(200, "text/event-stream", None, &body)),
            Next::Post(_)
        ));
        assert_eq!(script.version(), "2025-06-18");
        assert!(
            script.delete().is_none(),
            "a stateless server mints no session"
        );
    }

    #[test]
    fn refusals_say_what_they_are() {
        let check = |status, body: &str, expected| {
            let mut script = script();
            script.begin();
            assert_eq!(
                script.replied(&answer(status, "application/json", Some("dead"), body)),
                Next::Fail(expected)
            );
            assert_eq!(script.delete(), None, "an id on a {status} answer is dead");
        };
        check(403, "", Reason::Http4xx);
        check(502, "", Reason::Http5xx);
        check(301, "", Reason::ProtocolError);
        let mut script = script();
        script.begin();
        assert_eq!(
            script.replied(&answer(200, "text/html", None, "<p>")),
            Next::Fail(Reason::ProtocolError)
        );
    }

    #[test]
    fn an_unknown_id_may_be_tried_elsewhere() {
        let mut script = script();
        let stream = opening(&mut script);
        assert_eq!(
            script.opened(&answer(404, "application/json", None, "")),
            Next::Refused(stream)
        );
        assert_eq!(
            script.opened(&answer(409, "", None, "")),
            Next::Fail(Reason::Http4xx)
        );
        assert_eq!(
            script.opened(&answer(200, "application/json", None, "")),
            Next::Fail(Reason::ProtocolError)
        );
    }

    #[test]
    fn a_living_session_is_used_again_and_a_lost_one_is_not_sent() {
        let mut script = script();
        opening(&mut script);
        assert!(matches!(script.begin(), Next::Open(_)));
        script.forget();
        let Next::Post(first) = script.begin() else {
            panic!("initialize anew")
        };
        assert_eq!(header(&first, SESSION), None);
    }
}
