//! Servers that are well and offer no stream.

use std::time::Duration;

use holter::canary::ending::Cause;
use holter::canary::machine::{Do, Input};
use holter::canary::protocol::Answer;
use holter::canary::{Event, Leg, LostCause, Transport};
use holter::reason::Reason;

use super::play::Play;
use super::replies::*;

/// A stateless server: no session, 405 to GET.
fn stateless() -> Play {
    let mut play = Play::new(Leg::Direct, Transport::StreamableHttp);
    play.tick().say(Input::Replied(TS1_INITIALIZE.answer()));
    play.reply(202).say(Input::Opened(NO_GET.answer()));
    play
}

/// One with sessions, 405 to GET all the same.
fn with_session() -> Play {
    let mut play = Play::new(Leg::Direct, Transport::StreamableHttp);
    play.tick().minted().reply(202);
    play.say(Input::Opened(NO_GET.answer()));
    play
}

fn is_over(play: &Play) -> bool {
    play.events.contains(&Event::NoStreamOver)
}

/// Lets time pass to the next request, which is a `ping`.
fn asked(play: &mut Play) {
    play.tick();
    let [Do::Post(request)] = &play.actions[..] else {
        panic!("{:?}", play.actions)
    };
    assert!(request.body.as_ref().unwrap().contains("\"ping\""));
}

#[test]
fn a_405_to_get_is_healthy() {
    let play = stateless();
    let told = Event::NoStream {
        transport: Transport::StreamableHttp,
        version: "2025-11-25",
        session: false,
    };
    assert_eq!(play.events.last(), Some(&told));
    assert_eq!(play.actions, [Do::Close]);
    assert_eq!((play.failures(), play.ends()), (vec![], vec![]));
}

#[test]
fn it_is_asked_about_once_a_minute() {
    let mut play = stateless();
    for _ in 0..5 {
        let before = play.now;
        asked(&mut play);
        let wait = (play.now - before).as_secs();
        assert!((45..=60).contains(&wait), "{wait}");
        play.reply(200);
    }
    assert!(!is_over(&play));
    assert_eq!(play.affinity(), (0, 0), "no session, no affinity");
}

#[test]
fn a_server_that_answers_no_more_is_attempted_anew() {
    for input in [
        Input::ReplyFailed(Cause::Refused),
        Input::Replied(Answer {
            status: 502,
            ..Answer::default()
        }),
    ] {
        let mut play = stateless();
        asked(&mut play);
        play.say(input);
        assert!(is_over(&play));
        assert_eq!(play.failures(), [], "the attempt will tell");
        play.tick().say(Input::ReplyFailed(Cause::Refused));
        assert_eq!(play.failures(), [Reason::ConnectRefused]);
    }
}

#[test]
fn a_pause_that_it_asks_for_is_given() {
    let mut play = stateless();
    asked(&mut play);
    play.say(Input::Replied(Answer {
        status: 429,
        retry_after: Some(Duration::from_secs(240)),
        ..Answer::default()
    }));
    assert!(!is_over(&play), "who says so is well");
    assert_eq!(
        play.canary.deadline(),
        Some(play.now + Duration::from_secs(240))
    );
}

#[test]
fn its_session_is_watched() {
    let mut play = with_session();
    play.events.clear();
    asked(&mut play);
    play.reply(404).reply(200);
    assert_eq!(play.affinity(), (2, 1), "elsewhere it is known");
    assert!(!is_over(&play));
    asked(&mut play);
    play.reply(404).reply(404);
    assert!(is_over(&play));
    let lost = Event::SessionLost(LostCause::Unknown);
    assert!(play.events.contains(&lost), "{:?}", play.events);
    play.tick();
    let [Do::Post(request)] = &play.actions[..] else {
        panic!("{:?}", play.actions)
    };
    assert!(request.body.as_ref().unwrap().contains("initialize"));
}

#[test]
fn it_is_asked_for_a_stream_again_when_one_would_be_renewed() {
    let mut play = stateless();
    let since = play.now;
    while !is_over(&play) {
        play.tick();
        if play.posts() == 1 && !is_over(&play) {
            play.reply(200);
        }
    }
    assert_eq!(play.now - since, Duration::from_secs(3600));
    assert_eq!(play.posts(), 1, "at once: {:?}", play.actions);
}

#[test]
fn leaving_says_farewell_to_its_session() {
    let mut play = with_session();
    play.say(Input::Stop);
    assert!(is_over(&play));
    assert!(matches!(&play.actions[..], [Do::Close, Do::Delete(_)]));
}

#[test]
fn a_modern_server_without_a_stream_keeps_no_session_of_an_older_era() {
    let mut play = Play::new(Leg::Direct, Transport::Auto);
    play.tick().say(Input::Replied(RMCP_DISCOVER.answer()));
    play.say(Input::Opened(METHOD_NOT_FOUND.answer()));
    play.minted().reply(202).say(Input::Opened(NO_GET.answer()));
    assert!(
        matches!(
            play.events.last(),
            Some(Event::NoStream {
                transport: Transport::Listen,
                ..
            })
        ),
        "{:?}",
        play.events
    );
    assert!(matches!(&play.actions[..], [Do::Close, Do::Delete(_)]));
    play.reply(200).tick();
    let [Do::Post(request)] = &play.actions[..] else {
        panic!("{:?}", play.actions)
    };
    assert!(request.body.as_ref().unwrap().contains("server/discover"));
}
