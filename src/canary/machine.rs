//! The life of one canary slot: attempt, handshake, hold, end, wait, again; until told to stop.
//!
//! Told what happened and when, it answers with what to do and what to tell. It decides everything and
//! does nothing itself: `tasks::canary` owns the sockets and the clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use url::Url;

use super::affinity::{Affinity, Count};
use super::ending::{self, Cause, Evidence, History, Survival};
use super::heartbeat::{Expectation, Heartbeats, Kind, Overdue};
use super::protocol::{Answer, Next, Protocol, Request};
use super::rpc::{self, Incoming};
use super::{End, Event, Leg, LostCause, Transport};
use crate::backoff::Backoff;
use crate::reason::Reason;
use crate::sse::{Frame, Message, Tail, Tap};

/// What one slot is to hold.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which way it goes.
    pub leg: Leg,
    /// Where to.
    pub url: Url,
    /// What to speak.
    pub transport: Transport,
    /// Time allowed for a connection; three times as much for the whole handshake.
    pub connect_timeout: Duration,
    /// A stream this old is renewed.
    pub max_age: Option<Duration>,
    /// What is expected of the heartbeat.
    pub heartbeat: Expectation,
    /// How often the session is asked for on fresh connections, and how many requests each time.
    pub affinity: Option<(Duration, usize)>,
}

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// The head of the stream's answer arrived.
    Opened(Answer),
    /// No answer to the request for the stream.
    OpenFailed(Cause),
    /// Bytes of the stream.
    Chunk(Bytes),
    /// The stream ended.
    Ended(Cause),
    /// The post or delete in flight was answered.
    Replied(Answer),
    /// It was not.
    ReplyFailed(Cause),
    /// The [`Canary::deadline`] passed.
    Tick,
    /// Leave: close the stream, end the session.
    Stop,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Do {
    /// GET the stream.
    Open(Request),
    /// POST on a fresh connection; at most one request but the stream is in flight.
    Post(Request),
    /// DELETE on a fresh connection.
    Delete(Request),
    /// Drop the stream, or the request for it.
    Close,
    /// Drop the request in flight.
    Abandon,
}

/// One answer of [`Canary::handle`].
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Do this.
    Do(Do),
    /// Tell the observers.
    Tell(Event),
}

/// Waits after failures: from a second to a minute.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// No server's wish for a pause is honoured longer than this, or a canary could be silenced.
const WISH_MAX: Duration = Duration::from_secs(300);
/// A stream that lived this long was a success: the waits start anew.
const SUCCESS_AGE: Duration = Duration::from_secs(2);
/// Time for asking whether a session outlived its stream.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
/// This many requests without an answer from a server end the question.
const UNREACHABLE_MAX: u32 = 3;
/// Time for the farewell: the session's DELETE.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);
/// Answers to a server's requests that may wait to be sent; a flood beyond it is not answered.
const OUTBOX_MAX: usize = 16;
/// Refused so often in a row, a session is given up and a new one asked for.
const SESSION_FAILURES: u32 = 3;

#[derive(Debug)]
enum State {
    Waiting {
        until: Instant,
    },
    Joining {
        deadline: Instant,
    },
    Held,
    Checking {
        evidence: Evidence,
        unreachable: u32,
        deadline: Instant,
    },
    Leaving {
        deadline: Instant,
    },
    Over,
}

/// What a request in flight is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Handshake,
    Answer,
    Affinity,
    Check,
    Farewell,
}

/// One canary slot.
#[derive(Debug)]
pub struct Canary {
    settings: Settings,
    protocol: Protocol,
    state: State,
    random: fastrand::Rng,
    backoff: Backoff,
    /// The pause that the server asked for, by `retry` or `Retry-After`.
    wish: Duration,
    /// Attempts that failed since the last held stream.
    failures: u32,
    /// The session has held a stream: refused everywhere now, it is lost; before that, it never was good.
    session_was_good: bool,
    in_flight: Option<(Purpose, Request)>,
    outbox: VecDeque<(Purpose, Request)>,
    opened_at: Option<Instant>,
    tap: Tap,
    heartbeats: Heartbeats,
    history: History,
    affinity: Affinity,
    next_affinity: Option<Instant>,
    next_probe: u64,
    out: Vec<Output>,
}

