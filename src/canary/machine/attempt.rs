//! An attempt: from the first request to a held stream, or to the wait before the next one.

use std::time::{Duration, Instant};

use super::{Canary, Do, Purpose, State, WISH_MAX};
use crate::canary::protocol::{Answer, Next, Protocol};
use crate::canary::{Event, Phase, Transport};
use crate::reason::Reason;
use crate::sse::Tap;

/// The most of an event that is kept while the stream is held: pings, acknowledgements and results are
/// smaller, and a thousand streams that get a large event at once must not keep it.
const HELD_BLOCK: usize = 4 * 1024;
/// Where no protocol is spoken, the head may come with the first event: Spring WebFlux keeps it back for so long,
/// and nginx answers in its stead after 60 s.
const FIRST_EVENT: Duration = Duration::from_secs(75);
/// Refused so often in a row, a session is given up and a new one asked for.
const SESSION_FAILURES: u32 = 3;

impl Canary {
    pub(super) fn begin(&mut self, now: Instant) {
        self.tell(Event::Connecting);
        self.began_at = now;
        self.affinity.ask();
        self.ask_as_others_do();
        self.takes_no_posts = false;
        self.join_within(now, self.time_for_attempt());
        self.ask_for_stream(now);
    }

    pub(super) fn ask_for_stream(&mut self, now: Instant) {
        self.began_in = self.protocol.transport();
        let next = self.protocol.begin();
        self.follow(now, next);
    }

    /// What others found is believed once: an attempt that fails is followed by one that finds out for itself, and a
    /// server that speaks something else is asked in every era at once.
    fn ask_as_others_do(&mut self) {
        let is_auto = self.settings.transport == Transport::Auto;
        let is_open = is_auto && self.found.is_none() && !self.protocol.has_session();
        if let Some(era) = self.origin_speaks.filter(|_| is_open && self.failures == 0) {
            self.speak(era);
        }
    }

    fn time_for_attempt(&self) -> Duration {
        let usual = 3 * self.settings.connect_timeout;
        if self.may_be_plain() {
            usual.max(FIRST_EVENT)
        } else {
            usual
        }
    }

    fn join_within(&mut self, now: Instant, limit: Duration) {
        self.state = State::Joining {
            deadline: now + limit,
        };
    }

    /// No protocol is spoken, or where posts were refused and no `endpoint` came yet, there may be none.
    fn may_be_plain(&self) -> bool {
        match self.protocol.transport() {
            Transport::Sse => true,
            _ => self.takes_no_posts && self.protocol.awaits_endpoint(),
        }
    }

    /// Does what the protocol wants next.
    pub(super) fn follow(&mut self, now: Instant, next: Next) {
        match next {
            Next::Post(request) => self.outbox.push_back((Purpose::Handshake, request)),
            Next::Open(request) => self.act(Do::Open(request)),
            Next::Upgrade(request) => self.act(Do::Upgrade(request)),
            Next::Say(text) => self.act(Do::Say(text)),
            Next::SayAndHold(text) => {
                self.act(Do::Say(text));
                self.hold(now);
            }
            Next::Wait => {}
            Next::Held => self.hold(now),
            Next::Refused(request) => self.refused_joining(now, request),
            Next::NoStream => self.no_stream(now),
            Next::NotSpoken(reason) => self.not_spoken(now, reason),
            Next::Fail(reason) => self.refused_in_era(now, reason),
        }
    }

    pub(super) fn opened(&mut self, now: Instant, answer: &Answer) {
        self.heed(now, answer);
        let carried_session = self.protocol.has_session();
        let next = self.protocol.opened(answer);
        if matches!(next, Next::Held | Next::Wait | Next::Say(_)) {
            self.opened_at = Some(now);
            self.had_spoken = std::mem::take(&mut self.has_spoken);
            self.tap = Tap::default();
            self.heartbeats.open(now);
            self.history.open();
            if carried_session {
                self.count_found();
            }
            if next == Next::Wait && self.may_be_plain() {
                // `endpoint` must be the first event: whoever means it says it at once.
                self.join_within(now, self.settings.connect_timeout);
            }
        }
        self.follow(now, next);
    }

    fn hold(&mut self, now: Instant) {
        self.state = State::Held;
        self.found = Some(self.protocol.transport());
        self.failures = 0;
        self.set_aside = None;
        self.tap.keep_at_most(HELD_BLOCK);
        if self.session_was_good {
            self.keep_session();
        }
        self.join(now);
        if self.paused.take().is_some() {
            self.tell(Event::Resumed);
        }
        self.session_was_good = self.protocol.has_session();
        self.next_affinity = self.affinity_due(now);
        let handshake = now.saturating_duration_since(self.began_at);
        self.tell(Event::Phase(Phase::Handshake, handshake));
        self.tell(Event::Held {
            transport: self.protocol.transport(),
            version: self.protocol.version(),
            session: self.protocol.has_affinity(),
        });
    }

    /// An answer that is no way to a stream. Where only others said which era is spoken, that is no failure yet.
    fn refused_in_era(&mut self, now: Instant, reason: Reason) {
        let is_hearsay = self.settings.transport == Transport::Auto
            && self.found.is_none()
            && self.began_in != Transport::Listen;
        if !is_hearsay || self.protocol.has_session() || self.not_before > now {
            return self.fail(now, reason);
        }
        self.drop_all();
        self.forget_era();
        self.ask_for_stream(now);
    }

