//! `subscriptions/listen`: acknowledged or not, ended with a result or without.

use holter::canary::ending::Cause;
use holter::canary::machine::{Do, Input};
use holter::canary::{Event, Kind, Leg, Transport};
use holter::reason::{Reason, Side};

use super::play::Play;
use super::replies::*;

/// A listener whose request was answered by a stream that says nothing yet.
fn subscribed() -> Play {
    let mut play = Play::new(Leg::Direct, Transport::Listen);
    play.tick().say(Input::Replied(TS2_DISCOVER.answer()));
    let [Do::Open(request)] = &play.actions[..] else {
        panic!("{:?}", play.actions)
    };
    let body = request.body.as_deref().expect("a POST");
    assert!(body.contains("\"notifications\":{\"toolsListChanged\":true}"));
    for header in [
        ("mcp-method", "subscriptions/listen"),
        ("mcp-protocol-version", "2026-07-28"),
    ] {
        let header = (header.0, header.1.to_owned());
        assert!(request.headers.contains(&header), "{header:?}");
    }
    play.opened();
    play
}

fn held() -> Play {
    let mut play = subscribed();
    assert!(
        !play.events.iter().any(|e| matches!(e, Event::Held { .. })),
        "only the acknowledgement makes it a stream"
    );
    play.bytes(TS2_LISTEN.body);
    let held = Event::Held {
        transport: Transport::Listen,
        version: "2026-07-28",
        session: false,
    };
    assert_eq!(play.events.last(), Some(&held));
    play
}

#[test]
fn the_acknowledgement_is_no_heartbeat_and_comments_are() {
    let mut play = held();
    play.after(15.0).bytes(": keepalive\n\n");
    let beats = play.events.iter().filter_map(|event| match event {
        Event::Beat(kind) => Some(*kind),
        _ => None,
    });
    assert_eq!(beats.collect::<Vec<_>>(), [Kind::Comment]);
}

#[test]
fn a_stream_without_its_acknowledgement_is_none() {
    let other = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":\"sub-1\"}}}\n\n";
    let limit = "data: {\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32603,\"message\":\"Subscription limit reached\"},\"id\":\"listen-1\"}\n\n";
    for said in [other, limit, TS2_RESULT] {
        let mut play = subscribed();
        play.bytes(said);
        assert_eq!(play.failures(), [Reason::ProtocolError], "{said}");
    }
    let mut play = subscribed();
    play.tick();
    assert_eq!(play.failures(), [Reason::ProtocolError], "silence");
    let mut play = subscribed();
    play.say(Input::Ended(Cause::CleanEnd));
    assert_eq!(play.failures(), [Reason::ProtocolError], "an end");
}

#[test]
fn only_a_result_or_a_cancellation_makes_an_end_planned() {
    let cancelled = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"listen-1\"}}\n\n";
    let another = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"x\"}}\n\n";
    let close = (Reason::ServerClose, Side::Server);
    let cut = (Reason::ServerCut, Side::Server);
    for (last, cause, expected) in [
        (TS2_RESULT, Cause::CleanEnd, close),
        (cancelled, Cause::CleanEnd, close),
        (TS2_RESULT, Cause::Truncated, close),
        (": keepalive\n\n", Cause::CleanEnd, cut),
        (another, Cause::CleanEnd, cut),
        (": keepalive\n\n", Cause::Truncated, cut),
    ] {
        let mut play = held();
        play.after(9.0).bytes(last).say(Input::Ended(cause));
        assert_eq!(play.ends(), [expected], "{last}{cause:?}");
    }
}

#[test]
fn nothing_is_answered_and_no_session_is_asked_for() {
    let mut play = held();
    play.bytes("data: {\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"ping\"}\n\n");
    assert_eq!(play.posts(), 0, "2026-07-28 has no requests on streams");
    for _ in 0..3 {
        play.tick();
        assert_eq!(play.posts(), 0, "{:?}", play.actions);
    }
    assert_eq!(play.affinity(), (0, 0));
}

#[test]
fn leaving_needs_no_farewell() {
    let mut play = held();
    play.say(Input::Stop);
    assert_eq!(play.actions, [Do::Close]);
    assert_eq!(play.ends(), [(Reason::Rotated, Side::Client)]);
    assert!(play.canary.is_over());
}
