//! HTTP/1.1 without TLS.

use std::time::Duration;

use holter::reason::Reason::{
    Http4xx, Http5xx, ProtocolError, ServerClose, ServerCut, ServerReset,
};

use crate::Seen::{Ended, Failed};
use crate::hold::{Row, check};
use crate::server::Step::{Drip, Fin, Flood, Rst};
use crate::server::{Begin, Script, Step, send};

const STATUS: &str = "HTTP/1.1 200 OK\r\n";
const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const UNFRAMED: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
const COUNTED: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 16\r\n\r\n";
const BEAT: &str = "8\r\n: beat\n\n\r\n";

/// Sends the pieces, then does the last thing.
fn plays<const N: usize>(pieces: [&str; N], last: Step) -> Script {
    let mut steps: Vec<_> = pieces.into_iter().map(send).collect();
    steps.push(last);
    Script::new(steps)
}

/// Does this instead of accepting.
fn at_once(last: Step) -> Script {
    Script::new(vec![last]).from(Begin::Accept)
}

#[test]
#[rustfmt::skip] // A table.
fn fin_at_every_phase() {
    check(vec![
        Row("before the request", at_once(Fin), Failed(ServerCut)),
        Row("before the answer", plays([], Fin), Failed(ServerCut)),
        Row("inside the status line", plays(["HTTP/1.1 2"], Fin), Failed(ServerCut)),
        Row("inside the head", plays([STATUS], Fin), Failed(ServerCut)),
        Row("after the head", plays([HEAD], Fin), Ended(ServerCut)),
        Row("inside a chunk's size", plays([HEAD, BEAT, "f"], Fin), Ended(ServerCut)),
        Row("inside a chunk", plays([HEAD, BEAT, "ff\r\n: be"], Fin), Ended(ServerCut)),
        Row("before a chunk's CRLF", plays([HEAD, "8\r\n: beat\n\n"], Fin), Ended(ServerCut)),
        Row("between chunks", plays([HEAD, BEAT], Fin), Ended(ServerCut)),
        Row("inside the final chunk", plays([HEAD, BEAT, "0\r\n"], Fin), Ended(ServerCut)),
        Row("after the final chunk", plays([HEAD, BEAT, "0\r\n\r\n"], Fin), Ended(ServerClose)),
        Row("short of the length", plays([COUNTED, ": beat\n\n"], Fin), Ended(ServerCut)),
        Row("at the length", plays([COUNTED, ": beat\n\n: beat\n\n"], Fin), Ended(ServerClose)),
        // Nothing delimits the body but the end of the connection: only half an event shows a cut.
        Row("undelimited", plays([UNFRAMED, ": beat\n\n"], Fin), Ended(ServerClose)),
        Row("undelimited, no byte", plays([UNFRAMED], Fin), Ended(ProtocolError)),
        Row("undelimited, in a line", plays([UNFRAMED, "data: ha"], Fin), Ended(ServerCut)),
        Row("undelimited, in an event", plays([UNFRAMED, "data: x\n"], Fin), Ended(ServerCut)),
    ]);
}

#[test]
#[rustfmt::skip] // A table.
fn rst_at_every_phase() {
    check(vec![
        Row("before the request", at_once(Rst), Failed(ServerReset)),
        Row("before the answer", plays([], Rst), Failed(ServerReset)),
        Row("inside the status line", plays(["HTTP/1.1 2"], Rst), Failed(ServerReset)),
        Row("inside the head", plays([STATUS], Rst), Failed(ServerReset)),
        Row("after the head", plays([HEAD], Rst), Ended(ServerReset)),
        Row("inside a chunk's size", plays([HEAD, BEAT, "f"], Rst), Ended(ServerReset)),
        Row("inside a chunk", plays([HEAD, BEAT, "ff\r\n: be"], Rst), Ended(ServerReset)),
        Row("between chunks", plays([HEAD, BEAT], Rst), Ended(ServerReset)),
        Row("inside the final chunk", plays([HEAD, BEAT, "0\r\n"], Rst), Ended(ServerReset)),
        Row("after the final chunk", plays([HEAD, BEAT, "0\r\n\r\n"], Rst), Ended(ServerClose)),
        Row("short of the length", plays([COUNTED, ": beat\n\n"], Rst), Ended(ServerReset)),
        Row("undelimited", plays([UNFRAMED, ": beat\n\n"], Rst), Ended(ServerReset)),
    ]);
}

#[test]
#[rustfmt::skip] // A table.
fn answers_that_are_no_stream() {
    let head_of_65_kib = format!("{STATUS}x: {}\r\n", "y".repeat(65 * 1024));
    let head_of_7_kib = format!("{STATUS}x: {}\r\n", "y".repeat(7 * 1024));
    let html = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n";
    let status = |code: &str| {
        plays(
            [&format!("HTTP/1.1 {code} X\r\ncontent-length: 0\r\n\r\n")],
            Fin,
        )
    };
    check(vec![
        Row("another protocol", plays(["SSH-2.0-OpenSSH_9.2\r\n"], Fin), Failed(ProtocolError)),
        Row("random bytes", Script::new(vec![send([0x9f; 99]), Fin]), Failed(ProtocolError)),
        Row("another content type", plays([html], Fin), Failed(ProtocolError)),
        Row("no content type", plays(["HTTP/1.1 200 OK\r\n\r\n"], Fin), Failed(ProtocolError)),
        Row("a head that is too large", plays([&head_of_65_kib], Fin), Failed(ProtocolError)),
        Row("a large head, then FIN", plays([&head_of_7_kib], Fin), Failed(ServerCut)),
        Row("an endless head", Script::new(vec![send(STATUS), Flood(b'h', 1 << 20)]), Failed(ProtocolError)),
        Row("a redirect", status("302"), Failed(ProtocolError)),
        Row("403", status("403"), Failed(Http4xx)),
        Row("429", status("429"), Failed(Http4xx)),
        Row("500", status("500"), Failed(Http5xx)),
        Row("503", status("503"), Failed(Http5xx)),
        // The id is good by POST.
        Row("400 to GET", status("400"), Failed(Http4xx)),
        Row("404 to GET", status("404"), Failed(Http4xx)),
    ]);
}

/// Asked for once more, with more room.
#[test]
fn a_large_head() {
    let large = format!("x: {}\r\n\r\n", "y".repeat(60 * 1024));
    let head = HEAD.replacen("\r\n\r\n", &format!("\r\n{large}"), 1);
    let script = plays([head.as_str(), BEAT, "0\r\n\r\n"], Fin);
    check(vec![Row("a large head", script, Ended(ServerClose))]);
}

#[test]
#[rustfmt::skip] // A table.
fn bodies_that_break_their_framing() {
    check(vec![
        Row("a bad chunk size", plays([HEAD, BEAT, "zz\r\n"], Fin), Ended(ProtocolError)),
        Row("a chunk longer than it said", plays([HEAD, "4\r\n: beat\n\n\r\n"], Fin), Ended(ProtocolError)),
        Row("an endless line", Script::new(vec![send(UNFRAMED), Flood(b'x', 17 << 20)]), Ended(ProtocolError)),
        Row("a slow drip", dripping(), Ended(ServerClose)),
    ]);
}

/// A whole stream in single bytes.
fn dripping() -> Script {
    let text = [HEAD, BEAT, BEAT, "0\r\n\r\n"].concat();
    Script::new(vec![Drip(text.into()), Fin]).beating(Duration::from_secs(30))
}
