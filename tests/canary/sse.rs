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
