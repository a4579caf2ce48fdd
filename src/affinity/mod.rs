//! Session to upstream: does every request of a session reach the replica that owns it?
//!
//! The owner is the upstream whose answer minted the id; for HTTP+SSE of 2024-11-05 see `legacy`. Ids,
//! upstreams and clients' addresses are hashed on entry with a key of this process; none is kept. It does not know log lines, nor whether a miss
//! hurt: with a store that replicas share it does not.
//!
//! A request at another upstream is a miss only if the owner was there to be reached. So it waits:
//! [`Verdict::Unknown`] at first, and [`Verdict::Moved`] once the owner is seen answering after it. An
//! owner that left never answers again, and one that restarted is seen failing first, as a rule: what
//! waits for it is let go, and its sessions are not judged until one is seen living there again.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use crate::label::label;
use hashed::Hashed;
use legacy::Legacy;
use uses::{Use, Uses};
use waiting::{Waiting, WaitingRoom};

mod hashed;
mod legacy;
mod uses;
mod waiting;

/// How long a suspected miss waits for a sign of the owner.
pub const CONFIRM: Duration = Duration::from_secs(300);

/// Most upstreams whose failures are remembered; beyond, all count as failed.
const FAILED_MAX: usize = 1024;

/// Sessions kept, unless configured otherwise.
pub const DEFAULT_SESSIONS: usize = 65_536;

/// How long an idle session is kept, unless configured otherwise.
pub const DEFAULT_IDLE: Duration = Duration::from_secs(3600);

label! {
    /// Whether a request reached its session's owner.
    pub enum Verdict {
        /// It opened the session: its upstream is the owner.
        Opened => "opened",
        /// It reached the owner.
        Kept => "kept",
        /// It reached another upstream.
        Moved => "moved",
        /// The owner, or where the request went, is not known.
        Unknown => "unknown",
    }
}

/// What of a request concerns its session.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// The id that the request carried.
    pub carried: Option<&'a [u8]>,
    /// The id was carried in the query of a POST.
    pub legacy: bool,
    /// The id in the answer's header.
    pub minted: Option<&'a [u8]>,
    /// The last upstream tried.
    pub upstream: Option<&'a [u8]>,
    /// Another upstream was tried before.
    pub retried: bool,
    /// The status that the client got.
    pub status: Option<u16>,
    /// The method was DELETE.
    pub delete: bool,
    /// The number of its line, for a verdict that comes later.
    pub line: u64,
    /// The upstreams tried before in vain, divided by `, `.
    pub tried: Option<&'a [u8]>,
    /// Whether the last upstream's headers came, where logged.
    pub upstream_headers: Option<bool>,
    /// The answer is, or may be, a stream.
    pub stream: bool,
    /// Whether the proxy holds the answer for complete, where logged.
    pub completed: Option<bool>,
    /// The client's address.
    pub client: Option<&'a [u8]>,
    /// When it began and ended, in milliseconds since 1970.
    pub span: Option<(i64, i64)>,
}

impl Request<'_> {
    fn success(&self) -> bool {
        matches!(self.status, Some(200..300))
    }

    /// Whether the id may not be known there: 404 by the specification (2025-03-26, "Session
    /// Management"), 400 by SDKs older than it.
    pub fn refused(&self) -> bool {
        matches!(self.status, Some(400 | 404))
    }

    /// Whether it reached an upstream that gave no answer, or there was none to reach.
    fn failed(&self) -> bool {
        matches!(self.status, Some(502..=504)) && self.upstream_headers != Some(true)
    }

    /// Whether the line shows that its upstream served. One that leaves ends its own streams, so the
    /// complete end of a stream shows nothing; a stream that its client ended does.
    fn answered(&self) -> bool {
        matches!(self.status, Some(200..=498))
            && self.upstream_headers != Some(false)
            && !(self.stream && self.completed == Some(true))
    }
}

/// What was seen of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Whether the request reached the owner.
    pub verdict: Verdict,
    /// A keyed hash of the id.
    pub session: u64,
    /// The session was deleted.
    pub deleted: bool,
    /// It may be a miss, which a later request would show: [`Table::confirmed`], within [`CONFIRM`].
    pub waits: bool,
    /// Another session was forgotten, or suspected misses were let go, to make room.
    pub evicted: bool,
}

