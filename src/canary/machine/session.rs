//! The session beside its stream: asked for with and without cookies, and why it is gone when it is.

use std::time::Instant;

use super::{Canary, Output, Purpose, State};
use crate::canary::ending::{self, Cause, Survival};
use crate::canary::fingerprint::{Fingerprint, Sample};
use crate::canary::protocol::{Answer, Request};
use crate::canary::survival::{self, Parting};
use crate::canary::{Event, Leg};
use crate::reason::Reason;
use crate::sse::Tail;

/// What a slot remembers of its sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// When the session held its first stream, and when it was last used.
    pub(super) since: Option<Instant>,
    used: Option<Instant>,
    /// How it and its stream parted.
    parting: Parting,
    parted: Option<Sample>,
    /// After which age, or after which time of no use, sessions ended cleanly.
    lives: Fingerprint,
}

impl Canary {
    /// A stream is held on the session, or the server is well without one.
    pub(super) fn join(&mut self, now: Instant) {
        self.sessions.since.get_or_insert(now);
        (self.sessions.parting, self.sessions.parted) = (Parting::default(), None);
    }

    /// A request of the session goes out.
    pub(super) fn use_session(&mut self, now: Instant) {
        self.sessions.used = Some(now);
    }

    /// The stream ended: what is known of the session then.
    pub(super) fn part(&mut self, now: Instant, cause: Cause, tail: Tail) {
        let since = |at: Option<Instant>| now.saturating_duration_since(at.unwrap_or(now));
        self.sessions.parting = Parting {
            is_cut: cause != Cause::CleanEnd || ending::is_cut(cause, tail),
            ..Parting::default()
        };
        self.sessions.parted = Some(Sample {
            age: since(self.sessions.since),
            silence: since(self.sessions.used),
            survived: std::time::Duration::ZERO,
        });
    }

    /// Nobody listens, or the proxy reaches nobody.
    pub(super) fn nobody_listens(&mut self, cause: Cause) {
        self.sessions.parting.nobody_listened |= cause == Cause::Refused;
    }

    /// 502 and 503 are a gateway's (RFC 9110 section 15.6): it reaches no server. nginx, Envoy and HAProxy
    /// answer so while the server does not listen.
    pub(super) fn heed_gateway(&mut self, answer: &Answer) {
        let is_gateway = self.settings.leg == Leg::Proxy && matches!(answer.status, 502 | 503);
        self.sessions.parting.nobody_listened |= is_gateway;
    }

    /// Whether failures say nothing of the session: there is nobody who could know it.
    pub(super) fn is_nobody_there(&self) -> bool {
        self.sessions.parting.nobody_listened
    }

    /// No replica knows the session any more: tells why, and forgets it.
    pub(super) fn lose_session(&mut self) {
        let sessions = &mut self.sessions;
        if let Some(sample) = sessions.parted.filter(|_| !sessions.parting.is_cut) {
            sessions.lives.ended(sample);
            sessions.parting.repeats = sessions.lives.explains(&sample);
        }
        let cause = survival::lost_cause(sessions.parting, Survival::Gone);
        self.forget_session();
        self.forget_era();
        self.out
            .extend(cause.map(Event::SessionLost).map(Output::Tell));
    }

    /// A stream is held on the session of the stream before.
    pub(super) fn keep_session(&mut self) {
        if survival::lost_cause(self.sessions.parting, Survival::Alive).is_none() {
            self.tell(Event::SessionKept);
        }
    }

    /// The session was refused on every connection. Where that is no proof, it may live, and is ended.
    pub(super) fn lose_refused_session(&mut self) {
        let is_gone = self
            .affinity
            .concludes_gone(self.settings.leg == Leg::Direct);
        if !is_gone {
            self.say_farewell();
        }
        self.lose_session();
    }

    /// Asks on fresh connections: without the cookies that the proxy set, as clients do that keep none, and
    /// with them. The last ones prove that the session lives.
    pub(super) fn push_affinity(&mut self, requests: usize) {
        for _ in 0..requests {
            self.push_probe_as(Purpose::Bare, |request| {
                let with_cookies = request.headers.len();
                request.headers.retain(|(name, _)| *name != "cookie");
                request.headers.len() < with_cookies
            });
        }
        for _ in 0..requests {
            self.push_probe(Purpose::Affinity);
        }
    }

    /// After the last request of a round was refused: asked on until the session is found, or is gone.
    pub(super) fn affinity_refused(&mut self, now: Instant) {
        let is_last = !self
            .outbox
            .iter()
            .any(|(purpose, _)| *purpose == Purpose::Affinity);
        let direct = self.settings.leg == Leg::Direct;
        if !is_last || self.protocol.dies_with_stream() {
            return;
        }
        if self.affinity.is_open(direct) {
            return self.push_probe(Purpose::Affinity);
        }
        if self.affinity.concludes_gone(direct) && self.session_was_good {
            self.gone_beside_stream(now);
        }
    }

    /// The session is gone while its stream is open. On the direct leg that is the same process.
    fn gone_beside_stream(&mut self, now: Instant) {
        let is_held = matches!(self.state, State::Held);
        self.sessions.parting = Parting {
            process_lives: is_held && self.settings.leg == Leg::Direct,
            ..Parting::default()
        };
        self.sessions.parted = None;
        self.lose_session();
        if is_held {
            self.end(now, Reason::SessionLost);
        } else {
            self.wake(now);
        }
    }

    fn push_probe_as(&mut self, purpose: Purpose, change: impl Fn(&mut Request) -> bool) {
        let id = self.next_probe;
        if let Some(mut request) = self.protocol.probe(id)
            && change(&mut request)
        {
            self.next_probe += 1;
            self.outbox.push_back((purpose, request));
        }
    }
}
