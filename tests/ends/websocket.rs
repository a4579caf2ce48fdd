//! WebSockets: upgrades that are refused, and every way in which an open one can end.

use std::time::Duration;

use holter::reason::Reason::{
    self, Drain, HeartbeatTimeout, Http4xx, Http5xx, ProtocolError, ServerClose, ServerCut,
    ServerReset, Unknown,
};

use crate::Seen::{Ended, Failed};
use crate::hold::{Row, check};
use crate::server::Speaks::H1OverTls;
use crate::server::Step::{Accept, AfterBeat, CloseNotify, Fin, Flood, Hold, Raw, Rst};
use crate::server::{Begin, Script, Step, send};

const MCP: &str = "sec-websocket-protocol: mcp\r\n";
const RESULT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}}"#;
const REFUSAL: &str = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"no"}}"#;

/// First bytes of frames: FIN, and the opcode (RFC 6455 section 5.2).
const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
/// Without FIN: a message that goes on, and its continuation.
const TEXT_BEGINS: u8 = 0x01;
const GOES_ON: u8 = 0x00;

/// A frame of less than 126 bytes, as servers send them: not masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short frame");
    [&[first, length], payload].concat()
}

fn text(text: &str) -> Step {
    send(frame(TEXT, text.as_bytes()))
}

fn script(steps: Vec<Step>) -> Script {
    Script::new(steps).from(Begin::Upgrade)
}

/// Upgraded and initialized, with a heartbeat that the canary has seen; then this.
fn held(last: Vec<Step>) -> Script {
    let begin = vec![Accept(MCP), text(RESULT), send(frame(PING, b"")), AfterBeat];
    script([begin, last].concat())
}

fn closes(payload: &[u8]) -> Script {
    held(vec![send(frame(CLOSE, payload)), Fin])
}

/// Upgraded, initialized, and closed.
pub(crate) fn greets_and_closes() -> Script {
    script(vec![
        Accept(MCP),
        text(RESULT),
        send(frame(CLOSE, b"")),
        Fin,
    ])
}

#[test]
#[rustfmt::skip] // A table.
fn upgrades_that_fail() {
    let answer = |lines: &str| script(vec![send(format!("HTTP/1.1 {lines}\r\n\r\n")), Hold]);
    let hurried = |script: Script| script.within(Duration::from_millis(500));
    let accept = "101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade";
    let wrong_key = format!("{accept}\r\nsec-websocket-protocol: mcp\r\nsec-websocket-accept: bm90IHRoZSBrZXk=");
    check(vec![
        Row("403", answer("403 Forbidden\r\ncontent-length: 0"), Failed(Http4xx)),
        Row("426", answer("426 Upgrade Required\r\nupgrade: h2c"), Failed(Http4xx)),
        Row("503", answer("503 X\r\nretry-after: 7"), Failed(Http5xx)),
        Row("a redirect", answer("301 X\r\nlocation: /"), Failed(ProtocolError)),
        Row("200", answer("200 OK\r\ncontent-type: text/event-stream"), Failed(ProtocolError)),
        Row("101 and no upgrade", answer("101 X"), Failed(ProtocolError)),
        Row("101 with a wrong key", answer(&wrong_key), Failed(ProtocolError)),
        Row("no subprotocol", script(vec![Accept(""), Hold]), Failed(ProtocolError)),
        Row("another subprotocol", script(vec![Accept("sec-websocket-protocol: chat\r\n"), Hold]), Failed(ProtocolError)),
        Row("no HTTP", script(vec![send("hello\r\n\r\n"), Hold]), Failed(ProtocolError)),
        Row("FIN before the answer", script(vec![Fin]), Failed(ServerCut)),
        Row("RST before the answer", script(vec![Rst]), Failed(ServerReset)),
        Row("silence", hurried(script(vec![Hold])), Failed(HeartbeatTimeout)),
    ]);
}

