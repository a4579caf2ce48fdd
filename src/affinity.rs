//! Session to upstream: does every request of a session reach the replica that owns it?
//!
//! The owner is the upstream whose answer minted the id; for HTTP+SSE of 2024-11-05, whose ids stand
//! only in the query of POSTs, the first upstream that accepted one. Ids and upstreams are hashed on
//! entry with a key of this process; none is kept. It does not know log lines, nor whether a miss
//! hurt: with a store that replicas share it does not.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use crate::label::label;

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
    /// The answer was 2xx.
    pub success: bool,
    /// The method was DELETE.
    pub delete: bool,
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
    /// Another session was forgotten to make room.
    pub evicted: bool,
}

/// Owners of sessions: bounded, and expiring when idle.
#[derive(Debug)]
pub struct Table {
    key: RandomState,
    capacity: usize,
    idle: Duration,
    sessions: HashMap<u64, Session>,
    /// The sessions by their last use, in its order: front is idle longest.
    by_use: BTreeMap<u64, (u64, Instant)>,
    uses: u64,
}

#[derive(Debug, Clone, Copy)]
struct Session {
    owner: u64,
    /// The key in `by_use`.
    used: u64,
}

impl Table {
    /// A table for so many sessions (at least one), each kept while idle for so long.
    pub fn new(key: RandomState, capacity: usize, idle: Duration) -> Self {
        Self {
            key,
            capacity: capacity.max(1),
            idle,
            sessions: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
        }
    }

    /// Looks at a request; `None` if it has no session.
    pub fn observe(&mut self, now: Instant, request: &Request<'_>) -> Option<Seen> {
        self.expire(now);
        // Many servers repeat the request's own id in the answer, which mints nothing.
        let minted = (request.minted).filter(|id| request.success && request.carried != Some(*id));
        if let (Some(id), Some(upstream)) = (minted, request.upstream) {
            return Some(self.open(now, id, upstream));
        }
        let id = request.carried.or(minted)?;
        let session = self.hash(id);
        let upstream = request.upstream.map(|upstream| self.hash(upstream));
        let seen = Seen {
            verdict: self.judge(session, upstream, request.retried),
            session,
            deleted: request.delete && request.success && request.carried.is_some(),
            evicted: false,
        };
        match (self.sessions.contains_key(&session), request.upstream) {
            // A deleted session's owner is kept: the line of its stream is written at the stream's end.
            (true, _) => self.touch(now, session),
            (false, Some(upstream)) if request.legacy && request.success => {
                return Some(self.open(now, id, upstream));
            }
            (false, _) => {}
        }
        Some(seen)
    }

    /// How many sessions are known.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// A failover is not called a miss: the owner may have been tried first, and be gone.
    fn judge(&self, session: u64, upstream: Option<u64>, retried: bool) -> Verdict {
        match (self.sessions.get(&session), upstream) {
            (Some(known), Some(upstream)) if known.owner == upstream => Verdict::Kept,
            (Some(_), Some(_)) if !retried => Verdict::Moved,
            _ => Verdict::Unknown,
        }
    }

    fn open(&mut self, now: Instant, id: &[u8], upstream: &[u8]) -> Seen {
        let (session, owner) = (self.hash(id), self.hash(upstream));
        self.remove(session);
        let evicted = self.sessions.len() >= self.capacity;
        if evicted && let Some((_, (oldest, _))) = self.by_use.pop_first() {
            self.sessions.remove(&oldest);
        }
        self.sessions.insert(session, Session { owner, used: 0 });
        self.touch(now, session);
        Seen {
            verdict: Verdict::Opened,
            session,
            deleted: false,
            evicted,
        }
    }

    fn touch(&mut self, now: Instant, session: u64) {
        if let Some(known) = self.sessions.get_mut(&session) {
            self.by_use.remove(&known.used);
            self.uses += 1;
            known.used = self.uses;
            self.by_use.insert(self.uses, (session, now));
        }
    }

