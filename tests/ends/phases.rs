//! What is told on the way to a stream: how long each phase took, and the certificate.

use std::time::{Duration, SystemTime};

use holter::canary::{Event, Phase};

use crate::hold::Canary;
use crate::server::Speaks::{H1, H1OverTls};
use crate::server::Step::Fin;
use crate::server::{Script, Server, Speaks, send};
use crate::websocket;

const BODY: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n8\r\n: beat\n\n\r\n0\r\n\r\n";

/// What a canary tells of a stream until its end.
fn told(speaks: Speaks) -> Vec<Event> {
    events(Script::new(vec![send(BODY), Fin]).over(speaks))
}

fn events(script: Script) -> Vec<Event> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    let server = Server::start(script);
    let canary = Canary::start(server.target());
    let mut events = Vec::new();
    canary.first_end(|event| {
        server.hear(&event);
        events.push(event);
    });
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
    let socket = phases(&events(websocket::closes(b"").over(H1OverTls)));
    assert_eq!(socket, [Connect, Tls, Headers, FirstByte, Handshake]);
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
