//! The `Last-Event-ID` of a stream: where the server may go on after the connection ended.
//!
//! WHATWG, server-sent events, "Last-Event-ID"; MCP 2025-03-26 to 2025-11-25,
//! `basic/transports#resumability-and-redelivery`.

use std::fmt;

/// Servers write far shorter ids, and this goes into a header.
const MAX_LEN: usize = 1024;

/// The newest event id, if any. Some servers write session ids into it, so its debug form hides it.
#[derive(Default)]
pub(super) struct LastEventId(Option<String>);

impl fmt::Debug for LastEventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LastEventId({})", self.0.is_some())
    }
}

impl LastEventId {
    /// Takes an event's id; one that no header can carry is left out.
    pub(super) fn take(&mut self, id: &str) {
        let is_usable = !id.is_empty() && id.len() <= MAX_LEN && !id.chars().any(char::is_control);
        if is_usable {
            self.0 = Some(id.to_owned());
        }
    }

    pub(super) fn is_known(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn header(&self) -> Option<(&'static str, String)> {
        Some(("last-event-id", self.0.clone()?))
    }

    pub(super) fn forget(&mut self) {
        self.0 = None;
    }
}
