//! Sessions: refused, missed, lost, given up.

use holter::canary::ending::Cause;
use holter::canary::machine::{Do, Input};
use holter::canary::protocol::Answer;
use holter::canary::{Event, Leg, LostCause, Transport};
use holter::reason::{Reason, Side};

use super::play::{Play, says};
use super::replies::{CS_SECOND_GET, JSON, RMCP_GONE, Reply, reply};

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
    assert!(deletes(&play), "it may live where it was minted");
}

fn deletes(play: &Play) -> bool {
    matches!(play.actions.last(), Some(Do::Delete(_)))
}

#[test]
fn a_farewell_that_is_refused_is_said_elsewhere_before_a_new_session_is_asked_for() {
    for (leg, refusals) in [(Leg::Direct, 2), (Leg::Proxy, 12)] {
        let mut play = Play::new(leg, Transport::StreamableHttp);
        play.tick().minted();
        while play.failures().is_empty() {
            play.reply(404);
        }
        for refusal in 1..=refusals {
            assert!(deletes(&play), "{leg} {refusal}");
            if refusal == 2 {
                play.tick();
                assert_eq!(play.posts(), 0, "one request at a time");
            }
            play.reply(404);
        }
        assert!(!deletes(&play), "{leg}: {:?}", play.actions);
    }
}

#[test]
fn a_session_that_comes_with_a_failed_initialize_is_deleted() {
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"x"}}"#;
    for (transport, body) in [
        (Transport::StreamableHttp, error),
        (Transport::StreamableHttp, "<p>"),
        (Transport::Auto, error),
    ] {
        let mut play = Play::new(Leg::Direct, transport);
        play.tick();
        if transport == Transport::Auto {
            play.reply(404);
        }
        play.say(Input::Replied(
            reply(200, JSON, body).minting("s1").answer(),
        ));
        assert!(deletes(&play), "{transport} {body}: {:?}", play.actions);
        play.reply(200).say(Input::Stop);
        assert_eq!(play.actions, [Do::Close], "once");
        assert!(play.canary.is_over());
    }
}

#[test]
fn leaving_waits_for_a_farewell_that_was_being_said() {
    let mut play = Play::new(Leg::Direct, Transport::StreamableHttp);
    play.tick().minted().reply(404).reply(404);
    assert!(deletes(&play));
    play.say(Input::Stop);
    assert_eq!(play.actions, [Do::Close], "it is not dropped");
    assert!(!play.canary.is_over());
    play.reply(200);
    assert!(play.canary.is_over());
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
fn a_lost_session_is_replaced_at_once_and_its_id_not_sent() {
    let mut play = Play::held(Leg::Direct);
    play.after(300.0).say(Input::Ended(Cause::CleanEnd)).tick();
    play.refuse_session();
    assert!(
        play.events
            .contains(&Event::SessionLost(LostCause::Unknown))
    );
    let [Do::Post(request)] = &play.actions[..] else {
        panic!("{:?}", play.actions)
    };
    assert!(says(request, "initialize"));
    assert!(
        request
            .headers
            .iter()
            .all(|(name, _)| *name != "mcp-session-id")
    );
    assert!(play.failures().is_empty());
}

#[test]
fn a_refused_session_is_given_up_after_three_failures() {
    let mut play = Play::held(Leg::Direct);
    play.after(5.0).say(Input::Ended(Cause::Reset)).reply(202);
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

/// Refuses GETs in this way until the session is asked for by `ping`; says how many there were.
fn refuse_gets(play: &mut Play, refusal: Reply) -> usize {
    for gets in 1..=40 {
        play.say(Input::Opened(refusal.answer()));
        match play.actions.last() {
            Some(Do::Open(_)) => {}
            Some(Do::Post(request)) if says(request, "ping") => return gets,
            _ => panic!("{:?}", play.actions),
        }
    }
    panic!("never asked for by POST")
}

#[test]
fn a_session_that_lives_is_not_lost_with_its_get() {
    for (leg, gets) in [(Leg::Direct, 2), (Leg::Proxy, 12)] {
        let mut play = Play::held(leg);
        let before = play.affinity();
        play.after(5.0).say(Input::Ended(Cause::CleanEnd));
        for _ in 0..2 {
            play.tick();
            assert_eq!(refuse_gets(&mut play, CS_SECOND_GET), gets);
            play.reply(200);
        }
        assert_eq!(play.failures(), [Reason::Http4xx; 2], "as a 409");
        let (requests, misses) = play.affinity();
        assert_eq!((requests - before.0, misses - before.1), (2, 0));
        play.tick().opened();
        assert!(play.events.contains(&Event::SessionKept), "{leg}");
    }
}

#[test]
fn a_server_that_takes_posts_only_has_lost_no_session() {
    let mut play = Play::new(Leg::Direct, Transport::StreamableHttp);
    play.tick().minted().reply(202);
    for failure in 1..=3 {
        assert_eq!(refuse_gets(&mut play, RMCP_GONE), 2, "failure {failure}");
        play.reply(200);
        assert_eq!(play.failures(), vec![Reason::Http4xx; failure]);
        if failure < 3 {
            play.tick();
        }
    }
    let [Do::Close, Do::Delete(_)] = &play.actions[..] else {
        panic!("given up as after 409: {:?}", play.actions)
    };
}

#[test]
fn a_get_that_is_refused_says_nothing_more_than_the_ping_after_it() {
    let refused_get = || {
        let mut play = Play::held(Leg::Proxy);
        play.after(5.0).say(Input::Ended(Cause::CleanEnd)).tick();
        refuse_gets(&mut play, RMCP_GONE);
        play
    };
    let mut play = refused_get();
    let before = play.affinity().1;
    play.reply(404).reply(200);
    assert_eq!(play.affinity().1 - before, 1, "the ping missed, once");
    assert_eq!(play.failures(), [Reason::Http4xx]);
    let mut play = refused_get();
    play.reply(502);
    assert_eq!(play.failures(), [Reason::Http4xx]);
    let mut play = refused_get();
    play.say(Input::ReplyFailed(Cause::Refused));
    assert_eq!(play.failures(), [Reason::ConnectRefused]);
    assert!(
        !play
            .events
            .iter()
            .any(|event| matches!(event, Event::SessionLost(_)))
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
