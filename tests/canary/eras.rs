//! Which era `auto` finds at which server: a table of real servers' answers, and what is found.

use std::time::Duration;

use bytes::Bytes;
use holter::canary::ending::Cause;
use holter::canary::machine::{Do, Input};
use holter::canary::protocol::{Answer, Request};
use holter::canary::{Event, Leg, LostCause, Transport};
use holter::reason::Reason;

use super::play::{Play, says};
use super::replies::*;

/// How one server answers each request.
struct Server {
    discover: Reply,
    listen: Reply,
    initialize: Reply,
    get: Reply,
}

/// Nothing but 404, as a proxy's default page.
const NOTHING: Server = Server {
    discover: NOT_FOUND,
    listen: NOT_FOUND,
    initialize: NOT_FOUND,
    get: NOT_FOUND,
};
const NOT_FOUND: Reply = reply(404, "text/html", "");

impl Server {
    fn answer(&self, request: &Request) -> Reply {
        match request.body {
            None => self.get,
            _ if says(request, "server/discover") => self.discover,
            _ if says(request, "subscriptions/listen") => self.listen,
            _ if says(request, "initialize") => self.initialize,
            _ => ACCEPTED,
        }
    }
}

/// What came of an attempt.
#[derive(Debug, PartialEq)]
enum Found {
    Held(Transport, &'static str),
    NoStream(Transport, &'static str),
    Failed(Reason),
}

/// Plays the server until something came of the attempt; also says how many requests it took.
fn attempt(play: &mut Play, server: &Server) -> (Found, usize) {
    attempt_by(play, |request| server.answer(request))
}

fn attempt_by(play: &mut Play, answer: impl Fn(&Request) -> Reply) -> (Found, usize) {
    let mut requests = 0;
    play.events.clear();
    play.tick();
    loop {
        if let Some(found) = play.events.iter().find_map(found) {
            return (found, requests);
        }
        let action = play.actions.pop().expect("it does something");
        requests += 1;
        match action {
            Do::Post(request) if request.url.path() == "/messages" => {
                play.say(Input::Replied(ACCEPTED.answer()));
                if says(&request, "initialize") {
                    play.bytes(TS1_LEGACY_RESULT);
                }
            }
            Do::Post(request) => {
                play.say(Input::Replied(answer(&request).answer()));
            }
            Do::Open(request) => {
                let reply = answer(&request);
                play.say(Input::Opened(Answer {
                    body: Bytes::new(),
                    ..reply.answer()
                }));
                if reply.status == 200 && !reply.body.is_empty() {
                    play.bytes(reply.body);
                }
            }
            Do::Delete(_) => {
                play.reply(200);
            }
            other => panic!("{other:?}"),
        }
    }
}

fn found(event: &Event) -> Option<Found> {
    match event {
        Event::Held {
            transport, version, ..
        } => Some(Found::Held(*transport, version)),
        Event::NoStream {
            transport, version, ..
        } => Some(Found::NoStream(*transport, version)),
        Event::ConnectFailed(reason) => Some(Found::Failed(*reason)),
        _ => None,
    }
}

fn check(who: &str, server: Server, expected: Found, requests: usize) {
    let mut play = Play::new(Leg::Direct, Transport::Auto);
    assert_eq!(attempt(&mut play, &server), (expected, requests), "{who}");
}

const LISTEN: (Transport, &str) = (Transport::Listen, "2026-07-28");
const STREAMABLE: (Transport, &str) = (Transport::StreamableHttp, "2025-11-25");

fn held((transport, version): (Transport, &'static str)) -> Found {
    Found::Held(transport, version)
}

fn no_stream((transport, version): (Transport, &'static str)) -> Found {
    Found::NoStream(transport, version)
}

#[test]
fn servers_of_the_newest_era() {
    let ts2 = Server {
        discover: TS2_DISCOVER,
        listen: TS2_LISTEN,
        ..NOTHING
    };
    check("TypeScript 2.4.0 createMcpHandler", ts2, held(LISTEN), 2);
    let py2 = Server {
        discover: PY2_DISCOVER,
        listen: PY2_LISTEN,
        ..NOTHING
    };
    check("Python 2.3.0", py2, held(LISTEN), 2);
    let fastmcp = Server {
        discover: FM_DISCOVER,
        listen: METHOD_NOT_FOUND,
        initialize: PY1_INITIALIZE.minting("s1"),
        get: PY_GET,
    };
    let who = "FastMCP 4.1.2: nothing to listen for, but a session's stream";
    check(who, fastmcp, held(STREAMABLE), 4);
    let rmcp = Server {
        discover: RMCP_DISCOVER,
        listen: METHOD_NOT_FOUND,
        initialize: RMCP_INITIALIZE,
        get: RMCP_GET,
    };
    check("rmcp 3.8.0", rmcp, held(STREAMABLE), 5);
    let stateless = Server {
        discover: RMCP_DISCOVER,
        listen: METHOD_NOT_FOUND,
        initialize: reply(200, SSE, RMCP_INITIALIZE.body),
        get: NO_GET,
    };
    check("rmcp 3.8.0, stateless", stateless, no_stream(LISTEN), 5);
    let alone = Server {
        discover: RMCP_DISCOVER,
        listen: METHOD_NOT_FOUND,
        ..NOTHING
    };
    check("2026-07-28 alone, no stream", alone, no_stream(LISTEN), 3);
    let full = Server {
        discover: TS2_DISCOVER,
        listen: TS2_LIMIT,
        ..NOTHING
    };
    let failed = Found::Failed(Reason::ProtocolError);
    check("TypeScript 2.4.0, 1024 listeners", full, failed, 2);
}

#[test]
fn servers_of_the_2025_eras() {
    let ts1 = Server {
        discover: TS1_NO_SESSION,
        initialize: TS1_INITIALIZE.minting("s1"),
        get: PY_GET,
        ..NOTHING
    };
    check("TypeScript 1.32.2", ts1, held(STREAMABLE), 4);
    let stateless = Server {
        discover: TS1_VERSION,
        initialize: TS1_INITIALIZE,
        get: NO_GET,
        ..NOTHING
    };
    let who = "TypeScript 1.32.2, stateless";
    check(who, stateless, no_stream(STREAMABLE), 4);
    let py1 = Server {
        discover: PY1_DEAD_ID,
        initialize: PY1_INITIALIZE.minting("s1"),
        get: PY_GET,
        ..NOTHING
    };
    check("Python 1.30.0", py1, held(STREAMABLE), 4);
    let stateless = Server {
        discover: PY1_VERSION,
        initialize: PY1_INITIALIZE,
        get: PY_GET,
        ..NOTHING
    };
    check("Python 1.30.0, stateless", stateless, held(STREAMABLE), 4);
    let go = Server {
        discover: GO_DISCOVER,
        initialize: TS1_INITIALIZE.minting("s1"),
        get: PY_GET,
        ..NOTHING
    };
    let who = "Go with sessions: it answers discovery, without 2026-07-28";
    check(who, go, held(STREAMABLE), 4);
    let breaks = Server {
        discover: PY_NO_EVENT_STORE,
        initialize: PY1_INITIALIZE.minting("s1"),
        get: PY_GET,
        ..NOTHING
    };
    check(
        "one that breaks on a strange method",
        breaks,
        held(STREAMABLE),
        4,
    );
}

#[test]
fn servers_of_2024() {
    let legacy = (Transport::HttpSse, "2024-11-05");
    for (who, refusal) in [
        ("TypeScript 1.32.2 /sse", TS1_NO_POST),
        (
            "Python 1.30.0 /sse",
            reply(405, "text/plain", "Method Not Allowed"),
        ),
    ] {
        let server = Server {
            discover: refusal,
            initialize: refusal,
            get: TS1_ENDPOINT,
            ..NOTHING
        };
        check(who, server, held(legacy), 5);
    }
}

#[test]
fn a_stream_that_begins_with_another_event_than_endpoint_is_a_plain_one() {
    let no_post = reply(405, JSON, r#"{"status":405,"error":"Method Not Allowed"}"#);
    let server = || Server {
        discover: no_post,
        initialize: no_post,
        get: reply(200, SSE, "event:status\ndata:ready\n\n"),
        ..NOTHING
    };
    let plain = (Transport::Sse, "none");
    check("Spring WebFlux 3.5", server(), held(plain), 3);
    let mut play = Play::new(Leg::Direct, Transport::HttpSse);
    let failed = Found::Failed(Reason::ProtocolError);
    assert_eq!(attempt(&mut play, &server()), (failed, 1), "configured");
}

/// A server that answers POSTs so, and whose GET was sent.
fn asked_by_get(refusal: Reply) -> Play {
    let mut play = Play::new(Leg::Direct, Transport::Auto);
    play.tick().say(Input::Replied(refusal.answer()));
    play.say(Input::Replied(refusal.answer()));
    assert!(matches!(&play.actions[..], [Do::Open(_)]));
    play
}

#[test]
fn a_stream_of_comments_alone_is_a_plain_one() {
    let plain = Event::Held {
        transport: Transport::Sse,
        version: "none",
        session: false,
    };
    for (status, head_after, comments) in [(405, 0.0, false), (404, 0.0, true), (405, 30.1, true)] {
        let mut play = asked_by_get(reply(status, "", ""));
        play.after(head_after).opened();
        let opened = play.now;
        if comments {
            play.bytes(": x\n\n").after(9.0).bytes(": x\n\n");
        }
        play.tick();
        assert_eq!(play.events.last(), Some(&plain), "{status} {head_after}");
        assert_eq!((play.now - opened).as_secs(), 10, "time for an `endpoint`");
        play.after(30.0).bytes(": heartbeat\n\n");
        assert_eq!(play.failures(), []);
        play.say(Input::Ended(Cause::Truncated)).tick().opened();
        assert_eq!(play.events.last(), Some(&plain), "remembered");
    }
}

#[test]
fn a_stream_without_endpoint_where_posts_are_taken_is_no_plain_one() {
    let failed = reply(
        200,
        JSON,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"x"}}"#,
    );
    for refusal in [failed, TS1_NO_SESSION] {
        let mut play = asked_by_get(refusal);
        play.opened().bytes(": x\n\n").tick();
        assert_eq!(play.failures(), [Reason::ProtocolError]);
    }
    let mut play = asked_by_get(TS1_NO_POST);
    play.opened().bytes(TS1_ENDPOINT.body).tick();
    assert_eq!(play.failures(), [Reason::ProtocolError], "HTTP+SSE, late");
    let mut play = Play::new(Leg::Direct, Transport::HttpSse);
    play.tick().opened().bytes(": x\n\n").tick();
    assert_eq!(play.failures(), [Reason::ProtocolError], "configured");
}

#[test]
fn a_plain_stream_may_keep_its_head_back_until_the_first_event() {
    let mut play = asked_by_get(TS1_NO_POST);
    let asked = play.now;
    play.tick();
    assert_eq!(play.failures(), [Reason::HeartbeatTimeout]);
    assert_eq!(play.now - asked, Duration::from_secs(75));
    let mut play = Play::new(Leg::Direct, Transport::Sse);
    let asked = play.tick().now;
    play.tick();
    assert_eq!(play.failures(), [Reason::HeartbeatTimeout]);
    assert_eq!(play.now - asked, Duration::from_secs(75));
}

#[test]
fn refusals_of_every_era() {
    let all = |reply| Server {
        discover: reply,
        listen: reply,
        initialize: reply,
        get: reply,
    };
    let http_4xx = || Found::Failed(Reason::Http4xx);
    check("a proxy's default page", NOTHING, http_4xx(), 3);
    check("TypeScript's Host guard", all(TS1_HOST), http_4xx(), 1);
    check("Python's Host guard", all(PY_HOST), http_4xx(), 1);
    for status in [401, 406, 415, 429] {
        check("no era's", all(reply(status, "", "")), http_4xx(), 1);
    }
    let down = Found::Failed(Reason::Http5xx);
    check("a proxy without a server", all(reply(502, "", "")), down, 1);
    let mismatch = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"missing required Mcp-Method header"}}"#;
    let who = "a modern server behind a proxy that drops the header";
    check(who, all(reply(400, JSON, mismatch)), http_4xx(), 1);
}

#[test]
fn an_era_is_remembered_until_an_attempt_fails() {
    let server = Server {
        discover: PY2_DISCOVER,
        listen: PY2_LISTEN,
        ..NOTHING
    };
    let mut play = Play::new(Leg::Direct, Transport::Auto);
    attempt(&mut play, &server);
    play.after(9.0).say(Input::Ended(Cause::Truncated)).tick();
    let [Do::Open(request)] = &play.actions[..] else {
        panic!("no second discovery: {:?}", play.actions)
    };
    assert!(says(request, "subscriptions/listen"));
    assert!(
        request.body.as_ref().unwrap().contains("listen-2"),
        "a new id"
    );
    play.say(Input::OpenFailed(Cause::Refused)).tick();
    let [Do::Post(request)] = &play.actions[..] else {
        panic!("discovered anew: {:?}", play.actions)
    };
    assert!(says(request, "server/discover"));
}

/// A stream of the same leg found the server in this era before.
fn after_others(era: Transport) -> Play {
    let mut play = Play::new(Leg::Direct, Transport::Auto);
    play.canary.origin_speaks(Some(era));
    play
}

#[test]
fn an_era_that_another_stream_found_is_not_found_out_again() {
    let mut play = after_others(Transport::StreamableHttp);
    let (found, requests) = attempt(&mut play, &PY1);
    let three = "initialize, initialized, GET";
    assert_eq!((found, requests), (held(STREAMABLE), 3), "{three}");
    assert_eq!(play.canary.found(), Some(Transport::StreamableHttp));
    let mut play = Play::new(Leg::Direct, Transport::Auto);
    let (found, requests) = attempt(&mut play, &PY1);
    assert_eq!(
        (found, requests),
        (held(STREAMABLE), 4),
        "discovery, and these"
    );

    // A configured era is nobody else's affair.
    let mut play = Play::new(Leg::Direct, Transport::StreamableHttp);
    play.canary.origin_speaks(Some(Transport::Listen));
    assert_eq!(attempt(&mut play, &PY1).0, held(STREAMABLE));
}

/// Replicas are replaced one by one: another stream is on one that speaks something else.
#[test]
fn what_others_found_elsewhere_is_no_failure() {
    for era in [
        Transport::StreamableHttp,
        Transport::HttpSse,
        Transport::Sse,
    ] {
        let mut play = after_others(era);
        let (found, _) = attempt(&mut play, &UPGRADED);
        assert_eq!(found, held(LISTEN), "{era}");
        assert_eq!(play.canary.found(), Some(Transport::Listen));
    }
    let with_sessions = |request: &Request| match request.body {
        None if !request
            .headers
            .iter()
            .any(|(name, _)| *name == "mcp-session-id") =>
        {
            NOT_FOUND
        }
        _ => PY1.answer(request),
    };
    for era in [Transport::Listen, Transport::HttpSse, Transport::Sse] {
        let mut play = after_others(era);
        let (found, _) = attempt_by(&mut play, with_sessions);
        assert_eq!(found, held(STREAMABLE), "{era}");
    }
}

#[test]
fn after_a_failure_each_stream_finds_out_for_itself() {
    let mut play = after_others(Transport::StreamableHttp);
    play.tick().say(Input::ReplyFailed(Cause::Refused));
    play.canary.origin_speaks(Some(Transport::StreamableHttp));
    play.tick();
    let [Do::Post(request)] = &play.actions[..] else {
        panic!("{:?}", play.actions)
    };
    assert!(says(request, "server/discover"));
    // And what it had found is taken back, for the others too.
    let mut play = after_others(Transport::Listen);
    attempt(&mut play, &UPGRADED);
    play.after(9.0).say(Input::Ended(Cause::Truncated)).tick();
    assert_eq!(play.canary.found(), Some(Transport::Listen));
    play.say(Input::OpenFailed(Cause::Refused));
    assert_eq!(play.canary.found(), None);
}

#[test]
fn a_session_outlives_one_failure() {
    let server = Server {
        discover: TS1_NO_SESSION,
        initialize: TS1_INITIALIZE.minting("s1"),
        get: PY_GET,
        ..NOTHING
    };
    let mut play = Play::new(Leg::Direct, Transport::Auto);
    attempt(&mut play, &server);
    play.after(9.0).say(Input::Ended(Cause::Truncated)).tick();
    play.say(Input::OpenFailed(Cause::Refused)).tick();
    assert!(
        matches!(&play.actions[..], [Do::Open(_)]),
        "its session may live: {:?}",
        play.actions
    );
}

/// Held in an older era, then cut, and nobody listens for a while.
fn down(older: &Server) -> Play {
    let mut play = Play::new(Leg::Direct, Transport::Auto);
    attempt(&mut play, older);
    play.after(9.0).say(Input::Ended(Cause::Truncated));
    for _ in 0..2 {
        play.tick().say(Input::OpenFailed(Cause::Refused));
    }
    play
}

/// Python 2.3.0 takes the place of Python 1.30.0.
const UPGRADED: Server = Server {
    discover: PY2_DISCOVER,
    listen: PY2_LISTEN,
    ..NOTHING
};
const PY1: Server = Server {
    discover: PY1_DEAD_ID,
    initialize: PY1_INITIALIZE.minting("s1"),
    get: PY_GET,
    ..NOTHING
};

#[test]
fn upgraded_while_down_a_server_is_held_in_its_new_era() {
    let stateless = Server {
        get: NO_GET,
        ..UPGRADED
    };
    let mut play = down(&PY1);
    // A stateless server takes any id, and offers no stream for it.
    let (found, requests) = attempt(&mut play, &stateless);
    assert_eq!((found, requests), (held(LISTEN), 4), "GET, DELETE, 2 POSTs");
    // One with sessions does not know the id: GET, GET, ping, ping.
    let mut play = down(&PY1);
    let refusing = |request: &Request| match request.body {
        Some(_) if says(request, "ping") => NOT_FOUND,
        _ => UPGRADED.answer(request),
    };
    let (found, requests) = attempt_by(&mut play, refusing);
    assert_eq!((found, requests), (held(LISTEN), 6));
    assert!(
        play.events
            .contains(&Event::SessionLost(LostCause::Restart))
    );
}

#[test]
fn a_server_that_offers_no_stream_any_more_is_asked_in_every_era_once() {
    let old = Server { get: NO_GET, ..PY1 };
    let mut play = down(&PY1);
    let (found, requests) = attempt(&mut play, &old);
    assert_eq!((found, requests), (no_stream(STREAMABLE), 6));
}

#[test]
fn a_server_that_leaves_discovery_unanswered_is_asked_in_its_own_era() {
    let mut play = Play::new(Leg::Direct, Transport::Auto);
    play.tick().say(Input::ReplyFailed(Cause::AnswerTimeout));
    let [Do::Post(request)] = &play.actions[..] else {
        panic!("{:?}", play.actions)
    };
    assert!(says(request, "initialize"));
    let mut play = Play::new(Leg::Direct, Transport::Auto);
    play.tick().say(Input::ReplyFailed(Cause::Refused));
    assert_eq!(play.failures(), [Reason::ConnectRefused]);
}

#[test]
fn a_configured_era_is_not_left() {
    for (transport, reason) in [
        (Transport::Listen, Reason::Http4xx),
        (Transport::StreamableHttp, Reason::Http4xx),
    ] {
        let mut play = Play::new(Leg::Direct, transport);
        play.tick().reply(404);
        assert_eq!(play.failures(), [reason], "{transport}");
    }
}
