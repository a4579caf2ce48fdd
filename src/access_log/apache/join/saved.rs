//! What Apache's join holds, as a value that another process can go on from.
//!
//! It does not know how it is stored. No address of a client stands in it.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{Failure, HeldEntry, Joiner, Notice, Stream};
use crate::access_log::event::Event;
use crate::access_log::held::Held;
use crate::access_log::key::Key;

/// What a restart goes on from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Saved {
    has_error_log: bool,
    streams: Vec<Stream>,
    entries: Vec<HeldEntry>,
    failures: Vec<Failure>,
    notices: Vec<Notice>,
    lost_entries: bool,
    key: Key,
}

impl Joiner {
    /// What is held, and what is known of the error log.
    pub(crate) fn save(&self) -> Saved {
        Saved {
            has_error_log: self.has_error_log,
            streams: self.streams.iter().cloned().collect(),
            entries: self.entries.iter().cloned().collect(),
            failures: self.failures.iter().cloned().collect(),
            notices: self.notices.iter().copied().collect(),
            lost_entries: self.lost_entries,
            key: self.key,
        }
    }

    /// Goes on from there.
    pub(crate) fn resume(&mut self, now: Instant, saved: Saved) {
        *self = Self {
            has_error_log: self.has_error_log || saved.has_error_log,
            streams: Held::resume(now, saved.streams),
            entries: Held::resume(now, saved.entries),
            failures: Held::resume(now, saved.failures),
            notices: Held::resume(now, saved.notices),
            lost_entries: saved.lost_entries,
            key: saved.key,
        };
    }
}

impl Saved {
    /// The streams, each decided by its line alone: for a reader that joins otherwise.
    pub(crate) fn decide(self, out: &mut Vec<Event>) {
        for stream in self.streams {
            let reason = stream.facts.alone();
            out.push(stream.closed.because(reason));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_log::event::Closed;
    use crate::access_log::{ClientConnection, Record};
    use crate::reason::Reason;

    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some moment to begin"
    )]
    fn start() -> Instant {
        Instant::now()
    }

    const ENTRY: &[u8] = b"[Fri Nov 20 10:00:51.000000 2026] [x:error] [pid 1:tid 2] (104)Connection reset by peer: [client 10.0.0.9:4321] [id Z1] AH01110: error reading response";

    /// Joins a stream and its entry in both orders, with a restart between them.
    fn check(record: &Record<'_>) {
        let closed = Closed {
            line: 1,
            reason: Reason::Unknown,
            duration: None,
            upstream: None,
        };
        for stream_first in [true, false] {
            let (mut join, now, mut out) = (Joiner::new(true), start(), Vec::new());
            if stream_first {
                join.stream(now, record, closed.clone(), &mut out);
            } else {
                join.error(now, ENTRY, &mut out).unwrap();
            }
            let stored = serde_json::to_string(&join.save()).unwrap();
            let head: Vec<String> = b"10.0.0.9".iter().map(u8::to_string).collect();
            assert!(!stored.contains(&head.join(",")), "{stored}");
            let mut join = Joiner::new(true);
            join.resume(now, serde_json::from_str(&stored).unwrap());
            if stream_first {
                join.error(now, ENTRY, &mut out).unwrap();
            } else {
                join.stream(now, record, closed.clone(), &mut out);
            }
            let expected = closed.clone().because(Reason::ServerReset);
            assert_eq!(out, [expected], "stream first: {stream_first}");
        }
    }

    #[test]
    fn a_stream_and_its_entry_meet_across_a_restart() {
        let record = Record {
            status: Some(200),
            client: Some(b"10.0.0.9"),
            client_connection: Some(ClientConnection::Closed),
            ended_us: Some(1_795_168_851_000_000),
            ..Record::default()
        };
        check(&Record {
            client_port: Some(4321),
            ..record
        });
        check(&Record {
            error_id: Some(b"Z1"),
            ..record
        });
    }
}
