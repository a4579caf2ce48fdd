//! What is told on the way to a stream: how long each phase took, and the certificate.

use std::time::{Duration, SystemTime};

use holter::canary::{Event, Phase, Transport};

use crate::hold::{Canary, Target};
use crate::server::Speaks::{H1, H1OverTls};
use crate::server::Step::{Fin, Hold};
use crate::server::{Begin, Script, Server, Speaks, send};
use crate::websocket;

const BODY: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n8\r\n: beat\n\n\r\n0\r\n\r\n";

/// What a canary tells of a stream until its end.
fn told(speaks: Speaks) -> Vec<Event> {
    let server = Server::start(Script::new(vec![send(BODY), Fin]).over(speaks));
    told_of(server.target())
}

/// What a canary tells of its target until the first end or failure.
fn told_of(target: Target) -> Vec<Event> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    let canary = Canary::start(target);
    let mut events = Vec::new();
    canary.first_end(|event| events.push(event));
    runtime.block_on(canary.stop());
    events
}

fn phases(events: &[Event]) -> Vec<Phase> {
    let phase = |event: &Event| match event {
        Event::Phase(phase, _) => Some(*phase),
        _ => None,
    };
    events.iter().filter_map(phase).collect()
}

#[test]
fn each_phase_is_told_once() {
    use Phase::{Connect, FirstByte, Handshake, Headers, Tls};
    let plain = phases(&told(H1));
    assert_eq!(plain, [Connect, Headers, Handshake, FirstByte]);
    let secure = phases(&told(H1OverTls));
    assert_eq!(secure, [Connect, Tls, Headers, Handshake, FirstByte]);
    // A WebSocket speaks before it is held, as HTTP+SSE does.
    let server = Server::start(websocket::greets_and_closes().over(H1OverTls));
    let socket = phases(&told_of(server.target()));
    assert_eq!(socket, [Connect, Tls, Headers, FirstByte, Handshake]);
}

/// A server under TLS that says nothing from here on, to a canary that soon gives up.
fn silent(begin: Begin) -> Server {
    let script = Script::new(vec![Hold]).over(H1OverTls).from(begin);
    Server::start(script.within(Duration::from_millis(500)))
}

/// A canary whose first request is that for the stream.
fn plain(url: &str) -> Target {
    Target {
        transport: Transport::HttpSse,
        ..Target::new(url.to_owned())
    }
}

#[test]
fn of_an_attempt_that_fails_every_phase_is_told_and_the_failed_one_too() {
    use Phase::{Connect, Dns, Tls};
    let hung = silent(Begin::Handshake);
    assert_eq!(phases(&told_of(hung.target())), [Connect, Tls]);
    let refused = plain("http://localhost:1/mcp");
    assert_eq!(phases(&told_of(refused)), [Dns, Connect]);
    let unknown = plain("http://holter.invalid/mcp");
    assert_eq!(phases(&told_of(unknown)), [Dns]);
}

/// The head never comes: that phase did not end, those before it did.
#[test]
fn of_an_attempt_that_is_abandoned_the_phases_before_are_told() {
    let server = silent(Begin::Request);
    let target = Target {
        transport: Transport::HttpSse,
        ..server.target()
    };
    assert_eq!(phases(&told_of(target)), [Phase::Connect, Phase::Tls]);
}

#[test]
fn the_certificate_s_expiry_is_told() {
    let not_after = told(H1OverTls).into_iter().find_map(|event| match event {
        Event::Certificate(not_after) => Some(not_after),
        _ => None,
    });
    // 2095-01-01, as the server's certificate says.
    let expected = SystemTime::UNIX_EPOCH + Duration::from_secs(3_944_678_400);
    assert_eq!(not_after, Some(expected));
}
