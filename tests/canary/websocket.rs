//! A WebSocket: what is said on it, what its frames count as, how it ends.

use holter::canary::ending::Cause;
use holter::canary::machine::{Do, Input};
use holter::canary::protocol::Answer;
use holter::canary::protocol::websocket::Frame;
use holter::canary::{Event, Kind, Leg, Transport};
use holter::reason::{Reason, Side};

use super::play::{Play, RESULT};

fn upgraded(leg: Leg) -> Play {
    let mut play = Play::new(leg, Transport::WebSocket);
    play.tick();
    assert!(matches!(&play.actions[..], [Do::Upgrade(_)]));
    play.say(Input::Opened(Answer {
        status: 101,
        cookies: vec!["route=a; Path=/".into()],
        ..Answer::default()
    }));
    play
}

fn held(leg: Leg) -> Play {
    let mut play = upgraded(leg);
    text(&mut play, RESULT);
    let held = Event::Held {
        transport: Transport::WebSocket,
        version: "2025-06-18",
        session: false,
    };
    assert_eq!(play.events.last(), Some(&held));
    play
}

fn text(play: &mut Play, text: &str) {
    play.say(Input::Frame(Frame::Text(text.to_owned())));
}

fn said(play: &Play) -> Vec<&str> {
    let said = play.actions.iter().map(|action| match action {
        Do::Say(text) => text.as_str(),
        other => panic!("{other:?}"),
    });
    said.collect()
}

#[test]
fn the_handshake_goes_over_the_socket() {
    let mut play = upgraded(Leg::Direct);
    let [initialize] = said(&play)[..] else {
        panic!("{:?}", play.actions)
    };
    assert!(initialize.contains("\"initialize\""), "{initialize}");
    play.say(Input::Frame(Frame::Ping));
    text(&mut play, "hello");
    assert_eq!(play.actions, [], "neither is the answer");
    text(&mut play, RESULT);
    let [initialized] = said(&play)[..] else {
        panic!("{:?}", play.actions)
    };
    assert!(initialized.contains("notifications/initialized"));
    assert!(
        !play
            .events
            .iter()
            .any(|event| matches!(event, Event::Beat(_))),
        "what comes before the stream is held is no heartbeat"
    );
}

#[test]
fn each_frame_counts_as_its_kind_and_requests_are_answered() {
    let mut play = held(Leg::Direct);
    let frames = [
        (Frame::Ping, None),
        (Frame::Pong, None),
        (Frame::Binary, None),
        (Frame::Text("tick".into()), None),
        (
            Frame::Text(r#"{"jsonrpc":"2.0","method":"notifications/message"}"#.into()),
            None,
        ),
        (
            Frame::Text(r#"{"jsonrpc":"2.0","id":9,"method":"ping"}"#.into()),
            Some("result"),
        ),
        (
            Frame::Text(r#"{"jsonrpc":"2.0","id":9,"method":"roots/list"}"#.into()),
            Some("-32601"),
        ),
    ];
    for (frame, answer) in frames {
        play.after(1.0).say(Input::Frame(frame));
        let said = said(&play);
        assert_eq!(said.len(), answer.iter().count(), "{said:?}");
        assert!(
            said.iter().all(|said| said.contains(answer.unwrap())),
            "{said:?}"
        );
    }
    let beats = play.events.iter().filter_map(|event| match event {
        Event::Beat(kind) => Some(*kind),
        _ => None,
    });
    assert_eq!(
        beats.collect::<Vec<_>>(),
        [
            Kind::Ping,
            Kind::Ping,
            Kind::Event,
            Kind::Event,
            Kind::Data,
            Kind::Ping,
            Kind::Data
        ]
    );
}

#[test]
fn the_interval_of_ping_frames_is_learned_and_missed() {
    let mut play = held(Leg::Direct);
    for _ in 0..5 {
        play.after(20.0).say(Input::Frame(Frame::Ping));
    }
    let interval = std::time::Duration::from_secs(20);
    assert!(play.events.contains(&Event::Learned(Some(interval))));
    play.tick();
    assert_eq!(play.events.last(), Some(&Event::Late));
    play.tick();
    assert_eq!(play.ends(), [(Reason::HeartbeatTimeout, Side::Unknown)]);
    assert!(play.actions.contains(&Do::Close));
}

#[test]
fn nothing_is_said_to_a_silent_server() {
    let mut play = held(Leg::Direct);
    play.tick();
    // The first deadline is that of the stream's age: no ping, no session request before it.
    assert_eq!(play.ends(), [(Reason::Rotated, Side::Client)]);
    assert!(
        matches!(&play.actions[..], [Do::Close, Do::Upgrade(_)]),
        "{:?}",
        play.actions
    );
}

#[test]
fn a_close_frame_ends_the_silence_before_it() {
    let mut play = held(Leg::Proxy);
    play.after(60.0).say(Input::Frame(Frame::Close(Some(1001))));
    let Some(Event::Ended(end)) = play.events.last() else {
        panic!("{:?}", play.events)
    };
    assert_eq!((end.reason, end.side), (Reason::ServerClose, Side::Unknown));
    assert_eq!(end.silence.as_secs(), 60);
}

#[test]
fn cuts_through_the_proxy_that_repeat_at_one_silence_are_an_idle_timeout() {
    let mut play = Play::new(Leg::Proxy, Transport::WebSocket);
    for _ in 0..2 {
        play.tick().say(Input::Opened(Answer {
            status: 101,
            ..Answer::default()
        }));
        text(&mut play, RESULT);
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
fn cookies_of_the_proxy_go_with_the_next_upgrade() {
    let mut play = held(Leg::Proxy);
    play.after(5.0).say(Input::Frame(Frame::Close(None))).tick();
    let [Do::Upgrade(request)] = &play.actions[..] else {
        panic!("{:?}", play.actions)
    };
    assert_eq!(request.headers, [("cookie", "route=a".to_owned())]);
}

#[test]
fn stopping_closes_the_socket_and_there_is_no_session_to_delete() {
    let mut play = held(Leg::Direct);
    play.say(Input::Stop);
    assert_eq!(play.actions, [Do::Close]);
    assert!(play.canary.is_over());
}

#[test]
fn what_is_no_upgrade_is_refused_by_its_status() {
    for (status, reason) in [
        (200, Reason::ProtocolError),
        (301, Reason::ProtocolError),
        (403, Reason::Http4xx),
        (426, Reason::Http4xx),
        (503, Reason::Http5xx),
    ] {
        let mut play = Play::new(Leg::Direct, Transport::WebSocket);
        play.tick().say(Input::Opened(Answer {
            status,
            ..Answer::default()
        }));
        assert_eq!(play.failures(), [reason], "{status}");
    }
}