impl Canary {
    /// A slot that makes its first attempt within a second of `now`; `seed` spreads it and its waits.
    pub fn new(settings: Settings, now: Instant, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let until = now + Duration::from_secs(1).mul_f64(random.f64());
        Self {
            protocol: Protocol::new(settings.transport, settings.url.clone()),
            state: State::Waiting { until },
            random,
            backoff: Backoff::new(BACKOFF.0, BACKOFF.1),
            wish: Duration::ZERO,
            failures: 0,
            session_was_good: false,
            in_flight: None,
            outbox: VecDeque::new(),
            opened_at: None,
            tap: Tap::default(),
            heartbeats: Heartbeats::new(settings.heartbeat, now),
            history: History::default(),
            affinity: Affinity::default(),
            next_affinity: None,
            next_probe: rpc::INITIALIZE_ID + 1,
            settings,
            out: Vec::new(),
        }
    }

    /// Takes in what happened; says what to do and what to tell, in order.
    pub fn handle(&mut self, now: Instant, input: Input) -> Vec<Output> {
        match input {
            Input::Opened(answer) => self.opened(now, &answer),
            Input::OpenFailed(cause) => self.fail(now, ending::of_attempt(cause)),
            Input::Chunk(bytes) => self.chunk(now, &bytes),
            Input::Ended(cause) => self.stream_ended(now, cause),
            Input::Replied(answer) => self.replied(now, &answer),
            Input::ReplyFailed(cause) => self.reply_failed(now, cause),
            Input::Tick => self.tick(now),
            Input::Stop => self.stop(now),
        }
        self.send_next();
        std::mem::take(&mut self.out)
    }

