//! A server that offers no stream: nothing is held, and it is asked now and then whether it lives.
//!
//! 405 to GET says so in the 2025 eras, 404 to `subscriptions/listen` in 2026-07-28. Such a server is healthy.

use std::time::{Duration, Instant};

use super::{Canary, Purpose, State};
use crate::canary::protocol::Answer;
use crate::canary::{Event, Leg};

/// How often it is asked, at most.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// "Too Many Requests": a server that can say so is well (RFC 6585 section 4).
const TOO_MANY_REQUESTS: u16 = 429;

impl Canary {
    /// Nothing to hold: the attempt succeeded all the same.
    pub(super) fn rest(&mut self, now: Instant) {
        self.end_pause();
        self.failures = 0;
        self.backoff.reset();
        self.session_was_good = self.protocol.has_session();
        self.join(now);
        self.next_affinity = self.affinity_due(now);
        self.tell(Event::NoStream {
            transport: self.protocol.transport(),
            version: self.protocol.version(),
            session: self.protocol.has_affinity(),
        });
        self.state = State::Resting {
            since: now,
            ask_at: self.next_ask(now),
        };
    }

    /// Asked again for a stream as seldom as one that is held would be renewed.
    pub(super) fn ask_for_stream_at(&self, since: Instant) -> Option<Instant> {
        let due = since.checked_add(self.settings.max_age?)?;
        Some(due.max(self.not_before))
    }

    pub(super) fn tick_resting(&mut self, now: Instant, since: Instant, ask_at: Instant) {
        if self.ask_for_stream_at(since).is_some_and(|due| now >= due) {
            self.tell(Event::NoStreamOver);
            self.drop_all();
            return self.begin(now);
        }
        if now >= ask_at {
            self.ask_later(now);
            if self.outbox.is_empty() && self.in_flight.is_none() {
                self.affinity.ask();
                self.push_probe(Purpose::Alive);
            }
        } else if self.next_affinity.is_some_and(|due| now >= due) {
            self.ask_affinity(now);
        }
    }

    pub(super) fn alive_replied(&mut self, now: Instant, answer: &Answer) {
        let has_session = self.protocol.has_session();
        match answer.status {
            200..=299 if has_session => self.count_found(),
            200..=299 | TOO_MANY_REQUESTS => {}
            400 | 404 if has_session => return self.alive_refused(now),
            _ => return self.wake(now),
        }
        self.ask_later(now);
    }

    /// It does not answer as it did: a new attempt shows why, and counts it.
    pub(super) fn wake(&mut self, now: Instant) {
        if let State::Resting { .. } = self.state {
            self.tell(Event::NoStreamOver);
            self.drop_all();
            self.wait(now);
        }
    }

    fn alive_refused(&mut self, now: Instant) {
        let direct = self.settings.leg == Leg::Direct;
        self.count_refused();
        if self.affinity.is_open(direct) {
            return self.push_probe(Purpose::Alive);
        }
        self.lose_refused_session();
        self.wake(now);
    }

    fn ask_later(&mut self, now: Instant) {
        let next = self.next_ask(now);
        if let State::Resting { ask_at, .. } = &mut self.state {
            *ask_at = next;
        }
    }

    fn next_ask(&mut self, now: Instant) -> Instant {
        let spread = ASK_EVERY.mul_f64(0.75 + 0.25 * self.random.f64());
        (now + spread).max(self.not_before)
    }
}