/// A request that turned out to be a miss after its line was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Miss {
    /// The number of its line.
    pub line: u64,
    /// A keyed hash of the id.
    pub session: u64,
}

/// Owners of sessions: bounded, and expiring when idle.
#[derive(Debug)]
pub struct Table {
    key: RandomState,
    capacity: usize,
    idle: Duration,
    sessions: Hashed<Session>,
    uses: Uses,
    /// Requests seen: the clock by which failures and signs of life are ordered.
    turn: u64,
    /// Upstreams that failed, and when last.
    failed: Hashed<u64>,
    /// When there was last no upstream at all.
    all_failed: u64,
    /// Suspected misses, by the owner that must answer.
    suspects: WaitingRoom,
    /// Requests of HTTP+SSE whose session's owner is not known yet.
    legacy: Legacy,
    confirmed: Vec<Miss>,
}

#[derive(Debug, Clone, Copy)]
struct Session {
    owner: u64,
    /// The number of its last use.
    used: u64,
    /// When it was last seen living at its owner.
    proven: u64,
    /// Its client deleted it. Lines of streams that began before come after that.
    ended: bool,
}

impl Table {
    /// A table for so many sessions (at least one), each kept while idle for so long.
    pub fn new(key: RandomState, capacity: usize, idle: Duration) -> Self {
        Self {
            key,
            capacity: capacity.max(1),
            idle,
            sessions: Hashed::default(),
            uses: Uses::default(),
            turn: 0,
            failed: Hashed::default(),
            all_failed: 0,
            suspects: WaitingRoom::default(),
            legacy: Legacy::default(),
            confirmed: Vec::new(),
        }
    }

    /// Looks at a request; `None` if it has no session.
    pub fn observe(&mut self, now: Instant, request: &Request<'_>) -> Option<Seen> {
        self.expire(now);
        self.legacy.decide(now, &mut self.confirmed);
        // Many servers repeat the request's own id in the answer, which mints nothing.
        let minted =
            (request.minted).filter(|id| request.success() && request.carried != Some(*id));
        let id = minted.or(request.carried);
        let seen = id.map(|id| match (minted, request.upstream) {
            (Some(id), Some(upstream)) => self.open(now, id, upstream),
            _ => self.carried(now, id, request),
        });
        self.note(now, request);
        seen
    }

    /// Notes what a request shows of its upstreams; a session that it carries is not looked at.
    pub fn note(&mut self, now: Instant, request: &Request<'_>) {
        self.turn += 1;
        for name in (request.tried.into_iter()).flat_map(|list| list.split(|byte| *byte == b',')) {
            self.fail(name.trim_ascii());
        }
        match request.upstream {
            Some(upstream) if request.failed() => self.fail(upstream),
            None if request.failed() => self.fail_all(),
            // A session that its owner does not know is no sign that the owner kept the others.
            Some(upstream) if request.answered() && !request.refused() => {
                self.confirm(now, upstream)
            }
            _ => {}
        }
    }

    fn confirm(&mut self, now: Instant, upstream: &[u8]) {
        // Spares the hash on ordinary lines.
        if !self.suspects.is_empty() {
            let waiting = self.suspects.take(self.hash(upstream), now);
            self.confirmed.extend(waiting.iter().map(Waiting::miss));
        }
    }

    /// No line will follow: suspects whose owner did not fail so far are misses.
    pub fn finish(&mut self) {
        let waiting = self.suspects.take_all();
        self.confirmed.extend(waiting.iter().map(Waiting::miss));
        self.legacy.finish(&mut self.confirmed);
    }

    /// The misses that turned out since the last call.
    pub fn confirmed(&mut self) -> impl Iterator<Item = Miss> {
        self.confirmed.drain(..)
    }

    /// Whether a suspected miss waits for this upstream to answer.
    #[inline]
    pub fn awaits(&self, upstream: Option<&[u8]>) -> bool {
        !self.suspects.is_empty()
            && upstream.is_some_and(|upstream| self.suspects.has(self.hash(upstream)))
    }

