//! Why HAProxy ended a stream: its termination state and status, from one line.
//!
//! Source: HAProxy's configuration manual, "Session state at disconnection", and what 2.6.12 and
//! 3.0.11 were seen to write. What the state cannot tell apart: a client's FIN, reset and loss (all
//! `CD`); on 2.x, a silent stream whose client had left long before (`sD`); a server's FIN without the
//! last chunk and its reset (`SD`); a missing server and a name that does not resolve (`SC`, no
//! server); where a body has no length and no chunks, a kill and a clean end (`--`). It does not know
//! how lines are cut.

use crate::reason::Reason;

/// What of a line decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct End {
    /// The first two letters of `%tsc`: who or what, and in which phase.
    pub(super) state: Option<[u8; 2]>,
    /// `%ST`.
    pub(super) status: Option<u16>,
    /// Whether a server was chosen, where the format tells.
    pub(super) server: Option<bool>,
    /// Written before the end (`option logasap`).
    pub(super) early: bool,
    /// HAProxy's major version, where it is known.
    pub(super) major: Option<u8>,
}

impl End {
    /// Why the stream ended.
    pub(super) fn reason(self) -> Reason {
        let refused = refusal(self.status);
        let Some(state) = self.state.filter(|_| !self.early) else {
            return refused.unwrap_or(Reason::Unknown);
        };
        match state {
            // A server was marked down or up, or an administrator or a hard stop ended the session;
            // from 3.0 on, status 500 stands where the client had got 200.
            [b'D' | b'U' | b'K', _] => Reason::Drain,
            [_, b'D' | b'L'] => refused.unwrap_or_else(|| self.in_data(state[0])),
            [b'C', _] => Reason::ClientClose,
            [b's', b'C'] => Reason::ConnectTimeout,
            [b's', b'Q'] => Reason::NoUpstream,
            [b's', b'H'] => Reason::IdleTimeout,
            [b'S', b'C'] => self.connect(),
            [b'S', b'H'] => Reason::ServerCut,
            [b'-', b'-'] => refused.unwrap_or_else(|| self.complete()),
            _ => refused.unwrap_or(Reason::Unknown),
        }
    }

    /// Ended by this side while data flowed.
    fn in_data(self, side: u8) -> Reason {
        match side {
            // From 3.0 on, `CD` is also written where `timeout server` cut a silent stream.
            b'C' if self.major.is_some_and(|major| major >= 3) => Reason::Unknown,
            b'C' => Reason::ClientClose,
            b'c' => Reason::SendTimeout,
            b'S' => Reason::ServerCut,
            b's' => Reason::IdleTimeout,
            _ => Reason::Unknown,
        }
    }

    /// No connection to a server.
    fn connect(self) -> Reason {
        match self.server {
            Some(true) => Reason::ConnectRefused,
            Some(false) => Reason::NoUpstream,
            None => refusal(self.status).unwrap_or(Reason::Unknown),
        }
    }

    /// Nobody broke it off.
    fn complete(self) -> Reason {
        match self.status {
            Some(200..300) => Reason::ServerClose,
            _ => Reason::Unknown,
        }
    }
}

/// A status that refuses.
fn refusal(status: Option<u16>) -> Option<Reason> {
    match status {
        Some(400..=499) => Some(Reason::Http4xx),
        Some(500..=599) => Some(Reason::Http5xx),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state: &[u8; 2], status: u16, server: Option<bool>, expected: Reason) {
        let end = End {
            state: Some(*state),
            status: Some(status),
            server,
            ..End::default()
        };
        let state = String::from_utf8_lossy(state);
        assert_eq!(end.reason(), expected, "{state} {status} {server:?}");
    }

    #[test]
    fn states_have_reasons() {
        for (state, status, expected) in [
            (b"--", 200, Reason::ServerClose),
            (b"--", 302, Reason::Unknown),
            (b"--", 404, Reason::Http4xx),
            (b"--", 503, Reason::Http5xx),
            (b"CD", 200, Reason::ClientClose),
            (b"CD", 404, Reason::Http4xx),
            (b"CL", 200, Reason::ClientClose),
            (b"CH", 200, Reason::ClientClose),
            (b"CC", 503, Reason::ClientClose),
            (b"cD", 200, Reason::SendTimeout),
            (b"cR", 408, Reason::Http4xx),
            (b"SD", 200, Reason::ServerCut),
            (b"SL", 200, Reason::ServerCut),
            (b"SH", 502, Reason::ServerCut),
            (b"sD", 200, Reason::IdleTimeout),
            (b"sH", 504, Reason::IdleTimeout),
            (b"sC", 503, Reason::ConnectTimeout),
            (b"sQ", 503, Reason::NoUpstream),
            (b"PR", 403, Reason::Http4xx),
            (b"PH", 502, Reason::Http5xx),
            (b"LR", 200, Reason::Unknown),
            (b"IH", 500, Reason::Http5xx),
            (b"RC", 503, Reason::Http5xx),
            (b"KD", 200, Reason::Drain),
            (b"KC", 500, Reason::Drain),
            (b"DD", 200, Reason::Drain),
            (b"DC", 500, Reason::Drain),
            (b"UD", 200, Reason::Drain),
            (b"?!", 200, Reason::Unknown),
        ] {
            check(state, status, Some(true), expected);
        }
    }

    #[test]
    fn a_connection_that_failed_needs_a_server() {
        check(b"SC", 503, Some(true), Reason::ConnectRefused);
        check(b"SC", 503, Some(false), Reason::NoUpstream);
        check(b"SC", 503, None, Reason::Http5xx);
    }

    #[test]
    fn version_3_calls_a_silent_stream_the_clients_end() {
        let end = End {
            state: Some(*b"CD"),
            status: Some(200),
            ..End::default()
        };
        for (major, expected) in [
            (None, Reason::ClientClose),
            (Some(2), Reason::ClientClose),
            (Some(3), Reason::Unknown),
        ] {
            assert_eq!(End { major, ..end }.reason(), expected, "{major:?}");
        }
    }

    #[test]
    fn a_line_from_before_the_end_tells_nothing() {
        let end = End {
            state: Some(*b"--"),
            status: Some(200),
            early: true,
            ..End::default()
        };
        assert_eq!(end.reason(), Reason::Unknown);
        let refused = End {
            status: Some(503),
            ..end
        };
        assert_eq!(refused.reason(), Reason::Http5xx);
        let stateless = End {
            state: None,
            early: false,
            ..end
        };
        assert_eq!(stateless.reason(), Reason::Unknown);
    }
}
