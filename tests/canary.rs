//! A canary's life as transcripts: what happens, then what it does and tells. No clock, no sockets.
#![allow(
    clippy::disallowed_methods,
    reason = "one origin for the test's own time line"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by a panic"
)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use holter::canary::ending::Cause;
use holter::canary::heartbeat::Expectation;
use holter::canary::machine::{Canary, Do, Input, Output, Settings};
use holter::canary::protocol::Answer;
use holter::canary::{Event, Kind, Leg, LostCause, Transport};
use holter::reason::{Reason, Side};

const RESULT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}}"#;

/// A canary, its time line and everything that it said.
struct Play {
    canary: Canary,
    now: Instant,
    events: Vec<Event>,
    actions: Vec<Do>,
}

impl Play {
    fn new(leg: Leg, transport: Transport) -> Self {
        let now = Instant::now();
        let settings = Settings {
            leg,
            url: "http://127.0.0.1:3001/mcp".parse().unwrap(),
            transport,
            connect_timeout: Duration::from_secs(10),
            max_age: Some(Duration::from_secs(3600)),
            heartbeat: Expectation {
                interval: None,
                tolerance: 2.5,
            },
            affinity: Some((Duration::from_secs(600), 4)),
        };
        Self {
            canary: Canary::new(settings, now, 7),
            now,
            events: vec![],
            actions: vec![],
        }
    }

    fn say(&mut self, input: Input) -> &mut Self {
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
    fn tick(&mut self) -> &mut Self {
        self.now = self.canary.deadline().expect("a deadline").max(self.now);
        self.say(Input::Tick)
    }

    fn after(&mut self, seconds: f64) -> &mut Self {
        self.now += Duration::from_secs_f64(seconds);
        self
    }

    fn reply(&mut self, status: u16) -> &mut Self {
        self.say(Input::Replied(Answer {
            status,
            ..Answer::default()
        }))
    }

    fn bytes(&mut self, text: &'static str) -> &mut Self {
        self.say(Input::Chunk(Bytes::from_static(text.as_bytes())))
    }

    fn opened(&mut self) -> &mut Self {
        self.say(Input::Opened(Answer {
            status: 200,
            content_type: "text/event-stream".into(),
            ..Answer::default()
        }))
    }

    fn minted(&mut self) -> &mut Self {
        self.say(Input::Replied(Answer {
            status: 200,
            content_type: "application/json".into(),
            session: Some("s1".into()),
            body: Bytes::from_static(RESULT.as_bytes()),
            ..Answer::default()
        }))
    }

    /// The handshake of Streamable HTTP without a hitch.
    fn held(leg: Leg) -> Self {
        let mut play = Self::new(leg, Transport::StreamableHttp);
        play.tick().minted().reply(202).opened();
        assert_eq!(
            play.events.last(),
            Some(&Event::Held {
                transport: Transport::StreamableHttp,
                version: "2025-06-18",
            })
        );
        play
    }

    fn posts(&self) -> usize {
        self.actions
            .iter()
            .filter(|action| matches!(action, Do::Post(_)))
            .count()
    }

    fn ends(&self) -> Vec<(Reason, Side)> {
        let ends = self.events.iter().filter_map(|event| match event {
            Event::Ended(end) => Some((end.reason, end.side)),
            _ => None,
        });
        ends.collect()
    }

    fn failures(&self) -> Vec<Reason> {
        let failures = self.events.iter().filter_map(|event| match event {
            Event::ConnectFailed(reason) => Some(*reason),
            _ => None,
        });
        failures.collect()
    }

    fn affinity(&self) -> (u64, u64) {
        self.events
            .iter()
            .fold((0, 0), |(requests, misses), event| match event {
                Event::AffinityRequests(count) => (requests + count, misses),
                Event::AffinityMisses(count) => (requests, misses + count),
                _ => (requests, misses),
            })
    }
}

#[test]
fn beats_are_counted_by_kind_and_pings_answered() {
    let mut play = Play::held(Leg::Direct);
    play.after(15.0).bytes(": keepalive\n\n");
    play.after(15.0)
        .bytes("data: {\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"ping\"}\n\n");
    assert_eq!(play.posts(), 1, "the ping is answered");
    play.reply(202)
        .after(15.0)
        .bytes("event: heartbeat\ndata: x\n\n");
    let beats: Vec<_> = play
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Beat(kind) => Some(*kind),
            _ => None,
        })
        .collect();
    assert_eq!(beats, [Kind::Comment, Kind::Ping, Kind::Event]);
    assert!(play.events.contains(&Event::Gap(Duration::from_secs(15))));
}

#[test]
fn a_direct_cut_is_the_server() {
    let mut play = Play::held(Leg::Direct);
    play.after(9.0).say(Input::Ended(Cause::Truncated));
    assert_eq!(play.ends(), [(Reason::ServerCut, Side::Server)]);
}