    /// How many sessions are known.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    fn carried(&mut self, now: Instant, id: &[u8], request: &Request<'_>) -> Seen {
        let session = self.hash(id);
        let upstream = request.upstream.map(|upstream| self.hash(upstream));
        let mut seen = Seen {
            verdict: Verdict::Unknown,
            session,
            deleted: request.delete && request.success() && request.carried.is_some(),
            waits: false,
            evicted: false,
        };
        match (self.sessions.get(&session).copied(), upstream) {
            // A refusal after the DELETE is as it should be.
            (Some(known), _) if known.ended && !request.success() => {}
            (Some(known), Some(upstream)) if known.owner == upstream => {
                seen.verdict = Verdict::Kept;
                self.at_owner(session, request);
            }
            (Some(known), Some(upstream)) if self.is_suspect(known, request) => {
                let waiting = Waiting::new(now, request.line, session, upstream);
                seen.waits = true;
                seen.evicted = self.suspects.add(known.owner, waiting);
            }
            (Some(_), _) => {}
            (None, Some(upstream)) if request.legacy => {
                return self.legacy(now, id, upstream, request, seen);
            }
            (None, _) => {}
        }
        if let Some(known) = self.sessions.get_mut(&session) {
            known.ended |= seen.deleted;
            self.touch(now, session);
        }
        seen
    }

    /// A session was at its owner: it lives there, or it is gone.
    fn at_owner(&mut self, session: u64, request: &Request<'_>) {
        let turn = self.turn;
        if request.status == Some(404) {
            self.sessions.remove(&session);
            self.suspects.forget(session);
        } else if request.success() && !request.stream {
            // A stream's line is about the time before it.
            self.sessions
                .entry(session)
                .and_modify(|known| known.proven = turn);
        }
    }

    /// Whether a request elsewhere may be a miss. A failover is none: the owner may have been tried
    /// first; nor is it one after the owner failed, until the session is seen living there again.
    fn is_suspect(&self, known: Session, request: &Request<'_>) -> bool {
        let failed = self.failed.get(&known.owner).copied().unwrap_or(0);
        !request.retried && !request.failed() && failed.max(self.all_failed) <= known.proven
    }

    fn fail(&mut self, upstream: &[u8]) {
        let upstream = self.hash(upstream);
        self.suspects.drop_all_of(upstream);
        if self.failed.len() >= FAILED_MAX {
            return self.fail_all();
        }
        self.failed.insert(upstream, self.turn);
    }

    fn fail_all(&mut self) {
        self.failed.clear();
        self.suspects.clear();
        self.all_failed = self.turn;
    }

    fn open(&mut self, now: Instant, id: &[u8], upstream: &[u8]) -> Seen {
        let (session, owner) = (self.hash(id), self.hash(upstream));
        self.sessions.remove(&session);
        let evicted = self.sessions.len() >= self.capacity;
        while self.sessions.len() >= self.capacity
            && let Some(used) = self.uses.take_first()
        {
            self.forget_if_last(used);
        }
        let opened = Session {
            owner,
            used: 0,
            proven: self.turn,
            ended: false,
        };
        self.sessions.insert(session, opened);
        self.touch(now, session);
        Seen {
            verdict: Verdict::Opened,
            session,
            deleted: false,
            waits: false,
            evicted,
        }
    }

    fn touch(&mut self, now: Instant, session: u64) {
        if let Some(known) = self.sessions.get_mut(&session) {
            known.used = self.uses.add(now, session);
        }
        let sessions = &self.sessions;
        self.uses
            .tidy(sessions.len(), |used| is_last(sessions, *used));
    }

    fn expire(&mut self, now: Instant) {
        while let Some(used) = self.uses.take_idle(now, self.idle) {
            self.forget_if_last(used);
        }
    }

    /// Forgets a session of which this was the last use.
    fn forget_if_last(&mut self, used: Use) {
        if is_last(&self.sessions, used) {
            self.sessions.remove(&used.session);
        }
    }

    fn hash(&self, text: &[u8]) -> u64 {
        self.key.hash_one(text)
    }
}

/// Whether the session was not used again, nor forgotten.
fn is_last(sessions: &Hashed<Session>, used: Use) -> bool {
    (sessions.get(&used.session)).is_some_and(|session| session.used == used.number)
}

#[cfg(test)]
mod tests;