    fn remove(&mut self, session: u64) {
        if let Some(known) = self.sessions.remove(&session) {
            self.by_use.remove(&known.used);
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some(first) = self.by_use.first_entry()
            && now.saturating_duration_since(first.get().1) > self.idle
        {
            let (session, _) = first.remove();
            self.sessions.remove(&session);
        }
    }

    fn hash(&self, text: &[u8]) -> u64 {
        self.key.hash_one(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some moment to begin"
    )]
    fn start() -> Instant {
        Instant::now()
    }

    fn table(capacity: usize) -> Table {
        Table::new(RandomState::new(), capacity, DEFAULT_IDLE)
    }

    fn minted<'a>(id: &'a str, upstream: &'a str) -> Request<'a> {
        Request {
            minted: Some(id.as_bytes()),
            upstream: Some(upstream.as_bytes()),
            success: true,
            ..Request::default()
        }
    }

    fn carried<'a>(id: &'a str, upstream: &'a str) -> Request<'a> {
        Request {
            carried: Some(id.as_bytes()),
            upstream: Some(upstream.as_bytes()),
            success: true,
            ..Request::default()
        }
    }

    /// Observes the requests in turn and compares the verdicts.
    fn check(steps: &[(Request<'_>, Option<Verdict>)]) {
        let (mut table, now) = (table(8), start());
        for (at, (request, expected)) in steps.iter().enumerate() {
            let got = table.observe(now, request).map(|seen| seen.verdict);
            assert_eq!(got, *expected, "step {at}: {request:?}");
        }
    }

    #[test]
    fn the_minting_upstream_owns() {
        check(&[
            (minted("s", "a:1"), Some(Verdict::Opened)),
            (carried("s", "a:1"), Some(Verdict::Kept)),
            (carried("s", "b:1"), Some(Verdict::Moved)),
            (carried("s", "a:1"), Some(Verdict::Kept)),
            (carried("t", "a:1"), Some(Verdict::Unknown)),
            (Request::default(), None),
        ]);
    }

    #[test]
    fn an_echoed_id_mints_nothing() {
        let echo = Request {
            minted: Some(b"s"),
            ..carried("s", "b:1")
        };
        check(&[
            (echo, Some(Verdict::Unknown)),
            (minted("s", "a:1"), Some(Verdict::Opened)),
            (echo, Some(Verdict::Moved)),
            (carried("s", "a:1"), Some(Verdict::Kept)),
        ]);
    }

    #[test]
    fn minting_again_moves_the_home() {
        check(&[
            (minted("s", "a:1"), Some(Verdict::Opened)),
            (minted("s", "b:1"), Some(Verdict::Opened)),
            (carried("s", "b:1"), Some(Verdict::Kept)),
        ]);
    }

    #[test]
    fn a_failed_answer_mints_nothing() {
        let failed = Request {
            success: false,
            ..minted("s", "a:1")
        };
        check(&[
            (failed, None),
            (carried("s", "a:1"), Some(Verdict::Unknown)),
        ]);
    }

    #[test]
    fn legacy_sessions_belong_to_the_first_that_accepts() {
        let post = |upstream, success| Request {
            legacy: true,
            success,
            ..carried("s", upstream)
        };
        check(&[
            (post("b:1", false), Some(Verdict::Unknown)),
            (post("a:1", true), Some(Verdict::Opened)),
            (post("b:1", false), Some(Verdict::Moved)),
            (post("a:1", true), Some(Verdict::Kept)),
        ]);
    }

    #[test]
    fn a_deleted_session_keeps_its_owner() {
        let delete = |success| Request {
            delete: true,
            success,
            ..carried("s", "a:1")
        };
        check(&[
            (minted("s", "a:1"), Some(Verdict::Opened)),
            (delete(false), Some(Verdict::Kept)),
            (delete(true), Some(Verdict::Kept)),
            // The line of its stream comes last.
            (carried("s", "a:1"), Some(Verdict::Kept)),
        ]);
    }

    #[test]
    fn a_failover_or_a_missing_upstream_is_not_judged() {
        let retried = Request {
            retried: true,
            ..carried("s", "b:1")
        };
        let nowhere = Request {
            upstream: None,
            ..carried("s", "")
        };
        check(&[
            (minted("s", "a:1"), Some(Verdict::Opened)),
            (retried, Some(Verdict::Unknown)),
            (nowhere, Some(Verdict::Unknown)),
        ]);
    }

    #[test]
    fn the_longest_idle_is_evicted() {
        let (mut table, now) = (table(2), start());
        table.observe(now, &minted("a", "x:1"));
        table.observe(now, &minted("b", "x:1"));
        table.observe(now, &carried("a", "x:1"));
        let seen = table.observe(now, &minted("c", "x:1")).unwrap();
        assert!(seen.evicted);
        let verdict =
            |table: &mut Table, id| table.observe(now, &carried(id, "x:1")).unwrap().verdict;
        assert_eq!(verdict(&mut table, "a"), Verdict::Kept);
        assert_eq!(verdict(&mut table, "b"), Verdict::Unknown);
        assert_eq!((table.len(), table.by_use.len()), (2, 2));
    }

    #[test]
    fn idle_sessions_expire_and_used_ones_stay() {
        let (mut table, now) = (table(8), start());
        table.observe(now, &minted("a", "x:1"));
        table.observe(now, &minted("b", "x:1"));
        table.observe(now + DEFAULT_IDLE, &carried("a", "x:1"));
        let later = now + DEFAULT_IDLE + Duration::from_secs(1);
        let a = table.observe(later, &carried("a", "x:1")).unwrap();
        let b = table.observe(later, &carried("b", "x:1")).unwrap();
        assert_eq!((a.verdict, b.verdict), (Verdict::Kept, Verdict::Unknown));
        assert_eq!((table.len(), table.by_use.len()), (1, 1));
    }
}
