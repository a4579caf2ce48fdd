//! What becomes of a session: lost and why, kept, or missed by requests that go elsewhere.

use holter::canary::ending::Cause;
use holter::canary::machine::{Do, Input};
use holter::canary::protocol::Answer;
use holter::canary::{Event, Leg, LostCause, Transport};
use holter::reason::{Reason, Side};

use crate::play::{Play, RESULT};

fn losses(play: &Play) -> Vec<LostCause> {
    let losses = play.events.iter().filter_map(|event| match event {
        Event::SessionLost(cause) => Some(*cause),
        _ => None,
    });
    losses.collect()
}

fn without_cookies(play: &Play) -> u64 {
    let counts = play.events.iter().map(|event| match event {
        Event::MissesWithoutCookies(count) => *count,
        _ => 0,
    });
    counts.sum()
}

fn has_cookie(play: &Play) -> bool {
    let [Do::Post(request)] = &play.actions[..] else {
        panic!("{:?}", play.actions)
    };
    request.headers.iter().any(|(name, _)| *name == "cookie")
}

/// Held on a session for which the proxy set a cookie.
fn held_with_cookie() -> Play {
    let mut play = Play::new(Leg::Proxy, Transport::StreamableHttp);
    play.tick().say(Input::Replied(Answer {
        status: 200,
        content_type: "application/json".into(),
        session: Some("s1".into()),
        cookies: vec!["route=r1; Path=/".into()],
        body: RESULT.into(),
        ..Answer::default()
    }));
    play.reply(202).opened();
    play
}

#[test]
fn a_server_that_nobody_listens_for_and_that_forgot_the_session_restarted() {
    for cause in [Cause::Truncated, Cause::Reset, Cause::CleanEnd] {
        let mut play = Play::held(Leg::Direct);
        play.after(5.0).bytes(": beat\n\n").say(Input::Ended(cause));
        for _ in 0..3 {
            play.say(Input::ReplyFailed(Cause::Refused));
        }
        for _ in 0..9 {
            play.tick().say(Input::OpenFailed(Cause::Refused));
            assert_eq!(losses(&play), [], "nobody is there who could know it");
        }
        play.tick().refuse_session();
        assert_eq!(losses(&play), [LostCause::Restart], "{cause:?}");
    }
}

#[test]
fn behind_a_proxy_a_restart_shows_as_502() {
    let mut play = Play::held(Leg::Proxy);
    play.after(5.0).say(Input::Ended(Cause::Truncated));
    play.reply(502).reply(502).reply(502);
    assert_eq!(play.ends(), [(Reason::ServerCut, Side::Server)]);
    assert_eq!(losses(&play), [], "the session may live");
    play.tick().refuse_session();
    assert_eq!(losses(&play), [LostCause::Restart]);
}

#[test]
fn a_server_that_comes_back_with_the_session_lost_nothing() {
    let mut play = Play::held(Leg::Proxy);
    play.after(5.0).say(Input::Ended(Cause::Truncated));
    play.reply(502).reply(502).reply(502).tick().opened();
    assert_eq!(losses(&play), []);
    assert!(play.events.contains(&Event::SessionKept));
}

#[test]
fn sessions_that_end_after_one_time_again_and_again_expire() {
    let mut play = Play::held(Leg::Direct);
    for _ in 0..3 {
        play.after(300.0).say(Input::Ended(Cause::CleanEnd)).tick();
        play.refuse_session();
        play.minted().reply(202).opened();
    }
    use LostCause::{Expired, Unknown};
    assert_eq!(losses(&play), [Unknown, Unknown, Expired]);
    play.after(77.0).say(Input::Ended(Cause::CleanEnd)).tick();
    play.refuse_session();
    assert_eq!(losses(&play).last(), Some(&Unknown), "at another time");
}

#[test]
fn a_session_that_is_gone_beside_its_stream_expired_on_the_direct_leg() {
    for (leg, cause) in [
        (Leg::Direct, LostCause::Expired),
        (Leg::Proxy, LostCause::Unknown),
    ] {
        let mut play = Play::held(leg);
        play.tick();
        while losses(&play).is_empty() {
            assert_eq!(play.posts(), 1, "asked on until it is certain");
            play.reply(404);
        }
        assert_eq!(losses(&play), [cause]);
        let reasons: Vec<_> = play.ends().into_iter().map(|(reason, _)| reason).collect();
        assert_eq!(reasons, [Reason::SessionLost]);
        assert_eq!(play.affinity().1, 0, "no miss");
    }
}

#[test]
fn misses_beside_an_open_stream_count_once_the_session_is_found() {
    let mut play = Play::held(Leg::Proxy);
    let before = play.affinity().0;
    play.tick().reply(404).reply(200).reply(404).reply(404);
    assert_eq!(
        play.affinity(),
        (before + 2, 1),
        "the last two are not understood"
    );
    play.reply(404).reply(200);
    assert_eq!(play.affinity(), (before + 6, 4), "asked on");
}

#[test]
fn requests_are_sent_with_and_without_the_proxys_cookies() {
    let mut play = held_with_cookie();
    let before = play.affinity().0;
    play.tick();
    for _ in 0..4 {
        assert!(!has_cookie(&play));
        play.reply(404);
    }
    assert_eq!(
        play.affinity(),
        (before, 0),
        "nothing proves that the session lives"
    );
    for _ in 0..4 {
        assert!(has_cookie(&play));
        play.reply(200);
    }
    assert_eq!(play.affinity(), (before + 8, 4));
    assert_eq!(
        without_cookies(&play),
        4,
        "only clients without cookies are hurt"
    );
}

#[test]
fn without_cookies_of_the_proxy_there_is_one_kind_of_request() {
    let mut play = Play::held(Leg::Proxy);
    play.tick();
    for round in 0..4 {
        assert_eq!(play.posts(), 1, "{round}");
        play.reply(200);
    }
    assert_eq!(play.posts(), 0);
    assert_eq!(without_cookies(&play), 0);
}
