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
