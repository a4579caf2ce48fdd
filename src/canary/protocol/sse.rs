//! A plain event stream: GET it. Nothing is said to the server, and there is no session.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>

use url::Url;

use super::event_id::LastEventId;
use super::{Answer, Next, Request};
use crate::sse::Message;

/// The script of one slot.
#[derive(Debug)]
pub struct Script {
    url: Url,
    last_event_id: LastEventId,
}

impl Script {
    pub(super) fn new(url: Url) -> Self {
        Self {
            url,
            last_event_id: LastEventId::default(),
        }
    }

    pub(super) fn begin(&self) -> Next {
        let mut headers = vec![("accept", "text/event-stream".to_owned())];
        headers.extend(self.last_event_id.header());
        Next::Open(Request {
            url: self.url.clone(),
            headers,
            body: None,
        })
    }

    pub(super) fn opened(&mut self, answer: &Answer) -> Next {
        if answer.status == 200 && answer.is_event_stream() {
            return Next::Held;
        }
        // An id that the server does not like must not keep the stream away.
        self.last_event_id.forget();
        Next::Fail(answer.refusal())
    }

    pub(super) fn heard(&mut self, message: &Message) {
        self.last_event_id.take(&message.id);
    }
}
