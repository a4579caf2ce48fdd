//! A plain event stream: of no protocol, held by its bytes.

use std::time::Duration;

use holter::canary::ending::Cause;
use holter::canary::machine::{Do, Input};
use holter::canary::protocol::Answer;
use holter::canary::{Event, Kind, Leg, Transport};
use holter::reason::{Reason, Side};

use super::play::Play;

fn held() -> Play {
    let mut play = Play::new(Leg::Direct, Transport::Sse);
    play.tick().opened();
    let held = Event::Held {
        transport: Transport::Sse,
        version: "none",
        session: false,
    };
    assert_eq!(play.events.last(), Some(&held));
    play
}

#[test]
fn every_sign_of_life_counts_and_nothing_is_said() {
    let mut play = held();
    play.after(1.0)
        .bytes(": x\n\n")
        .after(1.0)
        .bytes("data: 1\n\n");
    play.after(1.0)
        .bytes("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\n");
    let beats = play.events.iter().filter_map(|event| match event {
        Event::Beat(kind) => Some(*kind),
        _ => None,
    });
    assert_eq!(
        beats.collect::<Vec<_>>(),
        [Kind::Comment, Kind::Event, Kind::Ping]
    );
    assert_eq!(play.actions, []);
}

#[test]
fn it_goes_on_from_the_last_event_after_the_time_that_the_server_named() {
    let mut play = held();
    play.bytes("retry: 7000\nid: 42\ndata: x\n\n").after(9.0);
    play.say(Input::Ended(Cause::CleanEnd));
    assert_eq!(play.ends(), [(Reason::ServerClose, Side::Server)]);
    let wait = play.canary.deadline().unwrap() - play.now;
    assert_eq!(wait, Duration::from_secs(7));
    play.tick();
    let [Do::Open(request)] = &play.actions[..] else {
        panic!("{:?}", play.actions)
    };
    assert!(
        request
            .headers
            .contains(&("last-event-id", "42".to_owned()))
    );
}

#[test]
fn what_is_no_event_stream_is_refused() {
    for (status, content_type, reason) in [
        (200, "text/html", Reason::ProtocolError),
        (204, "", Reason::ProtocolError),
        (404, "text/event-stream", Reason::Http4xx),
        (405, "", Reason::Http4xx),
        (503, "", Reason::Http5xx),
    ] {
        let mut play = Play::new(Leg::Direct, Transport::Sse);
        play.tick().say(Input::Opened(Answer {
            status,
            content_type: content_type.into(),
            ..Answer::default()
        }));
        assert_eq!(play.failures(), [reason], "{status} {content_type}");
    }
}

/// Text that an application sends, then nothing for a day.
#[test]
fn events_that_keep_no_time_raise_nothing() {
    let mut play = held();
    for _ in 0..90 {
        play.after(1.0).bytes("data: progress\n\n");
    }
    while play.ends().is_empty() {
        play.tick();
    }
    assert_eq!(play.ends(), [(Reason::Rotated, Side::Client)]);
    let is_beat = |event: &Event| matches!(event, Event::Late | Event::Learned(_));
    assert!(!play.events.iter().any(is_beat), "{:?}", play.events);
}

/// A heartbeat, to all appearances, and then the stream is dead: given up once, and unlearned.
#[test]
fn events_that_keep_time_are_a_heartbeat_until_they_stop() {
    let mut play = held();
    for _ in 0..8 {
        play.after(30.0).bytes("event: heartbeat\ndata: x\n\n");
    }
    let learned = |known| Event::Learned(known);
    assert!(
        play.events
            .contains(&learned(Some(Duration::from_secs(30))))
    );
    while play.ends().is_empty() {
        play.tick();
    }
    assert_eq!(play.ends(), [(Reason::HeartbeatTimeout, Side::Unknown)]);
    assert!(play.events.contains(&Event::Late));
    assert!(play.events.contains(&learned(None)));
    play.tick().opened().tick();
    assert_eq!(play.ends().last(), Some(&(Reason::Rotated, Side::Client)));
}
