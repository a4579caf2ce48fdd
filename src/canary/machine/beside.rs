//! Requests beside the stream: one in flight at a time, each with a purpose.

use std::time::Instant;

use super::{Canary, Do, Purpose, State};
use crate::canary::affinity::Count;
use crate::canary::ending::{self, Cause};
use crate::canary::protocol::{Answer, Next};
use crate::canary::survival::{self, Observation, Reading};
use crate::canary::{Event, Leg};

impl Canary {
    pub(super) fn send_next(&mut self, now: Instant) {
        if self.in_flight.is_some() {
            return;
        }
        if let Some((purpose, request)) = self.outbox.pop_front() {
            let action = if request.body.is_some() {
                Do::Post
            } else {
                Do::Delete
            };
            self.use_session(now);
            self.act(action(request.clone()));
            self.in_flight = Some((purpose, request));
        }
    }

    pub(super) fn replied(&mut self, now: Instant, answer: &Answer) {
        let Some((purpose, request)) = self.in_flight.take() else {
            return;
        };
        self.heed(now, answer);
        match purpose {
            Purpose::Handshake => self.handshake_replied(now, answer),
            Purpose::Check => self.checked(now, answer),
            Purpose::Known => self.known_replied(now, answer),
            Purpose::Alive => self.alive_replied(now, answer),
            Purpose::Bare if answer.is_session_refusal() => self.count_bare_refused(),
            Purpose::Bare if answer.status < 300 => self.count_found(),
            Purpose::Affinity if answer.is_session_refusal() => {
                self.count_refused();
                self.affinity_refused(now);
            }
            Purpose::Answer if answer.is_session_refusal() => {
                self.count_refused();
                // An answer that the server waits for must reach the right replica.
                if self.affinity.is_open(self.settings.leg == Leg::Direct) {
                    self.outbox.push_front((purpose, request));
                }
            }
            Purpose::Affinity | Purpose::Answer if answer.status < 300 => self.count_found(),
            Purpose::Farewell(refused) if answer.is_session_refusal() => {
                // It must reach the right replica, and before a new session is asked for.
                if refused + 1 < self.affinity.limit(self.settings.leg == Leg::Direct) {
                    self.outbox
                        .push_front((Purpose::Farewell(refused + 1), request));
                }
            }
            Purpose::Affinity | Purpose::Bare | Purpose::Answer | Purpose::Farewell(_) => {}
        }
    }

    fn handshake_replied(&mut self, now: Instant, answer: &Answer) {
        if let State::Leaving { .. } = self.state {
            self.protocol.adopt(answer);
            return self.give_up_session();
        }
        self.takes_no_posts = matches!(answer.status, 404 | 405);
        let carried_session = self.protocol.has_affinity();
        let next = self.protocol.replied(answer);
        match next {
            // An id that came with a failed `initialize` is a session all the same.
            Next::Fail(_) | Next::NotSpoken(_) if !carried_session => self.give_up_session(),
            Next::Fail(_) | Next::Refused(_) => {}
            _ if carried_session => self.count_found(),
            _ => {}
        }
        self.follow(now, next);
    }

    pub(super) fn reply_failed(&mut self, now: Instant, cause: Cause) {
        let Some((purpose, _)) = self.in_flight.take() else {
            return;
        };
        self.nobody_listens(cause);
        match (&self.state, purpose) {
            (State::Leaving { .. }, Purpose::Handshake) => self.give_up_session(),
            (_, Purpose::Handshake) => {
                match self.protocol.reply_failed(cause) {
                    // No answer tells nothing of eras.
                    Next::Fail(reason) => self.fail(now, reason),
                    next => self.follow(now, next),
                }
            }
            (_, Purpose::Known) => self.fail(now, ending::of_attempt(cause)),
            (_, Purpose::Alive) => self.wake(now),
            (_, Purpose::Check) => self.check_failed(now, cause),
            _ => {}
        }
    }

    pub(super) fn count_found(&mut self) {
        let count = self.affinity.found();
        self.tell_affinity(count);
    }

    /// A refusal is certainly a miss while the stream is open without which there is no session; else only
    /// once the id is known elsewhere.
    pub(super) fn count_refused(&mut self) {
        if self.is_miss() {
            let count = self.affinity.missed();
            self.tell_affinity(count);
        } else {
            self.affinity.refused();
        }
    }

    fn count_bare_refused(&mut self) {
        self.affinity.refused_bare();
        if self.is_miss() {
            let count = self.affinity.missed_bare();
            self.tell_affinity(count);
        }
    }

    /// Whether a refusal is a miss before the id is found elsewhere.
    fn is_miss(&self) -> bool {
        let refused = Observation::Refused {
            is_known_elsewhere: false,
            stream_is_open: self.opened_at.is_some() && self.protocol.dies_with_stream(),
        };
        survival::read(&refused) == Reading::Miss
    }

    fn tell_affinity(&mut self, count: Count) {
        self.tell(Event::AffinityRequests(count.requests));
        if count.misses > 0 {
            self.tell(Event::AffinityMisses(count.misses));
        }
        if count.bare > 0 {
            self.tell(Event::MissesWithoutCookies(count.bare));
        }
    }
}
