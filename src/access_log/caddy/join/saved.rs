//! What Caddy's join holds, as a value that another process can go on from.
//!
//! It does not know how it is stored. No address of a client stands in it.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{Entry, Joiner, Stream};
use crate::access_log::event::Event;
use crate::access_log::held::Held;
use crate::access_log::key::Key;

/// What a restart goes on from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Saved {
    has_runtime: bool,
    shows_aborts: bool,
    streams: Vec<Stream>,
    entries: Vec<Entry>,
    lookup_failed_us: Option<i64>,
    lost_entries: bool,
    key: Key,
}

impl Joiner {
    /// What is held, and what is known of the runtime log.
    pub(crate) fn save(&self) -> Saved {
        Saved {
            has_runtime: self.has_runtime,
            shows_aborts: self.shows_aborts,
            streams: self.streams.iter().cloned().collect(),
            entries: self.entries.iter().cloned().collect(),
            lookup_failed_us: self.lookup_failed_us,
            lost_entries: self.lost_entries,
            key: self.key,
        }
    }

    /// Goes on from there.
    pub(crate) fn resume(&mut self, now: Instant, saved: Saved) {
        *self = Self {
            has_runtime: self.has_runtime || saved.has_runtime,
            shows_aborts: saved.shows_aborts,
            streams: Held::resume(now, saved.streams),
            entries: Held::resume(now, saved.entries),
            lookup_failed_us: saved.lookup_failed_us,
            lost_entries: saved.lost_entries,
            key: saved.key,
        };
    }
}

impl Saved {
    /// The streams, each decided by its line alone: for a reader that joins otherwise.
    pub(crate) fn decide(self, out: &mut Vec<Event>) {
        for stream in self.streams {
            let reason = stream.alone();
            out.push(stream.closed.because(reason));
        }
    }
}

#[cfg(test)]
mod tests {
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

    const ENTRY: &[u8] = br#"{"level":"error","ts":1795169153.0,"logger":"http.handlers.reverse_proxy","msg":"aborting with incomplete response","error":"reading: read tcp 10.0.0.1:1->10.0.0.2:80: read: connection reset by peer"}"#;

    #[test]
    fn a_stream_and_its_entry_meet_across_a_restart() {
        let record = Record {
            status: Some(200),
            client: Some(b"10.0.0.9"),
            client_port: Some(4321),
            ended_us: Some(1_795_169_153_000_100),
            ..Record::default()
        };
        let closed = Closed {
            line: 1,
            reason: Reason::Unknown,
            duration: None,
            upstream: None,
        };
        for stream_first in [true, false] {
            let (mut join, now, mut out) = (Joiner::new(true), start(), Vec::new());
            if stream_first {
                join.stream(now, &record, closed.clone(), &mut out);
            } else {
                join.error(now, ENTRY, &mut out).unwrap();
            }
            let stored = serde_json::to_string(&join.save()).unwrap();
            let address: Vec<String> = b"10.0.0.9".iter().map(u8::to_string).collect();
            assert!(!stored.contains(&address.join(",")), "{stored}");
            let mut join = Joiner::new(true);
            join.resume(now, serde_json::from_str(&stored).unwrap());
            if stream_first {
                join.error(now, ENTRY, &mut out).unwrap();
            } else {
                join.stream(now, &record, closed.clone(), &mut out);
            }
            let expected = closed.clone().because(Reason::ServerReset);
            assert_eq!(out, [expected], "stream first: {stream_first}");
        }
    }
}
