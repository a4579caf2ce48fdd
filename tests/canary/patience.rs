//! Pauses that a server asks for by `Retry-After`: kept beside the stream as before it, and not for longer.

use std::time::Duration;

use holter::canary::ending::Cause;
use holter::canary::machine::{Do, Input};
use holter::canary::protocol::Answer;
use holter::canary::{Leg, Transport};
use holter::reason::{Reason, Side};

use super::play::Play;
use super::replies::{NO_GET, TS1_INITIALIZE};

/// The longest pause that is kept.
const MAX: Duration = Duration::from_secs(300);

fn busy(status: u16, seconds: u64) -> Answer {
    Answer {
        status,
        retry_after: Some(Duration::from_secs(seconds)),
        ..Answer::default()
    }
}

/// How long it waits now.
fn wait(play: &Play) -> Duration {
    play.canary.deadline().unwrap() - play.now
}

/// Held, and one of the requests beside the stream was answered so.
fn told_beside_the_stream(answer: Answer) -> Play {
    let mut play = Play::held(Leg::Proxy);
    play.tick();
    assert_eq!(play.posts(), 1, "affinity");
    play.say(Input::Replied(answer));
    play
}

#[test]
fn no_more_is_asked_beside_a_stream_for_so_long() {
    // Affinity is asked for every 450 to 600 s.
    let mut play = told_beside_the_stream(busy(429, 100));
    let told = play.now;
    assert_eq!(play.actions, [], "the rest of the round waits too");
    play.bytes("data: {\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"ping\"}\n\n");
    assert_eq!(play.posts(), 1, "a server that asks is answered");
    play.reply(202).tick();
    assert!(play.now >= told + Duration::from_secs(100));

    let mut play = Play::held_for(Leg::Proxy, 3600, 3);
    play.tick().say(Input::Replied(busy(429, 100)));
    let told = play.now;
    play.tick();
    assert_eq!((play.now - told).as_secs(), 100);
    assert_eq!(play.posts(), 1);
}

#[test]
fn nor_is_a_stream_renewed_or_its_session_asked_for() {
    let mut play = told_beside_the_stream(busy(503, 100));
    let told = play.now;
    play.after(5.0).say(Input::Ended(Cause::Truncated));
    assert_eq!(play.posts(), 0, "no question after the cut");
    assert_eq!(play.ends(), [(Reason::Unknown, Side::Unknown)]);
    play.tick();
    assert_eq!(play.now, told + Duration::from_secs(100));

    let mut play = Play::held_for(Leg::Direct, 100, 90);
    play.tick().say(Input::Replied(busy(429, 9999)));
    let told = play.now;
    play.tick();
    assert_eq!(play.ends(), [(Reason::Rotated, Side::Client)]);
    assert_eq!(play.now - told, MAX);
}

#[test]
fn a_check_that_is_answered_so_is_not_repeated() {
    for (status, question) in [(503, "overload"), (429, "too many")] {
        let mut play = Play::held(Leg::Proxy);
        play.after(5.0).say(Input::Ended(Cause::Truncated));
        assert_eq!(play.posts(), 1);
        play.say(Input::Replied(busy(status, 20)));
        assert_eq!(play.posts(), 0, "{question}");
        assert_eq!(play.ends(), [(Reason::Unknown, Side::Unknown)]);
        assert_eq!(wait(&play), Duration::from_secs(20));
        play.tick();
        assert!(
            matches!(&play.actions[..], [Do::Open(_)]),
            "the session is kept"
        );
    }
}

#[test]
fn a_check_that_is_refused_otherwise_tells_nothing_of_the_session() {
    let mut play = Play::held(Leg::Proxy);
    play.after(5.0)
        .say(Input::Ended(Cause::Truncated))
        .reply(403);
    assert_eq!(play.ends(), [(Reason::Unknown, Side::Unknown)]);
}

#[test]
fn a_server_without_a_stream_is_left_alone_too() {
    let mut play = Play::new(Leg::Direct, Transport::StreamableHttp);
    play.tick().say(Input::Replied(TS1_INITIALIZE.answer()));
    play.reply(202).say(Input::Opened(Answer {
        retry_after: Some(Duration::from_secs(200)),
        ..NO_GET.answer()
    }));
    assert_eq!(wait(&play), Duration::from_secs(200));
}

#[test]
fn a_pause_that_is_over_delays_nothing() {
    let mut play = told_beside_the_stream(busy(429, 100));
    play.after(3000.0).say(Input::Ended(Cause::CleanEnd));
    assert!(wait(&play) <= Duration::from_secs(1), "{:?}", wait(&play));
}

#[test]
fn no_pause_is_longer_than_five_minutes() {
    let mut play = Play::new(Leg::Direct, Transport::StreamableHttp);
    play.tick().say(Input::Replied(busy(503, 86_400)));
    assert_eq!(play.failures(), [Reason::Http5xx]);
    assert_eq!(wait(&play), MAX);
}