    /// The attempt gave no stream.
    pub(super) fn fail(&mut self, now: Instant, reason: Reason) {
        self.end_pause();
        self.failures += 1;
        self.tell(Event::ConnectFailed(reason));
        self.drop_all();
        if self.failures >= SESSION_FAILURES && !self.is_nobody_there() {
            self.give_up_session();
        }
        if !self.protocol.has_session() {
            self.forget_era();
        }
        self.set_aside = None;
        self.wait(now);
    }

    /// No answer at all within the time for an attempt, or an open stream that does not say what the protocol
    /// demands.
    pub(super) fn overdue(&mut self, now: Instant) {
        if self.opened_at.is_none() {
            self.fail(now, Reason::HeartbeatTimeout);
        } else if self.may_be_plain() {
            self.not_spoken(now, Reason::ProtocolError);
        } else {
            self.fail(now, Reason::ProtocolError);
        }
    }

    /// The server does not speak this era: `auto` asks in the one before it (specification 2026-07-28,
    /// `basic/versioning`; 2025-11-25, `basic/transports#backwards-compatibility`).
    ///
    /// A stream of the oldest that is open all the same is held as a plain one.
    fn not_spoken(&mut self, now: Instant, reason: Reason) {
        let is_auto = self.settings.transport == Transport::Auto;
        if is_auto && self.protocol.transport() == Transport::HttpSse && self.opened_at.is_some() {
            self.speak(Transport::Sse);
            return self.hold(now);
        }
        let older = match self.protocol.transport() {
            _ if !is_auto => None,
            Transport::Listen => Some(Transport::StreamableHttp),
            Transport::StreamableHttp if self.set_aside.is_none() => Some(Transport::HttpSse),
            _ => None,
        };
        match (older, self.set_aside.take()) {
            (Some(older), _) => {
                self.speak(older);
                if self.may_be_plain() {
                    self.join_within(now, self.time_for_attempt());
                }
                let next = self.protocol.begin();
                self.follow(now, next);
            }
            (None, Some(newest)) => {
                self.protocol = newest;
                self.rest(now);
            }
            (None, None) => self.refused_in_era(now, reason),
        }
    }

    /// The server offers no stream; in `auto` one of the newest era may offer one in the era before, on the
    /// same URL, and a client of that era would hold it.
    fn no_stream(&mut self, now: Instant) {
        self.act(Do::Close);
        self.opened_at = None;
        let transport = self.protocol.transport();
        if self.settings.transport == Transport::Auto && transport == Transport::Listen {
            let older = Protocol::new(Transport::StreamableHttp, self.settings.url.clone());
            self.set_aside = Some(std::mem::replace(&mut self.protocol, older));
            let next = self.protocol.begin();
            return self.follow(now, next);
        }
        if self.settings.transport == Transport::Auto
            && transport == Transport::StreamableHttp
            && self.began_in == transport
        {
            // This era was found in an earlier attempt: a server that was replaced since may have no stream in
            // it, take any session's id, and hold streams in the newest.
            self.end_pause();
            self.give_up_session();
            self.forget_era();
            return self.ask_for_stream(now);
        }
        if let Some(newest) = self.set_aside.take() {
            self.give_up_session();
            self.protocol = newest;
        }
        self.rest(now);
    }

    /// What `auto` found out may have changed with the server: it is found out again.
    pub(super) fn forget_era(&mut self) {
        self.found = None;
        self.origin_speaks = None;
        if self.settings.transport == Transport::Auto {
            self.speak(Transport::Auto);
        }
    }

    fn speak(&mut self, transport: Transport) {
        self.protocol = Protocol::new(transport, self.settings.url.clone());
    }

    pub(super) fn wait(&mut self, now: Instant) {
        let pause = self
            .backoff
            .next(self.random.f64())
            .max(std::mem::take(&mut self.retry));
        self.state = State::Waiting {
            until: (now + pause).max(self.not_before),
        };
    }

    /// Honours the pause that a server asks for: what may wait, waits.
    pub(super) fn heed(&mut self, now: Instant, answer: &Answer) {
        self.heed_gateway(answer);
        let Some(pause) = answer.retry_after else {
            return;
        };
        self.not_before = now + pause.min(WISH_MAX);
        self.outbox
            .retain(|(purpose, _)| !matches!(purpose, Purpose::Affinity | Purpose::Bare));
        self.next_affinity = self.next_affinity.map(|due| due.max(self.not_before));
        if let State::Resting { ask_at, .. } = &mut self.state {
            *ask_at = (*ask_at).max(self.not_before);
        }
    }

    pub(super) fn drop_all(&mut self) {
        self.act(Do::Close);
        self.opened_at = None;
        self.next_affinity = None;
        // Sessions that were given up are ended whatever else is dropped.
        let may_drop = |purpose: Purpose| !matches!(purpose, Purpose::Farewell(_));
        self.outbox.retain(|(purpose, _)| !may_drop(*purpose));
        let dropped = self.in_flight.take_if(|(purpose, _)| may_drop(*purpose));
        if dropped.is_some() {
            self.act(Do::Abandon);
        }
    }

    /// Ends the session, where there is one, and forgets it.
    pub(super) fn give_up_session(&mut self) {
        self.say_farewell();
        self.forget_session();
    }

    pub(super) fn say_farewell(&mut self) {
        if let Some(request) = self.protocol.delete() {
            self.outbox.push_back((Purpose::Farewell(0), request));
        }
    }

    pub(super) fn forget_session(&mut self) {
        self.protocol.forget();
        self.session_was_good = false;
        self.sessions.since = None;
    }
}
