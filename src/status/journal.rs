//! The newest ends of streams, for the page, the API and the demo's terminal.
//!
//! Owns a bounded ring and its numbering. Counts live in the metrics: what falls off the ring is not
//! lost there. Holds names from the configuration and the capped upstream label only, no session, no
//! client. Reads no clock.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

use super::json;
use crate::canary::Leg;
use crate::reason::{Class, Reason, Side};

/// How many ends are kept.
pub const CAP: usize = 256;

/// Who saw the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// A stream of our own.
    Canary {
        /// The canary's name.
        canary: String,
        /// Which way it went.
        #[serde(serialize_with = "json::label")]
        leg: Leg,
    },
    /// A client's stream, as a proxy logged it.
    Log {
        /// The source's name.
        source: String,
        /// The `upstream` label, where the log names one.
        upstream: Option<String>,
    },
}

/// The end of one stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct End {
    /// When it came about.
    #[serde(serialize_with = "json::time")]
    pub at: SystemTime,
    /// Who saw it.
    pub origin: Origin,
    /// Why.
    #[serde(serialize_with = "json::label")]
    pub reason: Reason,
    /// On whose side.
    #[serde(serialize_with = "json::label")]
    pub side: Side,
    /// The stream's age, in seconds; absent where the source does not say (nginx `combined`).
    pub age_seconds: Option<f64>,
    /// The silence before the end, in seconds; absent where the source does not say.
    pub silence_seconds: Option<f64>,
}

/// An end in the journal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disconnect {
    /// Rises by one with each end, from 1; a gap at the front means that older ones fell off.
    pub seq: u64,
    /// The reason's class.
    #[serde(serialize_with = "json::label")]
    pub class: Class,
    /// What ended.
    #[serde(flatten)]
    pub end: End,
}

/// A ring of the newest [`CAP`] ends.
#[derive(Debug, Default)]
pub struct Journal {
    ring: VecDeque<Disconnect>,
    last_seq: u64,
}

impl Journal {
    /// Notes an end, over the oldest one when the ring is full. Returns its number.
    pub fn push(&mut self, end: End) -> u64 {
        if self.ring.len() == CAP {
            self.ring.pop_front();
        }
        self.last_seq += 1;
        self.ring.push_back(Disconnect {
            seq: self.last_seq,
            class: end.reason.class(),
            end,
        });
        self.last_seq
    }

    /// Ends after number `seq`, oldest first; from 0 all that are kept.
    pub fn since(&self, seq: u64) -> impl Iterator<Item = &Disconnect> {
        self.ring.iter().filter(move |d| d.seq > seq)
    }
}

/// The journal as several tasks share it. No method waits, so the lock is never held over an await.
#[derive(Clone, Debug, Default)]
pub struct SharedJournal(Arc<Mutex<Journal>>);

impl SharedJournal {
    /// See [`Journal::push`].
    pub fn push(&self, end: End) -> u64 {
        self.lock().push(end)
    }

    /// See [`Journal::since`]; copies, at most [`CAP`].
    pub fn since(&self, seq: u64) -> Vec<Disconnect> {
        self.lock().since(seq).cloned().collect()
    }

    /// No method panics between two writes, so a poisoned journal is still whole.
    fn lock(&self) -> MutexGuard<'_, Journal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Canary { canary, leg } => write!(f, "{leg} leg of \"{canary}\""),
            Self::Log {
                source,
                upstream: Some(upstream),
            } => write!(f, "log \"{source}\", upstream {upstream}"),
            Self::Log {
                source,
                upstream: None,
            } => write!(f, "log \"{source}\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(reason: Reason) -> End {
        End {
            at: SystemTime::UNIX_EPOCH,
            origin: Origin::Canary {
                canary: "weather".to_owned(),
                leg: Leg::Proxy,
            },
            reason,
            side: Side::Proxy,
            age_seconds: Some(75.5),
            silence_seconds: None,
        }
    }

    #[test]
    fn the_oldest_falls_off() {
        let journal = SharedJournal::default();
        for _ in 0..=CAP {
            journal.push(end(Reason::IdleTimeout));
        }
        let kept = journal.since(0);
        assert_eq!(kept.len(), CAP);
        assert_eq!(kept.first().map(|d| d.seq), Some(2));
        assert_eq!(kept.last().map(|d| d.seq), Some(CAP as u64 + 1));
    }

    #[test]
    fn since_gives_only_what_is_new() {
        let mut journal = Journal::default();
        journal.push(end(Reason::IdleTimeout));
        let seen = journal.push(end(Reason::Drain));
        assert_eq!(journal.since(seen).count(), 0);
        journal.push(end(Reason::ClientClose));
        let new: Vec<_> = journal.since(seen).map(|d| (d.seq, d.class)).collect();
        assert_eq!(new, [(3, Class::Client)]);
    }

    #[test]
    fn json_is_flat_and_speaks_in_labels() {
        let mut journal = Journal::default();
        journal.push(end(Reason::IdleTimeout));
        let json: Vec<_> = journal
            .since(0)
            .map(|d| serde_json::to_value(d).unwrap())
            .collect();
        assert_eq!(
            json,
            [serde_json::json!({
                "seq": 1,
                "class": "abnormal",
                "at": "1970-01-01T00:00:00.000Z",
                "origin": { "kind": "canary", "canary": "weather", "leg": "proxy" },
                "reason": "idle_timeout",
                "side": "proxy",
                "age_seconds": 75.5,
                "silence_seconds": null,
            })]
        );
    }

    #[test]
    fn origins_in_words() {
        let log = |upstream: Option<&str>| Origin::Log {
            source: "edge".to_owned(),
            upstream: upstream.map(str::to_owned),
        };
        assert_eq!(
            end(Reason::Drain).origin.to_string(),
            "proxy leg of \"weather\""
        );
        assert_eq!(log(None).to_string(), "log \"edge\"");
        assert_eq!(
            log(Some("10.0.0.1:80")).to_string(),
            "log \"edge\", upstream 10.0.0.1:80"
        );
    }
}
