//! What comes on a stream, and how often a server is asked.

use std::time::Duration;

use holter::canary::machine::Input;
use holter::canary::protocol::Answer;
use holter::canary::{Event, Kind, Leg, Transport};
use holter::reason::Reason;

use super::play::Play;

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
fn a_proxy_leg_that_gets_nothing_is_given_up_by_what_the_direct_leg_learned() {
    let mut play = Play::held(Leg::Proxy);
    let interval = Duration::from_secs(15);
    play.say(Input::ServerBeats(Some(interval)));
    assert_eq!(play.events.last(), Some(&Event::Learned(Some(interval))));
    play.tick();
    assert_eq!(play.events.last(), Some(&Event::Late));
    play.tick();
    let ends: Vec<_> = play.ends().into_iter().map(|(reason, _)| reason).collect();
    assert_eq!(ends, [Reason::HeartbeatTimeout]);
}
