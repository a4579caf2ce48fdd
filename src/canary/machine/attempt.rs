//! An attempt: from the first request to a held stream, or to the wait before the next one.

use std::time::Instant;

use super::{Canary, Do, Purpose, State, WISH_MAX};
use crate::canary::protocol::{Answer, Next, Protocol, Request};
use crate::canary::{Event, Leg, LostCause, Phase, Transport};
use crate::reason::Reason;
use crate::sse::Tap;

/// Refused so often in a row, a session is given up and a new one asked for.
const SESSION_FAILURES: u32 = 3;

impl Canary {
    pub(super) fn begin(&mut self, now: Instant) {
        self.tell(Event::Connecting);
        self.began_at = now;
        self.affinity.ask();
        self.state = State::Joining {
            deadline: now + 3 * self.settings.connect_timeout,
        };
        let next = self.protocol.begin();
        self.follow(now, next);
    }

    /// Does what the protocol wants next.
    pub(super) fn follow(&mut self, now: Instant, next: Next) {
        match next {
            Next::Post(request) => self.outbox.push_back((Purpose::Handshake, request)),
            Next::Open(request) => self.act(Do::Open(request)),
            Next::Wait => {}
            Next::Held => self.hold(now),
            Next::Refused(request) => self.refused_joining(now, request),
            Next::Fail(reason) => self.fail(now, reason),
        }
    }

    pub(super) fn opened(&mut self, now: Instant, answer: &Answer) {
        self.heed(answer);
        let carried_session = self.protocol.has_session();
        let next = self.protocol.opened(answer);
        if matches!(next, Next::Held | Next::Wait) {
            self.opened_at = Some(now);
            self.is_first_chunk = true;
            self.tap = Tap::default();
            self.heartbeats.open(now);
            self.history.open();
            if carried_session {
                self.count_found();
            }
        }
        self.follow(now, next);
    }

    /// Another replica may have the session: ask again on a fresh connection, within reason.
    fn refused_joining(&mut self, now: Instant, request: Request) {
        self.count_refused();
        let is_stream = request.body.is_none();
        if is_stream {
            // What follows the head of a refusal is no stream.
            self.act(Do::Close);
        }
        if self.affinity.is_open(self.settings.leg == Leg::Direct) {
            if is_stream {
                self.act(Do::Open(request));
            } else {
                self.outbox.push_back((Purpose::Handshake, request));
            }
            return;
        }
        self.affinity
            .concludes_gone(self.settings.leg == Leg::Direct);
        let reason = if self.protocol.has_session() {
            Reason::SessionLost
        } else {
            Reason::Http4xx
        };
        let was_good = self.session_was_good && reason == Reason::SessionLost;
        self.forget_session();
        if !was_good {
            return self.fail(now, reason);
        }
        // A client must ask for a new session, at once and without the lost one's id.
        self.tell(Event::SessionLost(LostCause::Unknown));
        let next = self.protocol.begin();
        self.follow(now, next);
    }

    fn hold(&mut self, now: Instant) {
        self.state = State::Held;
        self.failures = 0;
        self.session_was_good = self.protocol.has_session();
        self.next_affinity = self.affinity_due(now);
        let handshake = now.saturating_duration_since(self.began_at);
        self.tell(Event::Phase(Phase::Handshake, handshake));
        self.tell(Event::Held {
            transport: self.protocol.transport(),
            version: self.protocol.version(),
        });
    }

    /// The attempt gave no stream.
    pub(super) fn fail(&mut self, now: Instant, reason: Reason) {
        if self.try_other_transport(now, reason) {
            return;
        }
        self.failures += 1;
        self.tell(Event::ConnectFailed(reason));
        self.drop_all();
        if self.failures >= SESSION_FAILURES {
            self.give_up_session();
        }
        self.wait(now);
    }

    /// `auto`: a server that refuses `initialize` may speak the older transport (specification,
    /// `basic/transports#backwards-compatibility`).
    fn try_other_transport(&mut self, now: Instant, reason: Reason) -> bool {
        let is_settled = self.history.has_streams() || self.protocol.has_session();
        if self.settings.transport != Transport::Auto || reason != Reason::Http4xx || is_settled {
            return false;
        }
        let other = match self.protocol.transport() {
            Transport::HttpSse => Transport::StreamableHttp,
            _ => Transport::HttpSse,
        };
        self.protocol = Protocol::new(other, self.settings.url.clone());
        if other == Transport::StreamableHttp {
            return false;
        }
        self.drop_all();
        let next = self.protocol.begin();
        self.follow(now, next);
        true
    }

    pub(super) fn wait(&mut self, now: Instant) {
        let pause = self
            .backoff
            .next(self.random.f64())
            .max(std::mem::take(&mut self.wish));
        self.state = State::Waiting { until: now + pause };
    }

    /// Honours the pause that a server asks for.
    pub(super) fn heed(&mut self, answer: &Answer) {
        if let Some(pause) = answer.retry_after {
            self.wish = pause.min(WISH_MAX);
        }
    }

    pub(super) fn drop_all(&mut self) {
        self.act(Do::Close);
        self.opened_at = None;
        self.next_affinity = None;
        self.outbox.clear();
        if self.in_flight.take().is_some() {
            self.act(Do::Abandon);
        }
    }

    fn give_up_session(&mut self) {
        if let Some(request) = self.protocol.delete() {
            self.outbox.push_back((Purpose::Farewell, request));
        }
        self.forget_session();
    }

    pub(super) fn forget_session(&mut self) {
        self.protocol.forget();
        self.session_was_good = false;
    }
}