#[test]
#[rustfmt::skip] // A table.
fn handshakes_that_fail() {
    let open = |steps: Vec<Step>| script([vec![Accept(MCP)], steps].concat());
    check(vec![
        Row("silence", open(vec![Hold]).within(Duration::from_millis(500)), Failed(ProtocolError)),
        Row("an error", open(vec![text(REFUSAL), Hold]), Failed(ProtocolError)),
        Row("Close", open(vec![send(frame(CLOSE, &[3, 232])), Hold]), Failed(ProtocolError)),
        Row("FIN", open(vec![Fin]), Failed(ServerCut)),
        Row("RST", open(vec![Rst]), Failed(ServerReset)),
    ]);
}

#[test]
fn a_close_frame_tells_why() {
    let codes: [(u16, Reason); 17] = [
        (1000, ServerClose),
        (1001, ServerClose),
        (1002, ProtocolError),
        (1003, ProtocolError),
        (1005, ProtocolError),
        (1006, ProtocolError),
        (1007, ProtocolError),
        (1008, ServerReset),
        (1009, ProtocolError),
        (1010, ProtocolError),
        (1011, ServerReset),
        (1012, Drain),
        (1013, ServerReset),
        (1014, ProtocolError),
        (3000, Unknown),
        (4000, Unknown),
        (4999, Unknown),
    ];
    let names: Vec<String> = codes.iter().map(|(code, _)| code.to_string()).collect();
    let names: Vec<&'static str> = names.into_iter().map(|name| &*name.leak()).collect();
    let rows = codes.iter().zip(names);
    let row = |(&(code, reason), name): (&(u16, Reason), &'static str)| {
        Row(name, closes(&code.to_be_bytes()), Ended(reason))
    };
    check(rows.map(row).collect());
}

#[test]
#[rustfmt::skip] // A table.
fn streams_that_end() {
    // A frame that is longer than it can be: its length in eight bytes, and a part of it.
    let oversize = [&[TEXT, 127][..], &(2u64 << 20).to_be_bytes(), b"{"].concat();
    let part = [&[GOES_ON, 127][..], &(1u64 << 20).to_be_bytes()].concat();
    check(vec![
        Row("Close without a code", closes(b""), Ended(ServerClose)),
        Row("Close with half a code", closes(&[3]), Ended(ProtocolError)),
        Row("FIN", held(vec![Fin]), Ended(ServerCut)),
        Row("FIN inside a frame", held(vec![send(&frame(TEXT, b"{}")[..3]), Fin]), Ended(ServerCut)),
        Row("FIN inside a message", held(vec![send(frame(TEXT_BEGINS, b"{")), Fin]), Ended(ServerCut)),
        Row("RST", held(vec![Rst]), Ended(ServerReset)),
        Row("a frame over the limit", held(vec![send(oversize), Hold]), Ended(ProtocolError)),
        Row("fragments over the limit", held(vec![send(frame(TEXT_BEGINS, b"{")), send(part), Flood(b' ', 1 << 20), Hold]), Ended(ProtocolError)),
        Row("no UTF-8", held(vec![send(frame(TEXT, &[0xff])), Hold]), Ended(ProtocolError)),
        Row("a masked frame", held(vec![send([TEXT, 0x81, 0, 0, 0, 0, b'x']), Hold]), Ended(ProtocolError)),
        Row("a reserved bit", held(vec![send(frame(0xc1, b"x")), Hold]), Ended(ProtocolError)),
        Row("an unknown opcode", held(vec![send(frame(0x83, b"x")), Hold]), Ended(ProtocolError)),
        Row("silence", held(vec![Hold]).beating(Duration::from_millis(400)), Ended(HeartbeatTimeout)),
    ]);
}

#[test]
#[rustfmt::skip] // A table.
fn streams_that_end_under_tls() {
    let over_tls = |steps| held(steps).over(H1OverTls);
    check(vec![
        Row("Close", over_tls(vec![send(frame(CLOSE, &[3, 232])), CloseNotify]), Ended(ServerClose)),
        Row("close_notify without Close", over_tls(vec![CloseNotify]), Ended(ServerCut)),
        Row("FIN", over_tls(vec![Fin]), Ended(ServerCut)),
        Row("RST", over_tls(vec![Rst]), Ended(ServerReset)),
        Row("plain text", over_tls(vec![Raw(b"HTTP/1.1 500\r\n".into())]), Ended(ProtocolError)),
    ]);
}
