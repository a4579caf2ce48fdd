//! Requests whose verdict waits for something that a later line may show.
//!
//! Owns the bound on them. Does not know what they wait for: a key stands for it.

use std::time::Instant;

use super::hashed::Hashed;
use super::{CONFIRM, Miss};

/// Most requests that wait. When one more comes, all are let go: their verdict stays unknown.
pub(super) const WAITING_MAX: usize = 4096;

/// A request that waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) since: Instant,
    line: u64,
    pub(super) session: u64,
    /// Where it was.
    pub(super) upstream: u64,
}

impl Waiting {
    pub(super) fn new(since: Instant, line: u64, session: u64, upstream: u64) -> Self {
        Self {
            since,
            line,
            session,
            upstream,
        }
    }

    /// The request, found to be a miss.
    pub(super) fn miss(&self) -> Miss {
        Miss {
            line: self.line,
            session: self.session,
        }
    }
}

/// Those that wait, by what they wait for.
#[derive(Debug, Default)]
pub(super) struct WaitingRoom {
    by_key: Hashed<Vec<Waiting>>,
    len: usize,
}

impl WaitingRoom {
    /// Adds one; says whether all others had to be let go.
    pub(super) fn add(&mut self, key: u64, waiting: Waiting) -> bool {
        let is_full = self.len >= WAITING_MAX;
        if is_full {
            self.clear();
        }
        self.by_key.entry(key).or_default().push(waiting);
        self.len += 1;
        is_full
    }

    /// Whether one waits for this key.
    pub(super) fn has(&self, key: u64) -> bool {
        self.by_key.contains_key(&key)
    }

    /// Takes those that wait for this key, and have not waited for longer than [`CONFIRM`].
    pub(super) fn take(&mut self, key: u64, now: Instant) -> Vec<Waiting> {
        let mut found = self.by_key.remove(&key).unwrap_or_default();
        self.len = self.len.saturating_sub(found.len());
        found.retain(|waiting| now.saturating_duration_since(waiting.since) <= CONFIRM);
        found
    }

    /// Takes all, in the order of their lines.
    pub(super) fn take_all(&mut self) -> Vec<Waiting> {
        self.len = 0;
        let mut all: Vec<Waiting> = std::mem::take(&mut self.by_key)
            .into_values()
            .flatten()
            .collect();
        all.sort_by_key(|waiting| waiting.line);
        all
    }

    /// Lets those go that wait for this key.
    pub(super) fn drop_all_of(&mut self, key: u64) {
        let found = self.by_key.remove(&key);
        self.len = self
            .len
            .saturating_sub(found.map_or(0, |found| found.len()));
    }

    /// Lets a session's requests go.
    pub(super) fn forget(&mut self, session: u64) {
        for waiting in self.by_key.values_mut() {
            waiting.retain(|waiting| waiting.session != session);
        }
        self.len = self.by_key.values().map(Vec::len).sum();
    }

    pub(super) fn clear(&mut self) {
        self.by_key.clear();
        self.len = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some moment to begin"
    )]
    fn all_come_in_the_order_of_their_lines() {
        let (mut room, now) = (WaitingRoom::default(), Instant::now());
        let lines: Vec<u64> = (1..50).collect();
        for line in &lines {
            room.add(u64::MAX / line, Waiting::new(now, *line, 0, 0));
        }
        let all = room.take_all();
        assert!(all.iter().map(|waiting| &waiting.line).eq(&lines));
    }
}
