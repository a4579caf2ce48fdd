//! Why a stream ended, from its access line alone or with what the error log did not say.
//!
//! What the error log *did* say is decided in `join`. What nginx's logs cannot tell apart at
//! all: how a client ended and, where the error log shows no client messages (it does at level `info`),
//! that it did not read (all `client_close`); a drain too, where it shows no notices (ingress-nginx's does),
//! and a client that was the last to leave a worker that drained, for that is gone then (`drain`); an
//! upstream that was killed and one that closed without the last chunk (both `server_cut`), and, where the
//! body has no length and no chunks, a killed one and a clean end (both `server_close`).

use serde::{Deserialize, Serialize};

use crate::access_log::Record;
use crate::reason::Reason;

/// What of a line decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The status the client got.
    pub status: Option<u16>,
    /// Whether the proxy holds the answer for complete.
    pub completed: Option<bool>,
    /// Whether the last upstream's headers came.
    pub upstream_headers: Option<bool>,
    /// Whether the last upstream accepted the connection.
    pub upstream_connected: Option<bool>,
    /// The group's name stands for an upstream: none of it was live.
    pub no_upstream: bool,
}

impl Line {
    /// What of this record decides.
    pub fn of(record: &Record<'_>) -> Self {
        Self {
            status: record.status,
            completed: record.completed,
            upstream_headers: record.upstream_headers,
            upstream_connected: record.upstream_connected,
            no_upstream: record.upstream.is_some_and(|name| !name.contains(&b':')),
        }
    }

    /// Why the proxy answered with an error of its own, as far as the line is certain of it. A 502 whose
    /// upstream was not connected may have been refused, unreachable or broken in TLS; one that was, may
    /// have ended by FIN or RST.
    fn own_error(self) -> Option<Reason> {
        match (self.status, self.upstream_headers, self.upstream_connected) {
            (Some(502), ..) if self.no_upstream => Some(Reason::NoUpstream),
            (Some(504), Some(false), Some(false)) => Some(Reason::ConnectTimeout),
            (Some(504), Some(false), Some(true)) => Some(Reason::IdleTimeout),
            _ => None,
        }
    }

    /// Whether an entry of the error log could add anything: not to a status that the upstream
    /// itself gave, nor to a refusal by the proxy's own rules.
    pub fn is_open(&self) -> bool {
        match self.status {
            None | Some(..400 | 499) => true,
            Some(502..=504) => self.upstream_headers != Some(true),
            Some(_) => false,
        }
    }
}

/// What is known about the error log at the time of the line, given that it says nothing about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Silence {
    /// It is read, and an entry for this line would have been found.
    pub would_show_upstream: bool,
    /// It shows messages about clients (level `info`).
    pub would_show_client: bool,
    /// A worker was shutting down.
    pub workers_drain: bool,
    /// A worker that had been shutting down was gone in that second.
    pub worker_gone: bool,
}

/// Why the stream ended, if the error log says nothing about it.
pub fn unjoined(line: Line, silence: Silence) -> Reason {
    match (line.status, line.completed) {
        (Some(499), _) => Reason::ClientClose,
        (Some(400..=498), _) => Reason::Http4xx,
        (Some(500..=599), _) => line.own_error().unwrap_or(Reason::Http5xx),
        (_, Some(true)) if silence.would_show_upstream => Reason::ServerClose,
        // Incomplete, and neither side is to blame: a worker cut it (`worker_shutdown_timeout`).
        (_, Some(false)) if silence.would_show_client && silence.workers_drain => Reason::Drain,
        // The same where clients' ends are not shown: the worker is gone as soon as it has cut its last.
        (_, Some(false)) if !silence.would_show_client && silence.worker_gone => Reason::Drain,
        // The client's side ended it, or a worker that nobody saw drain: the coarser reason.
        (_, Some(false)) if !silence.would_show_client => Reason::ClientClose,
        _ => Reason::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLIND: Silence = Silence {
        would_show_upstream: false,
        would_show_client: false,
        workers_drain: false,
        worker_gone: false,
    };
    const ERRORS: Silence = Silence {
        would_show_upstream: true,
        ..BLIND
    };
    const INFO: Silence = Silence {
        would_show_client: true,
        ..ERRORS
    };
    const DRAIN: Silence = Silence {
        workers_drain: true,
        ..INFO
    };

    #[test]
    fn a_silent_error_log_says_something() {
        use Reason::*;
        let (done, cut) = (Some(true), Some(false));
        for (status, completed, silence, expected) in [
            (499, cut, BLIND, ClientClose),
            (404, done, DRAIN, Http4xx),
            (502, done, INFO, Http5xx),
            (200, done, BLIND, Unknown),
            (200, done, ERRORS, ServerClose),
            (200, done, DRAIN, ServerClose),
            (200, cut, BLIND, ClientClose),
            (200, cut, ERRORS, ClientClose),
            (200, cut, INFO, Unknown),
            (200, cut, DRAIN, Drain),
            (
                200,
                cut,
                Silence {
                    would_show_client: false,
                    ..DRAIN
                },
                ClientClose,
            ),
            (
                200,
                cut,
                Silence {
                    workers_drain: true,
                    worker_gone: true,
                    ..ERRORS
                },
                Drain,
            ),
            (200, None, DRAIN, Unknown),
        ] {
            let line = Line {
                status: Some(status),
                completed,
                upstream_headers: None,
                upstream_connected: None,
                no_upstream: false,
            };
            let got = unjoined(line, silence);
            assert_eq!(got, expected, "{status} {completed:?} {silence:?}");
        }
    }

    #[test]
    fn an_error_of_the_proxys_own_says_what_is_certain() {
        use Reason::*;
        let (yes, no) = (Some(true), Some(false));
        for (status, upstream_headers, upstream_connected, no_upstream, expected) in [
            (502, no, no, true, NoUpstream),
            (502, no, no, false, Http5xx),
            (502, no, yes, false, Http5xx),
            (504, no, no, false, ConnectTimeout),
            (504, no, yes, false, IdleTimeout),
            (504, no, None, false, Http5xx),
            (504, yes, yes, false, Http5xx),
            (504, None, yes, false, Http5xx),
        ] {
            let line = Line {
                status: Some(status),
                completed: Some(true),
                upstream_headers,
                upstream_connected,
                no_upstream,
            };
            let got = unjoined(line, BLIND);
            assert_eq!(got, expected, "{line:?}");
        }
    }

    #[test]
    fn a_status_of_the_upstreams_own_is_settled() {
        for (status, upstream_headers, open) in [
            (200, Some(true), true),
            (499, None, true),
            (404, None, false),
            (500, None, false),
            (502, None, true),
            (502, Some(false), true),
            (503, Some(true), false),
        ] {
            let line = Line {
                status: Some(status),
                completed: None,
                upstream_headers,
                upstream_connected: None,
                no_upstream: false,
            };
            assert_eq!(line.is_open(), open, "{status} {upstream_headers:?}");
        }
    }
}