#[test]
fn a_silent_stream_cut_while_its_session_lives_is_an_idle_timeout() {
    let mut play = Play::held(Leg::Proxy);
    play.after(60.0).say(Input::Ended(Cause::Truncated));
    assert_eq!(play.ends(), [], "the session is asked first");
    assert_eq!(play.posts(), 1);
    play.reply(404).reply(404).reply(200);
    assert_eq!(play.ends(), [(Reason::IdleTimeout, Side::Proxy)]);
    assert_eq!(play.affinity(), (5, 2), "handshake 2, refused 2, found 1");
    play.tick();
    assert!(
        matches!(&play.actions[..], [Do::Open(_)]),
        "the living session is used again"
    );
}

#[test]
fn a_cut_that_takes_the_session_along_is_the_server() {
    let mut play = Play::held(Leg::Proxy);
    play.after(5.0)
        .bytes(": beat\n\n")
        .after(1.5)
        .say(Input::Ended(Cause::Truncated));
    while play.ends().is_empty() {
        assert_eq!(play.posts(), 1);
        play.reply(404);
    }
    assert_eq!(play.ends(), [(Reason::ServerCut, Side::Server)]);
    assert!(
        play.events
            .contains(&Event::SessionLost(LostCause::Unknown))
    );
    play.tick();
    assert_eq!(play.posts(), 1, "a new session is asked for");
}

#[test]
fn misses_before_the_cut_do_not_shorten_the_question_after_it() {
    let mut play = Play::held(Leg::Proxy);
    play.tick().reply(200).reply(200).reply(404).reply(404);
    play.after(1.0).say(Input::Ended(Cause::Truncated));
    while play.ends().is_empty() {
        play.reply(404);
    }
    assert_eq!(play.ends(), [(Reason::ServerCut, Side::Server)]);
}

#[test]
fn a_cut_is_the_server_when_the_proxy_reaches_none() {
    let mut play = Play::held(Leg::Proxy);
    play.after(5.0).say(Input::Ended(Cause::Truncated));
    play.reply(502).reply(502).reply(502);
    assert_eq!(play.ends(), [(Reason::ServerCut, Side::Server)]);
}

#[test]
fn a_cut_with_a_dead_proxy_is_unknown() {
    let mut play = Play::held(Leg::Proxy);
    play.after(5.0).say(Input::Ended(Cause::Truncated));
    for _ in 0..3 {
        play.say(Input::ReplyFailed(Cause::Refused));
    }
    assert_eq!(play.ends(), [(Reason::Unknown, Side::Proxy)]);
}

#[test]
fn a_clean_end_is_planned() {
    let mut play = Play::held(Leg::Proxy);
    play.after(5.0).say(Input::Ended(Cause::CleanEnd));
    assert_eq!(play.ends(), [(Reason::ServerClose, Side::Unknown)]);
}

#[test]
fn round_robin_refusals_before_the_stream_opens_are_misses_once_it_opens() {
    let mut play = Play::new(Leg::Proxy, Transport::StreamableHttp);
    play.tick().minted().reply(404).reply(404).reply(202);
    play.say(Input::Opened(Answer {
        status: 404,
        ..Answer::default()
    }))
    .opened();
    assert_eq!(play.affinity(), (5, 3));
    assert!(play.failures().is_empty());
}

#[test]
fn refused_everywhere_a_new_session_is_lost() {
    let mut play = Play::new(Leg::Proxy, Transport::StreamableHttp);
    play.tick().minted();
    for _ in 0..12 {
        play.reply(404);
    }
    assert_eq!(play.failures(), [Reason::SessionLost]);
    assert_eq!(play.affinity(), (0, 0), "nothing proves a miss");
}

#[test]
fn a_legacy_post_refused_while_the_stream_is_open_is_a_miss() {
    let mut play = Play::new(Leg::Proxy, Transport::HttpSse);
    play.tick()
        .opened()
        .bytes("event: endpoint\ndata: /messages?sessionId=s1\n\n");
    assert_eq!(play.posts(), 1);
    play.reply(400).reply(404).reply(202);
    assert_eq!(play.affinity(), (3, 2));
    play.bytes(
        "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2024-11-05\"}}\n\n",
    )
    .reply(202);
    assert!(
        matches!(
            play.events.last(),
            Some(Event::Held {
                transport: Transport::HttpSse,
                ..
            })
        ),
        "{:?}",
        play.events
    );
}

#[test]
fn a_legacy_session_refused_for_ever_ends_the_attempt() {
    let mut play = Play::new(Leg::Proxy, Transport::HttpSse);
    play.tick()
        .opened()
        .bytes("event: endpoint\ndata: /messages?sessionId=s1\n\n");
    for _ in 0..40 {
        if play.failures().is_empty() {
            play.reply(404);
        }
    }
    assert_eq!(play.failures(), [Reason::Http4xx]);
}

