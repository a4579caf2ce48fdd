//! The life of one canary slot: attempt, handshake, hold, end, wait, again; until told to stop.
//!
//! Told what happened and when, it answers with what to do and what to tell. It decides everything and
//! does nothing itself: `tasks::canary` owns the sockets and the clock.

mod attempt;
mod beside;
mod end;
mod held;
mod pause;
mod refused;
mod resting;
mod session;

pub use end::FAREWELL_TIMEOUT;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use url::Url;

use super::affinity::Affinity;
use super::ending::{self, Cause, Evidence, History, Survival};
use super::heartbeat::{Expectation, Heartbeats};
use super::protocol::websocket::Frame;
use super::protocol::{Answer, Protocol, Request};
use super::rpc::{self};
use super::{Event, Leg, Transport};
use crate::backoff::Backoff;
use crate::sse::Tap;

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
    /// A message or control frame of a WebSocket.
    Frame(Frame),
    /// The stream ended.
    Ended(Cause),
    /// The post or delete in flight was answered.
    Replied(Answer),
    /// It was not.
    ReplyFailed(Cause),
    /// The direct leg learned that the server beats this often, or that it does not; for the proxy leg.
    ServerBeats(Option<Duration>),
    /// The [`Canary::deadline`] passed.
    Tick,
    /// Leave: close the stream, end the session.
    Stop,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Do {
    /// GET the stream, or POST where the request has a body.
    Open(Request),
    /// Ask for a WebSocket with the subprotocol `mcp`.
    Upgrade(Request),
    /// Send this text message on the WebSocket.
    Say(String),
    /// POST on a fresh connection; at most one request but the stream is in flight.
    Post(Request),
    /// DELETE on a fresh connection.
    Delete(Request),
    /// Drop the stream, or the request for it; a WebSocket is told farewell.
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
/// No server's wish for a pause is honoured longer than this, or a canary could be silenced (docs/canary.md).
const WISH_MAX: Duration = Duration::from_secs(300);

#[derive(Debug)]
enum State {
    Waiting {
        until: Instant,
    },
    Joining {
        deadline: Instant,
    },
    Held,
    /// The server offers no stream.
    Resting {
        since: Instant,
        ask_at: Instant,
    },
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
    /// The same without the proxy's cookies.
    Bare,
    Check,
    /// Whether a session is known whose GET was refused.
    Known,
    /// Whether a server without a stream lives.
    Alive,
    /// The end of a session, refused so often so far.
    Farewell(u32),
}

/// One canary slot.
#[derive(Debug)]
pub struct Canary {
    settings: Settings,
    protocol: Protocol,
    state: State,
    random: fastrand::Rng,
    backoff: Backoff,
    /// The pause that the stream asked for, by `retry`, before it is asked for again.
    retry: Duration,
    /// Until then the server asked to be left alone, by `Retry-After`.
    not_before: Instant,
    /// The era in which a stream was held: found out by `auto`, or from others.
    found: Option<Transport>,
    /// The era in which another stream of the leg found the server.
    origin_speaks: Option<Transport>,
    /// Attempts that failed since the last held stream.
    failures: u32,
    /// The session has held a stream: refused everywhere now, it is lost; before that, it never was good.
    session_was_good: bool,
    in_flight: Option<(Purpose, Request)>,
    outbox: VecDeque<(Purpose, Request)>,
    began_at: Instant,
    /// The era in which the attempt began: the newest where it finds out which it is.
    began_in: Transport,
    /// Whether the newest post of the handshake was refused as where nobody takes posts.
    takes_no_posts: bool,
    /// A server of the newest era that offers no stream, while an older era is asked for one.
    set_aside: Option<Protocol>,
    /// How the stream ended that its server may only have paused.
    paused: Option<Evidence>,
    opened_at: Option<Instant>,
    /// Whether a byte came on the stream.
    has_spoken: bool,
    /// And on the stream before.
    had_spoken: bool,
    tap: Tap,
    heartbeats: Heartbeats,
    history: History,
    affinity: Affinity,
    sessions: session::Sessions,
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
            retry: Duration::ZERO,
            not_before: now,
            found: None,
            origin_speaks: None,
            failures: 0,
            session_was_good: false,
            in_flight: None,
            outbox: VecDeque::new(),
            began_at: now,
            began_in: settings.transport,
            takes_no_posts: false,
            set_aside: None,
            paused: None,
            opened_at: None,
            has_spoken: false,
            had_spoken: false,
            tap: Tap::default(),
            heartbeats: Heartbeats::new(settings.heartbeat, now),
            history: History::default(),
            affinity: Affinity::default(),
            sessions: session::Sessions::default(),
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
            Input::OpenFailed(cause) => {
                self.nobody_listens(cause);
                self.fail(now, ending::of_attempt(cause));
            }
            Input::Chunk(bytes) => self.chunk(now, &bytes),
            Input::Frame(frame) => self.socket_frame(now, frame),
            Input::Ended(cause) => self.stream_ended(now, cause),
            Input::Replied(answer) => self.replied(now, &answer),
            Input::ReplyFailed(cause) => self.reply_failed(now, cause),
            Input::ServerBeats(interval) => self.server_beats(interval),
            Input::Tick => self.tick(now),
            Input::Stop => self.stop(now),
        }
        self.send_next(now);
        if let State::Leaving { .. } = self.state
            && self.in_flight.is_none()
        {
            self.state = State::Over;
        }
        std::mem::take(&mut self.out)
    }

    /// The era in which this slot found the server, until it has to find out anew.
    pub fn found(&self) -> Option<Transport> {
        self.found
    }

    /// In which era another stream of the leg found the server: where `auto` has nothing to go by, it begins there.
    pub fn origin_speaks(&mut self, era: Option<Transport>) {
        self.origin_speaks = era;
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
            State::Resting { since, ask_at } => {
                let others = [self.ask_for_stream_at(since), self.next_affinity];
                others.into_iter().flatten().chain([ask_at]).min()
            }
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

    fn tick(&mut self, now: Instant) {
        match self.state {
            State::Waiting { until } if now >= until => self.begin(now),
            State::Joining { deadline } if now >= deadline => self.overdue(now),
            State::Held => self.tick_held(now),
            State::Resting { since, ask_at } => self.tick_resting(now, since, ask_at),
            State::Checking { deadline, .. } if now >= deadline => {
                self.drop_all();
                self.conclude_check(now, Survival::Undecided);
            }
            State::Leaving { deadline } if now >= deadline => self.state = State::Over,
            _ => {}
        }
    }
}
