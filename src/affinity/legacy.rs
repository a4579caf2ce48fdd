//! Owners of HTTP+SSE's sessions, whose ids stand in the query of POSTs only.
//!
//! The first upstream that accepts a POST owns its session. Where none ever does, the stream of the same
//! client tells: the session lives where its stream is held. That line carries no id and comes when
//! the stream ends, so refused POSTs wait for it. Addresses are shared (NAT, a balancer in front): a
//! stream tells only if it can be of no other session that was seen from there. It does not know lines.

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use super::hashed::Hashed;
use super::waiting::{WAITING_MAX, Waiting};
use super::{CONFIRM, Miss, Request, Seen, Table};

/// Logs that write whole seconds put a stream's beginning up to so many milliseconds too late.
const COARSE_MS: i64 = 1_000;

/// A refused POST of a session whose owner is not known.
#[derive(Debug)]
struct Refused {
    waiting: Waiting,
    /// The client's address, and when the request began and ended.
    place: Option<(u64, (i64, i64))>,
    /// Where the one stream is that spans it.
    home: Option<u64>,
}

/// A session that an upstream accepted: one stream from that address, to that upstream, is its own.
#[derive(Debug, PartialEq, Eq)]
struct Accepted {
    session: u64,
    owner: u64,
}

/// Refused POSTs, and accepted sessions whose streams have not ended; at most [`WAITING_MAX`] of either.
#[derive(Debug, Default)]
pub(super) struct Legacy {
    /// In the order of reading.
    refused: VecDeque<Refused>,
    /// By the client's address.
    accepted: Hashed<Vec<Accepted>>,
    accepted_len: usize,
}

impl Legacy {
    /// Takes a refused POST; says whether all that waited had to be let go for it.
    fn refuse(&mut self, refused: Refused) -> bool {
        let is_full = self.refused.len() >= WAITING_MAX;
        if is_full {
            self.refused.clear();
        }
        self.refused.push_back(refused);
        is_full
    }

    /// An upstream accepted a session: gives those of its POSTs that were refused elsewhere.
    fn accept(&mut self, session: u64, owner: u64, client: Option<u64>) -> Vec<Miss> {
        if let Some(client) = client {
            if self.accepted_len >= WAITING_MAX {
                // Whose stream is whose is not known any more.
                *self = Self::default();
            }
            let of_client = self.accepted.entry(client).or_default();
            of_client.push(Accepted { session, owner });
            self.accepted_len += 1;
        }
        let mut misses = Vec::new();
        self.refused.retain(|refused| {
            let is_its = refused.waiting.session == session;
            if is_its && refused.waiting.upstream != owner {
                misses.push(refused.waiting.miss());
            }
            !is_its
        });
        misses
    }

    /// A stream without an id ended: the POSTs of the same client within its time may be its session's.
    fn stream(&mut self, client: u64, upstream: u64, (began, ended): (i64, i64)) {
        if self.is_of_an_accepted(client, upstream) {
            return;
        }
        let spans = |refused: &Refused| {
            (refused.place).is_some_and(|(other, (from, to))| {
                other == client && began <= from.saturating_add(COARSE_MS) && to <= ended
            })
        };
        let spanned = self.refused.iter().filter(|refused| spans(refused));
        let sessions: HashSet<u64> = spanned.map(|refused| refused.waiting.session).collect();
        self.refused.retain_mut(|refused| {
            if !spans(refused) {
                return true;
            }
            // Of two sessions, or of two streams, it cannot be told which belongs to which.
            let is_clear = sessions.len() == 1 && refused.home.is_none();
            refused.home = Some(upstream);
            is_clear
        });
    }

    /// Whether the stream is of a session that its upstream accepted from there; it counts once.
    fn is_of_an_accepted(&mut self, client: u64, upstream: u64) -> bool {
        let Some(of_client) = self.accepted.get_mut(&client) else {
            return false;
        };
        let found = of_client.iter().position(|known| known.owner == upstream);
        if let Some(at) = found {
            of_client.swap_remove(at);
            self.accepted_len = self.accepted_len.saturating_sub(1);
        }
        if of_client.is_empty() {
            self.accepted.remove(&client);
        }
        found.is_some()
    }

    /// Decides those that have waited for [`CONFIRM`]: no second stream came that spans them too.
    pub(super) fn decide(&mut self, now: Instant, misses: &mut Vec<Miss>) {
        while let Some(oldest) = self.refused.front()
            && now.saturating_duration_since(oldest.waiting.since) > CONFIRM
        {
            misses.extend(self.refused.pop_front().and_then(|refused| refused.miss()));
        }
    }

    /// Decides all: no line will follow.
    pub(super) fn finish(&mut self, misses: &mut Vec<Miss>) {
        misses.extend(self.refused.drain(..).filter_map(|refused| refused.miss()));
    }
}

impl Refused {
    fn miss(&self) -> Option<Miss> {
        let home = self.home.filter(|home| *home != self.waiting.upstream);
        home.map(|_| self.waiting.miss())
    }
}

impl Table {
    /// A legacy request whose session's owner is not known: the one that accepts it is, since ids are
    /// known to the process alone that holds the stream; whoever refused it before was asked in vain.
    pub(super) fn legacy(
        &mut self,
        now: Instant,
        id: &[u8],
        upstream: u64,
        request: &Request<'_>,
        mut seen: Seen,
    ) -> Seen {
        let client = request.client.map(|client| self.hash(client));
        if request.success() {
            let misses = self.legacy.accept(seen.session, upstream, client);
            self.confirmed.extend(misses);
            return self.open(now, id, request.upstream.unwrap_or_default());
        }
        if request.refused() && !request.retried {
            seen.waits = true;
            seen.evicted = self.legacy.refuse(Refused {
                waiting: Waiting::new(now, request.line, seen.session, upstream),
                place: client.zip(request.span),
                home: None,
            });
        }
        seen
    }

    /// A stream that carries no session ended: of HTTP+SSE, as a rule.
    pub fn stream(&mut self, now: Instant, request: &Request<'_>) {
        self.legacy.decide(now, &mut self.confirmed);
        let is_idle = self.legacy.refused.is_empty() && self.legacy.accepted.is_empty();
        // Spares the hashes: most logs have no such sessions.
        if is_idle || !request.success() {
            return;
        }
        if let (Some(client), Some(upstream), Some(span)) =
            (request.client, request.upstream, request.span)
        {
            let (client, upstream) = (self.hash(client), self.hash(upstream));
            self.legacy.stream(client, upstream, span);
        }
    }
}

#[cfg(test)]
mod tests;
