//! A held stream: its bytes, its beats, and the questions asked beside it.

use std::time::{Duration, Instant};

use super::{Canary, Do, Purpose, State, WISH_MAX};
use crate::canary::heartbeat::Overdue;
use crate::canary::protocol::{Next, websocket};
use crate::canary::rpc::{self, Incoming};
use crate::canary::{Event, Kind, Phase};
use crate::reason::Reason;
use crate::sse::{Frame, Message};

/// Answers to a server's requests that may wait to be sent; a flood beyond it is not answered.
const OUTBOX_MAX: usize = 16;

impl Canary {
    pub(super) fn chunk(&mut self, now: Instant, bytes: &[u8]) {
        self.arrived(now);
        let mut frames = Vec::new();
        self.tap.feed(bytes, &mut |frame| frames.push(frame));
        let mut first = true;
        for frame in frames {
            self.frame(now, frame, std::mem::take(&mut first));
        }
    }

    /// A WebSocket's counterpart of [`Self::chunk`]: frames come one by one.
    pub(super) fn socket_frame(&mut self, now: Instant, frame: websocket::Frame) {
        match frame {
            // The end is no sign of life: the silence before it is what counts.
            websocket::Frame::Close(code) => {
                self.stream_ended(now, websocket::close_cause(code));
            }
            websocket::Frame::Text(data) => {
                self.arrived(now);
                let message = Message {
                    name: "message".to_owned(),
                    data,
                    id: String::new(),
                };
                self.event(now, &message, true);
            }
            websocket::Frame::Binary => {
                self.arrived(now);
                self.beat(now, Kind::Event, true);
            }
            websocket::Frame::Ping | websocket::Frame::Pong => {
                self.arrived(now);
                self.beat(now, Kind::Ping, true);
            }
        }
    }

    /// Something arrived: a sign of life, whatever it is.
    fn arrived(&mut self, now: Instant) {
        if let Some(opened_at) = self.opened_at.filter(|_| !self.has_spoken) {
            let wait = now.saturating_duration_since(opened_at);
            self.tell(Event::Phase(Phase::FirstByte, wait));
        }
        self.history.survive(self.heartbeats.silence(now));
        self.heartbeats.bytes(now);
        self.has_spoken = true;
        self.tell(Event::Bytes);
    }

    fn frame(&mut self, now: Instant, frame: Frame, first: bool) {
        if self.opened_at.is_none() {
            return; // An earlier frame of this chunk ended the stream.
        }
        match frame {
            Frame::Comment => self.beat(now, Kind::Comment, first),
            Frame::Oversize => self.beat(now, Kind::Data, first),
            Frame::Retry(pause) => self.retry = pause.min(WISH_MAX),
            Frame::Endless => self.end(now, Reason::ProtocolError),
            Frame::Event(message) => self.event(now, &message, first),
        }
    }

    fn event(&mut self, now: Instant, message: &Message, first: bool) {
        let incoming = rpc::read(&message.data);
        let kind = match incoming {
            Some(Incoming::Ping(_)) => Kind::Ping,
            Some(_) => Kind::Data,
            None => Kind::Event,
        };
        if !is_priming(message) {
            self.beat(now, kind, first);
        }
        self.message(now, message, incoming);
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
        if beat.has_taught {
            self.tell(Event::Learned(self.heartbeats.interval()));
        }
    }

    pub(super) fn server_beats(&mut self, interval: Option<Duration>) {
        if self.heartbeats.sent_every(interval) {
            self.tell(Event::Learned(self.heartbeats.interval()));
        }
    }

    /// A server's requests are answered at once, and the script hears everything.
    fn message(&mut self, now: Instant, message: &Message, incoming: Option<Incoming>) {
        let answer = match incoming {
            Some(Incoming::Ping(id)) => Some(rpc::pong(&id)),
            Some(Incoming::Request(id)) => Some(rpc::method_not_found(&id)),
            _ => None,
        };
        match answer.map(|body| self.protocol.answer(body)) {
            Some(Next::Post(request)) if self.outbox.len() < OUTBOX_MAX => {
                self.outbox.push_back((Purpose::Answer, request));
            }
            Some(Next::Say(text)) => self.act(Do::Say(text)),
            _ => {}
        }
        if let State::Joining { .. } | State::Held = self.state {
            let next = self.protocol.heard(message);
            self.follow(now, next);
        }
    }

    pub(super) fn ask_affinity(&mut self, now: Instant) {
        self.next_affinity = self.affinity_due(now);
        let Some((_, requests)) = self.settings.affinity else {
            return;
        };
        if !self.outbox.is_empty() || self.in_flight.is_some() {
            return;
        }
        self.push_affinity(requests);
    }

    pub(super) fn affinity_due(&mut self, now: Instant) -> Option<Instant> {
        let (interval, _) = self
            .settings
            .affinity
            .filter(|_| self.protocol.has_affinity())?;
        let due = now + interval.mul_f64(0.75 + 0.25 * self.random.f64());
        Some(due.max(self.not_before))
    }

    pub(super) fn push_probe(&mut self, purpose: Purpose) {
        let id = self.next_probe;
        self.next_probe += 1;
        if let Some(request) = self.protocol.probe(id) {
            self.outbox.push_back((purpose, request));
        }
    }

    pub(super) fn rotation(&self) -> Option<Instant> {
        let due = self.opened_at?.checked_add(self.settings.max_age?)?;
        Some(due.max(self.not_before))
    }

    pub(super) fn tick_held(&mut self, now: Instant) {
        let known = self.heartbeats.interval();
        match self.heartbeats.tick(now) {
            Some(Overdue::Late) => self.tell(Event::Late),
            Some(Overdue::Stalled) => {
                if self.heartbeats.interval() != known {
                    self.tell(Event::Learned(self.heartbeats.interval()));
                }
                return self.end(now, Reason::HeartbeatTimeout);
            }
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
}

/// An event that only says from where to go on (SEP-1699): no sign of life, but the stream's beginning.
fn is_priming(message: &Message) -> bool {
    !message.id.is_empty() && message.data.is_empty() && message.name == "message"
}
