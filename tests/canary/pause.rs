//! Streams that a server ends and means to go on (SEP-1699), and streams that never were.

use std::time::Duration;

use holter::canary::ending::Cause;
use holter::canary::machine::{Do, Input};
use holter::canary::protocol::Request;
use holter::canary::{Event, Kind, Leg, LostCause};
use holter::reason::{Reason, Side};

use super::play::Play;
use super::replies::*;

/// A stream that began with rmcp's priming event and was ended cleanly after this many seconds.
fn paused_after(seconds: f64) -> Play {
    let mut play = Play::held(Leg::Direct);
    play.bytes(RMCP_PRIMING);
    play.after(seconds).say(Input::Ended(Cause::CleanEnd));
    play
}

fn reopened(play: &Play) -> &Request {
    match &play.actions[..] {
        [Do::Open(request)] => request,
        other => panic!("{other:?}"),
    }
}

fn place(request: &Request) -> Option<&str> {
    let header = request
        .headers
        .iter()
        .find(|(name, _)| *name == "last-event-id");
    header.map(|(_, value)| value.as_str())
}

#[test]
fn a_polled_stream_is_no_disconnect() {
    let mut play = paused_after(30.0);
    assert_eq!(play.events.last(), Some(&Event::Paused));
    let wait = play.canary.deadline().unwrap() - play.now;
    assert_eq!(wait, Duration::from_secs(3), "the server's own `retry`");
    play.tick();
    assert_eq!(place(reopened(&play)), Some("0"));
    play.opened();
    let [.., Event::Resumed, Event::Phase(..), Event::Held { .. }] = &play.events[..] else {
        panic!("{:?}", play.events)
    };
    assert_eq!((play.ends(), play.failures()), (vec![], vec![]));
}

#[test]
fn the_priming_event_is_no_heartbeat_but_an_empty_one_is() {
    let mut play = paused_after(1.0);
    play.tick().opened();
    play.bytes("event: heartbeat\ndata:\n\n");
    let beats = play.events.iter().filter_map(|event| match event {
        Event::Beat(kind) => Some(*kind),
        _ => None,
    });
    assert_eq!(beats.collect::<Vec<_>>(), [Kind::Event]);
}

#[test]
fn a_session_that_ended_in_the_pause_was_closed() {
    // rmcp ends a session 300 s after the client's last message, and its stream cleanly.
    let mut play = paused_after(300.0);
    play.tick().say(Input::Opened(RMCP_GONE.answer()));
    assert_eq!(play.ends(), [], "one refusal proves nothing");
    play.refuse_session();
    assert_eq!(play.ends(), [(Reason::ServerClose, Side::Server)]);
    assert!(
        play.events
            .contains(&Event::SessionLost(LostCause::Unknown))
    );
    let age = play.events.iter().find_map(|event| match event {
        Event::EndedPaused(end) => Some(end.age),
        _ => None,
    });
    assert_eq!(age, Some(Duration::from_secs(300)));
    assert_eq!(play.failures(), []);
}

#[test]
fn a_server_that_is_not_there_after_the_pause_is_a_failed_attempt_and_an_end() {
    let mut play = paused_after(30.0);
    play.tick().say(Input::OpenFailed(Cause::Refused));
    assert_eq!(play.ends(), [(Reason::ServerClose, Side::Server)]);
    assert_eq!(play.failures(), [Reason::ConnectRefused]);
    play.tick().say(Input::OpenFailed(Cause::Refused));
    assert_eq!(play.ends().len(), 1, "told once");
}

#[test]
fn leaving_in_a_pause_ends_it() {
    let mut play = paused_after(30.0);
    play.say(Input::Stop);
    assert_eq!(play.ends(), [(Reason::ServerClose, Side::Server)]);
}

#[test]
fn a_cut_is_no_pause() {
    let mut play = Play::held(Leg::Direct);
    play.bytes(RMCP_PRIMING);
    play.after(30.0).say(Input::Ended(Cause::Truncated));
    play.reply(202);
    assert_eq!(play.ends(), [(Reason::ServerCut, Side::Unknown)]);
    play.tick();
    assert_eq!(
        place(reopened(&play)),
        Some("0"),
        "but it goes on from there"
    );
}

#[test]
fn a_place_that_leads_nowhere_is_forgotten() {
    let mut play = paused_after(30.0);
    // rmcp knows no such place any more: 200, and an end without a byte.
    play.tick()
        .opened()
        .after(0.1)
        .say(Input::Ended(Cause::CleanEnd))
        .tick();
    assert_eq!(place(reopened(&play)), None);
    assert_eq!((play.ends(), play.failures()), (vec![], vec![]));

    for refusal in [GO_NO_EVENT_STORE, PY_NO_EVENT_STORE] {
        let mut play = paused_after(30.0);
        play.tick().say(Input::Opened(refusal.answer()));
        assert_eq!(place(reopened(&play)), None, "asked without it, at once");
        play.opened();
        assert!(play.events.contains(&Event::Resumed));
        assert_eq!((play.ends(), play.failures()), (vec![], vec![]));
        assert_eq!(play.affinity().1, 0, "no miss");
    }
}

#[test]
fn a_stream_that_ends_at_once_without_a_byte_was_none() {
    let mut play = Play::held(Leg::Direct);
    let mut waits = vec![];
    for _ in 0..8 {
        play.after(0.1).say(Input::Ended(Cause::CleanEnd));
        waits.push(play.canary.deadline().unwrap() - play.now);
        play.tick().opened();
    }
    assert!(
        play.ends()
            .iter()
            .all(|(reason, _)| *reason == Reason::ProtocolError)
    );
    assert!(waits[7] >= Duration::from_secs(30), "no loop: {waits:?}");
    play.bytes(": x\n\n")
        .after(0.1)
        .say(Input::Ended(Cause::CleanEnd));
    assert_eq!(
        play.ends().last().map(|end| end.0),
        Some(Reason::ServerClose)
    );
}

/// A server that is stopped ends all its streams in order, also one that it took half a second ago.
#[test]
fn a_young_stream_after_one_that_spoke_is_closed_once() {
    let mut play = Play::held(Leg::Direct);
    play.bytes(": x\n\n");
    for _ in 0..3 {
        play.after(0.5).say(Input::Ended(Cause::CleanEnd));
        play.tick().opened();
    }
    let reasons: Vec<_> = play.ends().iter().map(|(reason, _)| *reason).collect();
    let (closed, none) = (Reason::ServerClose, Reason::ProtocolError);
    assert_eq!(
        reasons,
        [closed, closed, none],
        "the old, the young, and no stream at all"
    );
}

#[test]
fn an_event_id_that_no_header_can_carry_is_left_out() {
    let mut play = Play::held(Leg::Direct);
    play.bytes("id: a\u{1}b\ndata: x\n\n");
    play.after(30.0).say(Input::Ended(Cause::CleanEnd)).tick();
    assert_eq!(place(reopened(&play)), None);
}