    /// When to call [`Self::handle`] with [`Input::Tick`].
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Joining { deadline }
            | State::Checking { deadline, .. }
            | State::Leaving { deadline } => Some(deadline),
            State::Held => [
                self.heartbeats.deadline(),
                self.rotation(),
                self.next_affinity,
            ]
            .into_iter()
            .flatten()
            .min(),
            State::Over => None,
        }
    }

    /// Whether the slot was stopped and has said farewell.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn tell(&mut self, event: Event) {
        self.out.push(Output::Tell(event));
    }

    fn act(&mut self, action: Do) {
        self.out.push(Output::Do(action));
    }

    // === an attempt ===

    fn begin(&mut self, now: Instant) {
        self.tell(Event::Connecting);
        self.state = State::Joining {
            deadline: now + 3 * self.settings.connect_timeout,
        };
        let next = self.protocol.begin();
        self.follow(now, next);
    }

    /// Does what the protocol wants next.
    fn follow(&mut self, now: Instant, next: Next) {
        match next {
            Next::Post(request) => self.outbox.push_back((Purpose::Handshake, request)),
            Next::Open(request) => self.act(Do::Open(request)),
            Next::Wait => {}
            Next::Held => self.hold(now),
            Next::Refused(request) => self.refused_joining(now, request),
            Next::Fail(reason) => self.fail(now, reason),
        }
    }

    fn opened(&mut self, now: Instant, answer: &Answer) {
        self.heed(answer);
        let carried_session = self.protocol.has_session();
        let next = self.protocol.opened(answer);
        if matches!(next, Next::Held | Next::Wait) {
            self.opened_at = Some(now);
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
        self.tell(Event::Held {
            transport: self.protocol.transport(),
            version: self.protocol.version(),
        });
    }

    /// The attempt gave no stream.
    fn fail(&mut self, now: Instant, reason: Reason) {
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

    fn wait(&mut self, now: Instant) {
        let pause = self
            .backoff
            .next(self.random.f64())
            .max(std::mem::take(&mut self.wish));
        self.state = State::Waiting { until: now + pause };
    }

    /// Honours the pause that a server asks for.
    fn heed(&mut self, answer: &Answer) {
        if let Some(pause) = answer.retry_after {
            self.wish = pause.min(WISH_MAX);
        }
    }

    fn drop_all(&mut self) {
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

    fn forget_session(&mut self) {
        self.protocol.forget();
        self.session_was_good = false;
    }

    // === a held stream ===

    fn chunk(&mut self, now: Instant, bytes: &[u8]) {
        self.history.survive(self.heartbeats.silence(now));
        self.heartbeats.bytes(now);
        self.tell(Event::Bytes);
        let mut frames = Vec::new();
        self.tap.feed(bytes, &mut |frame| frames.push(frame));
        let mut first = true;
        for frame in frames {
            self.frame(now, frame, std::mem::take(&mut first));
        }
    }

    fn frame(&mut self, now: Instant, frame: Frame, first: bool) {
        if self.opened_at.is_none() {
            return; // An earlier frame of this chunk ended the stream.
        }
        match frame {
            Frame::Comment => self.beat(now, Kind::Comment, first),
            Frame::Oversize => self.beat(now, Kind::Data, first),
            Frame::Retry(pause) => self.wish = pause.min(WISH_MAX),
            Frame::Endless => self.end(now, Reason::ProtocolError),
            Frame::Event(message) => {
                let incoming = rpc::read(&message.data);
                let kind = match incoming {
                    Some(Incoming::Ping(_)) => Kind::Ping,
                    Some(_) => Kind::Data,
                    None => Kind::Event,
                };
                self.beat(now, kind, first);
                self.message(now, &message, incoming);
            }
        }
    }

    /// Gaps are those between chunks: frames of one chunk came together.
    fn beat(&mut self, now: Instant, kind: Kind, first: bool) {
        if !matches!(self.state, State::Held) {
            return; // What the handshake says is no heartbeat.
        }
        let beat = self.heartbeats.beat(now, kind);
        if let Some(gap) = beat.gap.filter(|_| first) {
            self.tell(Event::Gap(gap));
        }
        self.tell(Event::Beat(kind));
        if let Some(interval) = beat.learned {
            self.tell(Event::Learned(interval));
        }
        if beat.burst {
            self.tell(Event::Burst);
        }
    }

    /// A server's requests are answered at once; during the handshake the script listens too.
    fn message(&mut self, now: Instant, message: &Message, incoming: Option<Incoming>) {
        let answer = match incoming {
            Some(Incoming::Ping(id)) => Some(rpc::pong(&id)),
            Some(Incoming::Request(id)) => Some(rpc::method_not_found(&id)),
            _ => None,
        };
        if let Some(request) = answer.and_then(|body| self.protocol.post(body))
            && self.outbox.len() < OUTBOX_MAX
        {
            self.outbox.push_back((Purpose::Answer, request));
        }
        if let State::Joining { .. } = self.state {
            let next = self.protocol.heard(message);
            self.follow(now, next);
        }
    }

    fn ask_affinity(&mut self, now: Instant) {
        self.next_affinity = self.affinity_due(now);
        let Some((_, requests)) = self.settings.affinity else {
            return;
        };
        if !self.outbox.is_empty() || self.in_flight.is_some() {
            return;
        }
        for _ in 0..requests {
            self.push_probe(Purpose::Affinity);
        }
    }

    fn affinity_due(&mut self, now: Instant) -> Option<Instant> {
        let (interval, _) = self
            .settings
            .affinity
            .filter(|_| self.protocol.has_affinity())?;
        Some(now + interval.mul_f64(0.75 + 0.25 * self.random.f64()))
    }

    fn push_probe(&mut self, purpose: Purpose) {
        let id = self.next_probe;
        self.next_probe += 1;
        if let Some(request) = self.protocol.probe(id) {
            self.outbox.push_back((purpose, request));
        }
    }

    fn rotation(&self) -> Option<Instant> {
        self.opened_at?.checked_add(self.settings.max_age?)
    }

    // === requests beside the stream ===

    fn send_next(&mut self) {
        if self.in_flight.is_some() {
            return;
        }
        if let Some((purpose, request)) = self.outbox.pop_front() {
            let action = if request.body.is_some() {
                Do::Post
            } else {
                Do::Delete
            };
            self.act(action(request.clone()));
            self.in_flight = Some((purpose, request));
        }
    }

    fn replied(&mut self, now: Instant, answer: &Answer) {
        let Some((purpose, request)) = self.in_flight.take() else {
            return;
        };
        self.heed(answer);
        if let State::Leaving { .. } = self.state {
            return self.replied_leaving(purpose, request, answer);
        }
        match purpose {
            Purpose::Handshake => {
                let carried_session = self.protocol.has_affinity();
                let next = self.protocol.replied(answer);
                if carried_session && !matches!(next, Next::Refused(_) | Next::Fail(_)) {
                    self.count_found();
                }
                self.follow(now, next);
            }
            Purpose::Check => self.checked(now, answer),
            Purpose::Affinity | Purpose::Answer if answer.is_session_refusal() => {
                self.count_refused();
                // An answer that the server waits for must reach the right replica.
                if purpose == Purpose::Answer
                    && self.affinity.is_open(self.settings.leg == Leg::Direct)
                {
                    self.outbox.push_front((purpose, request));
                }
            }
            Purpose::Affinity | Purpose::Answer if answer.status < 300 => self.count_found(),
            Purpose::Affinity | Purpose::Answer | Purpose::Farewell => {}
        }
    }

    fn reply_failed(&mut self, now: Instant, cause: Cause) {
        let Some((purpose, _)) = self.in_flight.take() else {
            return;
        };
        match (&self.state, purpose) {
            (State::Leaving { .. }, Purpose::Farewell) => self.state = State::Over,
            (State::Leaving { .. }, _) => self.farewell(),
            (_, Purpose::Handshake) => self.fail(now, ending::of_attempt(cause)),
            (_, Purpose::Check) => self.unreachable(now, Survival::ProxyGone),
            _ => {}
        }
    }

    fn count_found(&mut self) {
        let count = self.affinity.found();
        self.tell_affinity(count);
    }

    /// A refusal while the session's own stream is open is a miss; before that it proves nothing.
    fn count_refused(&mut self) {
        if self.opened_at.is_some() {
            let count = self.affinity.missed();
            self.tell_affinity(count);
        } else {
            self.affinity.refused();
        }
    }

    fn tell_affinity(&mut self, count: Count) {
        self.tell(Event::AffinityRequests(count.requests));
        if count.misses > 0 {
            self.tell(Event::AffinityMisses(count.misses));
        }
    }

    // === the end of a stream ===

    fn stream_ended(&mut self, now: Instant, cause: Cause) {
        let tail = self.tap.finish();
        match self.state {
            State::Held => {}
            State::Joining { .. } => return self.fail(now, ending::of_attempt(cause)),
            _ => return,
        }
        let evidence = self.evidence(now, cause, tail);
        self.drop_all();
        if ending::needs_check(evidence.leg, cause, tail) && self.protocol.has_session() {
            self.state = State::Checking {
                evidence,
                unreachable: 0,
                deadline: now + CHECK_TIMEOUT,
            };
            self.push_probe(Purpose::Check);
        } else {
            self.conclude(now, evidence);
        }
    }

    fn evidence(&self, now: Instant, cause: Cause, tail: Tail) -> Evidence {
        let opened_at = self.opened_at.unwrap_or(now);
        Evidence {
            leg: self.settings.leg,
            cause,
            tail,
            age: now.saturating_duration_since(opened_at),
            silence: self.heartbeats.silence(now),
            survival: Survival::Unasked,
        }
    }

    /// The session was asked for after a cut.
    fn checked(&mut self, now: Instant, answer: &Answer) {
        if answer.status < 300 {
            self.count_found();
            return self.conclude_check(now, Survival::Alive);
        }
        if answer.status >= 500 {
            return self.unreachable(now, Survival::Unreachable);
        }
        self.affinity.refused();
        if self.affinity.is_open(false) {
            return self.push_probe(Purpose::Check);
        }
        let gone = self.affinity.concludes_gone(false);
        self.conclude_check(
            now,
            if gone {
                Survival::Gone
            } else {
                Survival::Undecided
            },
        );
    }

    fn unreachable(&mut self, now: Instant, verdict: Survival) {
        let State::Checking { unreachable, .. } = &mut self.state else {
            return;
        };
        *unreachable += 1;
        if *unreachable < UNREACHABLE_MAX {
            return self.push_probe(Purpose::Check);
        }
        self.affinity.concludes_gone(false);
        self.conclude_check(now, verdict);
    }

    fn conclude_check(&mut self, now: Instant, survival: Survival) {
        if let State::Checking { evidence, .. } = self.state {
            if matches!(survival, Survival::Gone | Survival::Unreachable) {
                self.forget_session();
                self.tell(Event::SessionLost(LostCause::Unknown));
            }
            self.conclude(
                now,
                Evidence {
                    survival,
                    ..evidence
                },
            );
        }
    }

    fn conclude(&mut self, now: Instant, evidence: Evidence) {
        let (reason, side) = ending::of_stream(&evidence, &self.history);
        if ending::is_cut(evidence.cause, evidence.tail) {
            self.history.cut(evidence.age, evidence.silence);
        }
        let (age, silence) = (evidence.age, evidence.silence);
        self.tell(Event::Ended(End {
            reason,
            side,
            age,
            silence,
        }));
        if age >= SUCCESS_AGE {
            self.backoff.reset();
        }
        self.wait(now);
    }

    /// Holter itself ends the stream.
    fn end(&mut self, now: Instant, reason: Reason) {
        if !matches!(self.state, State::Held) {
            return self.fail(now, reason);
        }
        self.tell_own_end(now, reason);
        self.drop_all();
        self.wait(now);
    }

    fn tell_own_end(&mut self, now: Instant, reason: Reason) {
        let Evidence {
            leg, age, silence, ..
        } = self.evidence(now, Cause::Other, Tail::Whole);
        let side = ending::side(leg, reason);
        self.tell(Event::Ended(End {
            reason,
            side,
            age,
            silence,
        }));
    }

    // === time ===

    fn tick(&mut self, now: Instant) {
        match self.state {
            State::Waiting { until } if now >= until => self.begin(now),
            State::Joining { deadline } if now >= deadline => {
                // An open stream that does not say what the protocol demands, or no answer at all.
                let silent = self.opened_at.is_none();
                self.fail(
                    now,
                    if silent {
                        Reason::HeartbeatTimeout
                    } else {
                        Reason::ProtocolError
                    },
                );
            }
            State::Held => self.tick_held(now),
            State::Checking { deadline, .. } if now >= deadline => {
                self.drop_all();
                self.conclude_check(now, Survival::Undecided);
            }
            State::Leaving { deadline } if now >= deadline => self.state = State::Over,
            _ => {}
        }
    }

    fn tick_held(&mut self, now: Instant) {
        match self.heartbeats.tick(now) {
            Some(Overdue::Late) => self.tell(Event::Late),
            Some(Overdue::Stalled) => return self.end(now, Reason::HeartbeatTimeout),
            None => {}
        }
        if self.rotation().is_some_and(|due| now >= due) {
            self.tell_own_end(now, Reason::Rotated);
            self.drop_all();
            self.begin(now);
        } else if self.next_affinity.is_some_and(|due| now >= due) {
            self.ask_affinity(now);
        }
    }

    // === the farewell ===

    fn stop(&mut self, now: Instant) {
        match self.state {
            State::Leaving { .. } | State::Over => return,
            State::Held => self.tell_own_end(now, Reason::Rotated),
            State::Checking { .. } => self.conclude_check(now, Survival::Undecided),
            State::Waiting { .. } | State::Joining { .. } => {}
        }
        self.state = State::Leaving {
            deadline: now + FAREWELL_TIMEOUT,
        };
        // An `initialize` in flight may yet mint a session: its answer is awaited, to delete it.
        let handshake = self
            .in_flight
            .take_if(|(purpose, _)| *purpose == Purpose::Handshake);
        self.drop_all();
        match handshake {
            Some(pending) => self.in_flight = Some(pending),
            None => self.farewell(),
        }
    }

    fn farewell(&mut self) {
        match self.protocol.delete() {
            Some(request) => self.outbox.push_back((Purpose::Farewell, request)),
            None => self.state = State::Over,
        }
    }

    fn replied_leaving(&mut self, purpose: Purpose, request: Request, answer: &Answer) {
        if purpose != Purpose::Farewell {
            self.protocol.adopt(answer);
            return self.farewell();
        }
        self.affinity.refused();
        if answer.is_session_refusal() && self.affinity.is_open(self.settings.leg == Leg::Direct) {
            self.outbox.push_back((purpose, request));
        } else {
            self.state = State::Over;
        }
    }
}
