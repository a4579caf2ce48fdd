//! How a held stream ends, and what is asked and told then.

use std::time::Duration;

use holter::canary::ending::Cause;
use holter::canary::machine::{Do, Input};
use holter::canary::protocol::Answer;
use holter::canary::{Event, Leg, LostCause, Transport};
use holter::reason::{Reason, Side};

use super::play::Play;

#[test]
fn a_direct_cut_is_the_server_unless_the_session_lives() {
    let refused = || Input::ReplyFailed(Cause::Refused);
    let no_answer = || Input::ReplyFailed(Cause::NoAnswer);
    let replied = |status| {
        let answer = Answer {
            status,
            ..Answer::default()
        };
        Input::Replied(answer)
    };
    for (answers, side) in [
        (vec![replied(202)], Side::Unknown),
        (vec![replied(404), replied(202)], Side::Unknown),
        (vec![replied(404), replied(404)], Side::Server),
        (vec![refused(), refused(), refused()], Side::Server),
        (vec![no_answer(), no_answer(), no_answer()], Side::Server),
    ] {
        let mut play = Play::held(Leg::Direct);
        play.after(9.0).say(Input::Ended(Cause::Truncated));
        for answer in answers {
            assert_eq!(play.ends(), [], "the session is asked first");
            play.say(answer);
        }
        assert_eq!(play.ends(), [(Reason::ServerCut, side)]);
    }
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

/// Envoy's time-outs over HTTP/2 are RST_STREAM, a load balancer's idle limit is RST.
#[test]
fn a_silent_stream_reset_while_its_session_lives_is_an_idle_timeout() {
    for cause in [Cause::Reset, Cause::StreamReset] {
        let mut play = Play::held(Leg::Proxy);
        play.after(60.0).say(Input::Ended(cause));
        assert_eq!(play.ends(), [], "the session is asked first");
        play.reply(200);
        assert_eq!(play.ends(), [(Reason::IdleTimeout, Side::Proxy)]);
    }
}

/// Envoy's `max_stream_duration`.
#[test]
fn resets_that_repeat_at_one_age_while_the_session_lives_are_a_max_duration() {
    let mut play = Play::held(Leg::Proxy);
    for _ in 0..2 {
        for _ in 0..19 {
            play.after(15.0).bytes(": beat\n\n");
        }
        play.after(15.0)
            .say(Input::Ended(Cause::StreamReset))
            .reply(200)
            .tick()
            .opened();
    }
    assert_eq!(
        play.ends(),
        [
            (Reason::ServerReset, Side::Unknown),
            (Reason::MaxDuration, Side::Proxy)
        ]
    );
}

#[test]
fn a_reset_that_takes_the_session_along_is_the_server() {
    let mut play = Play::held(Leg::Proxy);
    play.after(60.0).say(Input::Ended(Cause::Reset));
    play.reply(502).reply(502).reply(502);
    assert_eq!(play.ends(), [(Reason::ServerReset, Side::Server)]);
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
