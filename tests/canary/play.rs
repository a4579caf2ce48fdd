//! The player of the transcripts: a canary, its time line and everything that it said.
#![allow(
    clippy::disallowed_methods,
    reason = "one origin for the test's own time line"
)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use holter::canary::heartbeat::Expectation;
use holter::canary::machine::{Canary, Do, Input, Output, Settings};
use holter::canary::protocol::{Answer, Request};
use holter::canary::{Event, Leg, Transport};
use holter::reason::{Reason, Side};

pub(crate) const RESULT: &str =
    r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}}"#;

/// A canary, its time line and everything that it said.
pub(crate) struct Play {
    pub(crate) canary: Canary,
    pub(crate) now: Instant,
    pub(crate) events: Vec<Event>,
    pub(crate) actions: Vec<Do>,
}

impl Play {
    pub(crate) fn new(leg: Leg, transport: Transport) -> Self {
        Self::seeded(leg, transport, 7)
    }

    pub(crate) fn seeded(leg: Leg, transport: Transport, seed: u64) -> Self {
        Self::with(leg, transport, seed, 3600, 600)
    }

    /// Streams are renewed, and affinity is asked for, after so many seconds.
    fn with(leg: Leg, transport: Transport, seed: u64, max_age: u64, affinity: u64) -> Self {
        let now = Instant::now();
        let settings = Settings {
            leg,
            url: "http://127.0.0.1:3001/mcp".parse().unwrap(),
            transport,
            connect_timeout: Duration::from_secs(10),
            max_age: Some(Duration::from_secs(max_age)),
            heartbeat: Expectation {
                interval: None,
                tolerance: 2.5,
            },
            affinity: Some((Duration::from_secs(affinity), 4)),
        };
        Self {
            canary: Canary::new(settings, now, seed),
            now,
            events: vec![],
            actions: vec![],
        }
    }

    pub(crate) fn say(&mut self, input: Input) -> &mut Self {
        self.actions.clear();
        for output in self.canary.handle(self.now, input) {
            match output {
                Output::Do(action) => self.actions.push(action),
                Output::Tell(event) => self.events.push(event),
            }
        }
        self
    }

    /// Lets time pass to the next deadline.
    pub(crate) fn tick(&mut self) -> &mut Self {
        self.now = self.canary.deadline().expect("a deadline").max(self.now);
        self.say(Input::Tick)
    }

    pub(crate) fn after(&mut self, seconds: f64) -> &mut Self {
        self.now += Duration::from_secs_f64(seconds);
        self
    }

    pub(crate) fn reply(&mut self, status: u16) -> &mut Self {
        self.say(Input::Replied(Answer {
            status,
            ..Answer::default()
        }))
    }

    /// Refuses the session, asked for by GET or by `ping`, until it is not asked for any more.
    pub(crate) fn refuse_session(&mut self) -> &mut Self {
        for _ in 0..100 {
            match self.actions.last() {
                Some(Do::Open(_)) => self.say(Input::Opened(Answer {
                    status: 404,
                    ..Answer::default()
                })),
                Some(Do::Post(request)) if says(request, "ping") => self.reply(404),
                _ => return self,
            };
        }
        panic!("asked for without end");
    }

    pub(crate) fn bytes(&mut self, text: &'static str) -> &mut Self {
        self.say(Input::Chunk(Bytes::from_static(text.as_bytes())))
    }

    pub(crate) fn opened(&mut self) -> &mut Self {
        self.say(Input::Opened(Answer {
            status: 200,
            content_type: "text/event-stream".into(),
            ..Answer::default()
        }))
    }

    pub(crate) fn minted(&mut self) -> &mut Self {
        self.say(Input::Replied(Answer {
            status: 200,
            content_type: "application/json".into(),
            session: Some("s1".into()),
            body: Bytes::from_static(RESULT.as_bytes()),
            ..Answer::default()
        }))
    }

    /// The handshake of Streamable HTTP without a hitch.
    pub(crate) fn held(leg: Leg) -> Self {
        Self::held_for(leg, 3600, 600)
    }

    /// The same; the stream is renewed, and affinity is asked for, after so many seconds.
    pub(crate) fn held_for(leg: Leg, max_age: u64, affinity: u64) -> Self {
        let mut play = Self::with(leg, Transport::StreamableHttp, 7, max_age, affinity);
        play.tick().minted().reply(202).opened();
        assert_eq!(
            play.events.last(),
            Some(&Event::Held {
                transport: Transport::StreamableHttp,
                version: "2025-06-18",
                session: true,
            })
        );
        play
    }

    pub(crate) fn posts(&self) -> usize {
        self.actions
            .iter()
            .filter(|action| matches!(action, Do::Post(_)))
            .count()
    }

    pub(crate) fn ends(&self) -> Vec<(Reason, Side)> {
        let ends = self.events.iter().filter_map(|event| match event {
            Event::Ended(end) | Event::EndedPaused(end) => Some((end.reason, end.side)),
            _ => None,
        });
        ends.collect()
    }

    pub(crate) fn failures(&self) -> Vec<Reason> {
        let failures = self.events.iter().filter_map(|event| match event {
            Event::ConnectFailed(reason) => Some(*reason),
            _ => None,
        });
        failures.collect()
    }

    pub(crate) fn affinity(&self) -> (u64, u64) {
        self.events
            .iter()
            .fold((0, 0), |(requests, misses), event| match event {
                Event::AffinityRequests(count) => (requests + count, misses),
                Event::AffinityMisses(count) => (requests, misses + count),
                _ => (requests, misses),
            })
    }
}

/// Whether the request is one for this method.
pub(crate) fn says(request: &Request, method: &str) -> bool {
    let name = format!("\"method\":\"{method}\"");
    request
        .body
        .as_ref()
        .is_some_and(|body| body.contains(&name))
}