#[test]
fn legacy_cuts_that_repeat_at_one_silence_are_an_idle_timeout() {
    let mut play = Play::new(Leg::Proxy, Transport::HttpSse);
    for _ in 0..2 {
        play.tick()
            .opened()
            .bytes("event: endpoint\ndata: /m?sessionId=s1\n\n")
            .reply(202);
        play.bytes("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2024-11-05\"}}\n\n").reply(202);
        play.after(60.0).say(Input::Ended(Cause::Truncated));
    }
    assert_eq!(
        play.ends(),
        [
            (Reason::Unknown, Side::Unknown),
            (Reason::IdleTimeout, Side::Proxy)
        ]
    );
}

#[test]
fn auto_falls_back_to_the_older_transport_without_a_failure() {
    let mut play = Play::new(Leg::Direct, Transport::Auto);
    play.tick().reply(405);
    assert!(
        matches!(play.actions.last(), Some(Do::Open(_))),
        "{:?}",
        play.actions
    );
    assert!(play.failures().is_empty());
    play.say(Input::Opened(Answer {
        status: 405,
        ..Answer::default()
    }));
    assert_eq!(play.failures(), [Reason::Http4xx]);
    play.tick();
    assert_eq!(play.posts(), 1, "and back to the newer one");
}

#[test]
fn a_server_that_asks_for_a_pause_gets_it() {
    let mut play = Play::new(Leg::Direct, Transport::StreamableHttp);
    play.tick().say(Input::Replied(Answer {
        status: 503,
        retry_after: Some(Duration::from_secs(120)),
        ..Answer::default()
    }));
    assert_eq!(play.failures(), [Reason::Http5xx]);
    assert!(play.canary.deadline().unwrap() >= play.now + Duration::from_secs(120));
}

#[test]
fn a_stalled_stream_is_given_up() {
    let mut play = Play::held(Leg::Direct);
    for _ in 0..4 {
        play.after(15.0).bytes(": beat\n\n");
    }
    play.tick();
    assert_eq!(play.events.last(), Some(&Event::Late));
    play.tick();
    assert_eq!(play.ends(), [(Reason::HeartbeatTimeout, Side::Unknown)]);
    assert!(play.actions.contains(&Do::Close));
}

#[test]
fn an_old_stream_is_renewed_on_its_session() {
    let mut play = Play::held(Leg::Direct);
    while play.ends().is_empty() {
        play.tick();
        if play.posts() == 1 {
            for _ in 0..4 {
                play.reply(200);
            }
        }
    }
    assert_eq!(play.ends(), [(Reason::Rotated, Side::Client)]);
    assert!(
        matches!(&play.actions[..], [Do::Close, Do::Open(_)]),
        "{:?}",
        play.actions
    );
}

#[test]
fn a_lost_session_is_replaced_at_once_and_its_id_not_sent() {
    let mut play = Play::held(Leg::Direct);
    play.after(300.0).say(Input::Ended(Cause::CleanEnd)).tick();
    let gone = || {
        Input::Opened(Answer {
            status: 404,
            ..Answer::default()
        })
    };
    play.say(gone()).say(gone());
    assert!(
        play.events
            .contains(&Event::SessionLost(LostCause::Unknown))
    );
    let [Do::Close, Do::Post(request)] = &play.actions[..] else {
        panic!("{:?}", play.actions)
    };
    assert!(
        request
            .headers
            .iter()
            .all(|(name, _)| *name != "mcp-session-id")
    );
    assert!(play.failures().is_empty());
}

#[test]
fn stopping_closes_the_stream_and_deletes_the_session() {
    let mut play = Play::held(Leg::Direct);
    play.say(Input::Stop);
    assert_eq!(play.ends(), [(Reason::Rotated, Side::Client)]);
    assert!(
        matches!(&play.actions[..], [Do::Close, Do::Delete(_)]),
        "{:?}",
        play.actions
    );
    assert!(!play.canary.is_over());
    play.reply(200);
    assert!(play.canary.is_over());
}

#[test]
fn a_session_minted_while_stopping_is_deleted_too() {
    let mut play = Play::new(Leg::Direct, Transport::StreamableHttp);
    play.tick().say(Input::Stop);
    assert_eq!(
        play.actions,
        [Do::Close],
        "the initialize in flight is awaited"
    );
    play.minted();
    assert!(matches!(&play.actions[..], [Do::Delete(_)]));
}

#[test]
fn a_farewell_that_is_not_answered_ends_in_two_seconds() {
    let mut play = Play::held(Leg::Direct);
    play.say(Input::Stop);
    let asked = play.now;
    play.tick();
    assert!(play.canary.is_over());
    assert!(play.now <= asked + Duration::from_secs(2));
}

