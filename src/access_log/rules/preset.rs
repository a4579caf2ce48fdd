//! Rules that come with Holter: texts that servers are known to print.
//!
//! Each says no more than its text does. A text that stands beside another about the same end (as
//! rmcp's `input stream terminated`) has no rule, so that no end is counted twice; nor has one that tells of no
//! end (uvicorn's `Waiting for connections to close`: the streams that hold it up are still open).

use super::{EventKind, Rule};
use crate::label::label;
use crate::reason::Reason;

label! {
    /// A ready set of rules.
    pub enum Preset {
        /// Servers in the style of Spring and Reactor, whose handlers print `SSE connection …`.
        Spring => "spring",
        /// The MCP SDKs' own lines: rmcp, Python (uvicorn), Java, C#, and TypeScript's client.
        Sdk => "sdk",
    }
}

/// Literal, expression, event, reason.
type Text = (&'static str, &'static str, EventKind, Reason);

const SPRING: [Text; 5] = [
    // `doOnCancel`: the connection behind the subscriber went away. Its client may be a proxy that cut the
    // stream; and Spring Boot prints the same for streams that it cuts itself at shutdown.
    (
        "SSE connection cancel",
        r"SSE connection cancell?ed(?:.*?\b[Ss]ession(?:[ _-]?[Ii][Dd])?[=: ]+(?<session>[0-9A-Za-z-]{8,64}))?",
        EventKind::Closed,
        Reason::ClientClose,
    ),
    // `doOnComplete`: the application ended its own stream.
    (
        "SSE connection ",
        r"SSE connection (?:completed|finished)(?:.*?\b[Ss]ession(?:[ _-]?[Ii][Dd])?[=: ]+(?<session>[0-9A-Za-z-]{8,64}))?",
        EventKind::Closed,
        Reason::ServerClose,
    ),
    // `doOnError`, `onTimeout`: the text does not tell whose error, or which limit.
    (
        "SSE connection ",
        r"SSE connection (?:closed|error|failed|terminated|timed out|timeout)(?:.*?\b[Ss]ession(?:[ _-]?[Ii][Dd])?[=: ]+(?<session>[0-9A-Za-z-]{8,64}))?",
        EventKind::Closed,
        Reason::Unknown,
    ),
    (
        "SSE connection ",
        r"SSE connection (?:opened|established|started|subscribed)(?:.*?\b[Ss]ession(?:[ _-]?[Ii][Dd])?[=: ]+(?<session>[0-9A-Za-z-]{8,64}))?",
        EventKind::Opened,
        Reason::Unknown,
    ),
    (
        "eartbeat",
        r"(?i-u)\bSSE heartbeat\b|\bheartbeat sent\b|\bsending (?:SSE )?heartbeat\b",
        EventKind::Heartbeat,
        Reason::Unknown,
    ),
];

const SDK: [Text; 6] = [
    // rmcp: a session's worker ends when nothing came for its `keep_alive`, 300 s by default.
    (
        "worker quit with reason: IdleTimeout",
        r"worker quit with reason: IdleTimeout\(",
        EventKind::Closed,
        Reason::IdleTimeout,
    ),
    // uvicorn: the handler left, as at shutdown, and the connection is closed without the final chunk.
    (
        "ASGI callable returned without completing response",
        r"ASGI callable returned without completing response",
        EventKind::Closed,
        Reason::ServerCut,
    ),
    // Java: the session's stream is gone, why is not said; printed at each ping, for ever.
    (
        "Failed to send keep-alive ping to session",
        r"Failed to send keep-alive ping to session (?<session>[^\s:]{1,128}): Stream unavailable",
        EventKind::Closed,
        Reason::Unknown,
    ),
    // C#: the session was idle for longer than `IdleTimeout`.
    (
        "Closing idle session",
        r"Closing idle session:? (?<session>[0-9A-Za-z_-]{1,128})?",
        EventKind::Closed,
        Reason::IdleTimeout,
    ),
    // TypeScript's client on Node: undici's `bodyTimeout`, 300 s without a byte, where it says so.
    (
        "TypeError: terminated",
        r"SSE (?:error|stream disconnected): TypeError: terminated.*Body Timeout Error",
        EventKind::Closed,
        Reason::IdleTimeout,
    ),
    // undici says no more than that where anything broke the body: a cut, a reset, its own time-out.
    (
        "TypeError: terminated",
        r"SSE (?:error|stream disconnected): TypeError: terminated",
        EventKind::Closed,
        Reason::Unknown,
    ),
];

impl Preset {
    /// Its rules. (That each compiles is tested.)
    pub(super) fn rules(self) -> Vec<Rule> {
        let texts: &[Text] = match self {
            Self::Spring => &SPRING,
            Self::Sdk => &SDK,
        };
        texts
            .iter()
            .filter_map(|(contains, pattern, event, reason)| {
                Rule::new(contains, pattern, *event, *reason).ok()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::Label;

    #[test]
    fn every_rule_compiles() {
        assert_eq!(Preset::Spring.rules().len(), SPRING.len());
        assert_eq!(Preset::Sdk.rules().len(), SDK.len());
        assert_eq!(Preset::ALL.len(), 2);
    }
}
