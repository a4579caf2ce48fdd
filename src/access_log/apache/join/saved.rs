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
