//! What nginx's join holds, as a value that another process can go on from.
//!
//! It does not know how it is stored. No address of a client stands in it.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::super::reason::{self, Silence};
use super::{HeldEntry, HeldStream, Joiner};
use crate::access_log::event::Event;
use crate::access_log::held::Held;

/// What a restart goes on from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Saved {
    streams: Vec<HeldStream>,
    entries: Vec<HeldEntry>,
    has_error_log: bool,
    shows_clients: bool,
    draining: u32,
    worker_gone: bool,
    #[serde(default)]
    gone: Vec<i64>,
    entry_evicted: bool,
}

impl Joiner {
    /// What is held, and what is known of the error log.
    pub(crate) fn save(&self) -> Saved {
        Saved {
            streams: self.streams.iter().cloned().collect(),
            entries: self.entries.iter().cloned().collect(),
            has_error_log: self.has_error_log,
            shows_clients: self.shows_clients,
            draining: self.draining,
            worker_gone: self.worker_gone.is_some(),
            gone: self.gone.iter().copied().collect(),
            entry_evicted: self.entry_evicted.is_some(),
        }
    }

    /// Goes on from there. Moments are not stored: what happened before happened now.
    pub(crate) fn resume(&mut self, now: Instant, saved: Saved) {
        *self = Self {
            has_error_log: self.has_error_log || saved.has_error_log,
            streams: Held::resume(now, saved.streams),
            entries: Held::resume(now, saved.entries),
            shows_clients: saved.shows_clients,
            draining: saved.draining,
            worker_gone: saved.worker_gone.then_some(now),
            gone: Held::resume(now, saved.gone),
            entry_evicted: saved.entry_evicted.then_some(now),
        };
    }
}

impl Saved {
    /// The streams, each decided by its line alone: for a reader that joins otherwise.
    pub(crate) fn decide(self, out: &mut Vec<Event>) {
        for stream in self.streams {
            let reason = reason::unjoined(stream.facts, Silence::default());
            out.push(stream.closed.because(reason));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::error::{Entry, Phase};
    use super::*;
    use crate::access_log::Record;
    use crate::access_log::event::Closed;
    use crate::reason::Reason;

    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some moment to begin"
    )]
    fn start() -> Instant {
        Instant::now()
    }

    /// A joiner that goes on from what another one held, as it was stored.
    fn restarted(join: &Joiner, now: Instant) -> Joiner {
        let stored = serde_json::to_string(&join.save()).unwrap();
        assert!(!stored.contains("secret"), "{stored}");
        let mut next = Joiner::new(true);
        next.resume(now, serde_json::from_str(&stored).unwrap());
        assert_eq!(next.save(), join.save());
        next
    }

    #[test]
    fn a_stream_and_its_entry_meet_across_a_restart() {
        let record = Record {
            status: Some(200),
            completed: Some(true),
            connection: Some(42),
            upstream: Some(b"unix:/run/a.sock"),
            ..Record::default()
        };
        let closed = Closed {
            line: 1,
            reason: Reason::Unknown,
            duration: None,
            upstream: None,
        };
        let entry = Entry {
            connection: 42,
            reason: Reason::IdleTimeout,
            phase: Phase::Body,
            request: Some(b"GET /secret HTTP/1.1"),
            upstream: Some(b"unix:/run/a.sock:/secret?sessionId=secret"),
        };
        for stream_first in [true, false] {
            let (mut join, now, mut out) = (Joiner::new(true), start(), Vec::new());
            if stream_first {
                join.stream(now, &record, closed.clone(), &mut out);
            } else {
                join.entry(now, 0, &entry, &mut out);
            }
            let mut join = restarted(&join, now);
            if stream_first {
                join.entry(now, 0, &entry, &mut out);
            } else {
                join.stream(now, &record, closed.clone(), &mut out);
            }
            let expected = closed.clone().because(Reason::IdleTimeout);
            assert_eq!(out, [expected], "stream first: {stream_first}");
        }
    }
}
