//! HTTP/2 under TLS, each stream on a connection of its own.

use holter::reason::Reason::{Drain, Http5xx, ProtocolError, ServerClose, ServerCut, ServerReset};

use crate::Seen::{Ended, Failed};
use crate::hold::{Row, check};
use crate::server::Speaks::H2OverTls;
use crate::server::Step::{CloseNotify, Fin, Hold, Rst};
use crate::server::{Script, Step, send};

/// The error codes of RFC 9113 section 7.
const CODES: [(u32, &str); 14] = [
    (0, "NO_ERROR"),
    (1, "PROTOCOL_ERROR"),
    (2, "INTERNAL_ERROR"),
    (3, "FLOW_CONTROL_ERROR"),
    (4, "SETTINGS_TIMEOUT"),
    (5, "STREAM_CLOSED"),
    (6, "FRAME_SIZE_ERROR"),
    (7, "REFUSED_STREAM"),
    (8, "CANCEL"),
    (9, "COMPRESSION_ERROR"),
    (10, "CONNECT_ERROR"),
    (11, "ENHANCE_YOUR_CALM"),
    (12, "INADEQUATE_SECURITY"),
    (13, "HTTP_1_1_REQUIRED"),
];

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// A head: its status by the static table of RFC 7541 appendix A, and the content type as a literal.
fn head(status: u8) -> Vec<u8> {
    const CONTENT_TYPE: &[u8] = b"\x0f\x10\x11text/event-stream";
    frame(HEADERS, END_HEADERS, 1, &[&[status], CONTENT_TYPE].concat())
}

fn ok() -> Vec<u8> {
    head(0x88)
}

fn beat() -> Vec<u8> {
    frame(DATA, 0, 1, b": beat\n\n")
}

fn rst_stream(code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, 1, &code.to_be_bytes())
}

/// GOAWAY with the last stream that was processed; ours is 1.
fn goaway(last: u32, code: u32) -> Vec<u8> {
    frame(
        GOAWAY,
        0,
        0,
        &[last.to_be_bytes(), code.to_be_bytes()].concat(),
    )
}

/// Sends SETTINGS and these frames, then does the last thing.
fn plays<const N: usize>(frames: [Vec<u8>; N], last: Step) -> Script {
    let mut steps = vec![send(frame(SETTINGS, 0, 0, b""))];
    steps.extend(frames.into_iter().map(send));
    steps.push(last);
    Script::new(steps).over(H2OverTls)
}

#[test]
#[rustfmt::skip] // A table.
fn rst_stream_with_each_code() {
    check(
        CODES
            .iter()
            .flat_map(|&(code, name)| {
                let held = plays([ok(), beat(), rst_stream(code)], Hold);
                let early = plays([rst_stream(code)], Hold);
                let (ended, failed) = match code {
                    // No error: the server is done with the stream. Before the head it answered nothing.
                    0 => (ServerClose, ProtocolError),
                    _ => (ServerReset, ServerReset),
                };
                [
                    Row(name, held, Ended(ended)),
                    Row(name, early, Failed(failed)),
                ]
            })
            .collect(),
    );
}

#[test]
#[rustfmt::skip] // A table.
fn goaway_with_each_code() {
    check(
        CODES
            .iter()
            .flat_map(|&(code, name)| {
                // A connection is wound up without an error where the proxy reloads or shuts down.
                let reason = if code == 0 { Drain } else { ServerReset };
                [
                    Row(name, plays([ok(), beat(), goaway(0, code)], Hold), Ended(reason)),
                    Row(name, plays([ok(), beat(), goaway(1, code)], Fin), Ended(reason)),
                    Row(name, plays([ok(), beat(), goaway(1, code)], CloseNotify), Ended(reason)),
                    Row(name, plays([goaway(0, code)], Hold), Failed(reason)),
                ]
            })
            .collect(),
    );
}

#[test]
#[rustfmt::skip] // A table.
fn other_ends() {
    let end = || frame(DATA, END_STREAM, 1, b"");
    let trailers = || frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x00\x01a\x01b");
    let data_on_no_stream = || frame(DATA, 0, 0, b"x");
    check(vec![
        Row("END_STREAM", plays([ok(), beat(), end()], Hold), Ended(ServerClose)),
        Row("END_STREAM on trailers", plays([ok(), beat(), trailers()], Hold), Ended(ServerClose)),
        Row("END_STREAM, then RST", plays([ok(), beat(), end()], Rst), Ended(ServerClose)),
        Row("END_STREAM after GOAWAY", plays([ok(), beat(), goaway(1, 0), end()], Fin), Ended(ServerClose)),
        Row("FIN", plays([ok(), beat()], Fin), Ended(ServerCut)),
        Row("close_notify", plays([ok(), beat()], CloseNotify), Ended(ServerCut)),
        Row("FIN inside a frame", plays([ok(), beat()[..12].to_vec()], Fin), Ended(ServerCut)),
        Row("FIN before the head", plays([], Fin), Failed(ServerCut)),
        Row("RST", plays([ok(), beat()], Rst), Ended(ServerReset)),
        Row("RST before the head", plays([], Rst), Failed(ServerReset)),
        Row("RST after GOAWAY", plays([ok(), beat(), goaway(1, 0)], Rst), Ended(Drain)),
        Row("a frame that must not be", plays([ok(), beat(), data_on_no_stream()], Hold), Ended(ProtocolError)),
        Row("HTTP/1.1 instead", plays([b"HTTP/1.1 200 OK\r\n\r\n".to_vec()], Hold), Failed(ProtocolError)),
        Row("500", plays([head(0x8e)], Hold), Failed(Http5xx)),
    ]);
}