#[test]
fn a_refused_session_is_given_up_after_three_failures() {
    let mut play = Play::held(Leg::Direct);
    play.after(5.0).say(Input::Ended(Cause::Reset));
    for failure in 1..=3 {
        play.tick();
        assert!(
            matches!(&play.actions[..], [Do::Open(_)]),
            "failure {failure}: {:?}",
            play.actions
        );
        play.say(Input::Opened(Answer {
            status: 409,
            ..Answer::default()
        }));
    }
    assert!(
        matches!(play.actions.last(), Some(Do::Delete(_))),
        "{:?}",
        play.actions
    );
    play.reply(200).tick();
    assert_eq!(play.posts(), 1, "and a new one is asked for");
}

#[test]
fn nothing_a_server_sends_makes_it_panic_or_flood() {
    let mut play = Play::held(Leg::Direct);
    let ping = "data: {\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"ping\"}\n\n";
    play.say(Input::Chunk(ping.repeat(1000).into()));
    assert_eq!(play.posts(), 1);
    let mut answered = 1;
    while play.reply(202).posts() == 1 {
        answered += 1;
    }
    assert_eq!(answered, 16, "a flood is not answered beyond the outbox");
}

#[test]
fn what_the_handshake_says_is_no_heartbeat() {
    let mut play = Play::new(Leg::Direct, Transport::HttpSse);
    play.tick()
        .opened()
        .bytes("event: endpoint\ndata: /m?sessionId=s1\n\n");
    assert!(
        !play
            .events
            .iter()
            .any(|event| matches!(event, Event::Beat(_))),
        "{:?}",
        play.events
    );
    assert!(
        play.events.contains(&Event::Bytes),
        "but it is a sign of life"
    );
}

#[test]
fn asking_a_legacy_session_does_not_break_its_silence() {
    let mut play = Play::new(Leg::Direct, Transport::HttpSse);
    play.tick()
        .opened()
        .bytes("event: endpoint\ndata: /m?sessionId=s1\n\n")
        .reply(202);
    play.bytes(
        "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2024-11-05\"}}\n\n",
    )
    .reply(202);
    play.tick();
    let [Do::Post(request)] = &play.actions[..] else {
        panic!("{:?}", play.actions)
    };
    let body = request.body.as_deref().unwrap_or_default();
    assert!(
        body.contains("notifications/cancelled"),
        "a request would be answered on the stream: {body}"
    );
}

#[test]
fn auto_stays_with_a_server_that_opened_a_session() {
    let mut play = Play::new(Leg::Direct, Transport::Auto);
    play.tick().minted().reply(202);
    play.say(Input::Opened(Answer {
        status: 405,
        ..Answer::default()
    }));
    assert_eq!(
        play.failures(),
        [Reason::Http4xx],
        "it offers no stream, but it is no legacy server"
    );
    play.tick();
    assert!(
        matches!(&play.actions[..], [Do::Open(_)]),
        "on the same session: {:?}",
        play.actions
    );
}

#[test]
fn every_refusal_on_an_open_legacy_stream_is_a_miss() {
    let mut play = Play::new(Leg::Proxy, Transport::HttpSse);
    play.tick()
        .opened()
        .bytes("event: endpoint\ndata: /m?sessionId=s1\n\n")
        .reply(202);
    play.bytes(
        "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2024-11-05\"}}\n\n",
    )
    .reply(202);
    play.tick().reply(404).reply(404).reply(404).reply(404);
    assert_eq!(play.affinity(), (6, 4), "none of them waits for a success");
}

#[test]
fn streams_that_lived_do_not_make_the_waits_longer() {
    let mut play = Play::held(Leg::Direct);
    for _ in 0..8 {
        play.after(10.0).say(Input::Ended(Cause::CleanEnd));
        let wait = play.canary.deadline().unwrap() - play.now;
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        play.tick().opened();
    }
    for _ in 0..8 {
        play.after(0.1)
            .say(Input::Ended(Cause::CleanEnd))
            .tick()
            .opened();
    }
    play.after(0.1).say(Input::Ended(Cause::CleanEnd));
    let wait = play.canary.deadline().unwrap() - play.now;
    assert!(
        wait >= Duration::from_secs(30),
        "streams that die at once do: {wait:?}"
    );
}

#[test]
fn an_id_on_a_refusal_is_dead_and_not_deleted() {
    let mut play = Play::new(Leg::Direct, Transport::StreamableHttp);
    play.tick().say(Input::Stop);
    play.say(Input::Replied(Answer {
        status: 400,
        session: Some("dead".into()),
        ..Answer::default()
    }));
    assert_eq!(play.actions, []);
    assert!(play.canary.is_over());
}
