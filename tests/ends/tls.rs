//! HTTP/1.1 under TLS.

use std::time::Duration;

use holter::reason::Reason::{
    ConnectTimeout, ProtocolError, ServerClose, ServerCut, ServerReset, TlsError,
};

use crate::Seen::{Ended, Failed};
use crate::hold::{Row, check};
use crate::server::Speaks::H1OverTls;
use crate::server::Step::{AfterBeat, CloseNotify, Fin, Hold, Raw, Rst};
use crate::server::{Begin, Script, Step, Trust, send};

const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const UNFRAMED: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n: beat\n\n";
const BEAT: &str = "8\r\n: beat\n\n\r\n";
/// An alert of TLS: fatal, internal_error (RFC 8446 section 6). Unencrypted, so it is no valid record here.
const ALERT: &[u8] = &[0x15, 3, 3, 0, 2, 2, 80];
/// Application data that does not decrypt.
const RECORD: &[u8] = &[
    0x17, 3, 3, 0, 20, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
];

/// Sends the pieces, then does the last thing.
fn plays<const N: usize>(pieces: [&str; N], last: Step) -> Script {
    let mut steps: Vec<_> = pieces.into_iter().map(send).collect();
    steps.push(last);
    Script::new(steps).over(H1OverTls)
}

/// Does this once the canary has a beat: what breaks TLS hides what was read together with it.
fn later(last: Step) -> Script {
    let mut script = plays([HEAD, BEAT], AfterBeat);
    script.steps.push(last);
    script
}

/// Does this in the middle of the handshake.
fn shaking(steps: Vec<Step>) -> Script {
    Script::new(steps).over(H1OverTls).from(Begin::Handshake)
}

fn with(trust: Trust) -> Script {
    plays([HEAD, BEAT], Hold).trusted(trust)
}

#[test]
#[rustfmt::skip] // A table.
fn handshakes_that_fail() {
    let plain = "HTTP/1.1 400 Bad Request\r\n\r\n";
    let hung = shaking(vec![Hold]).within(Duration::from_millis(500));
    check(vec![
        Row("an unknown authority", with(Trust::Unknown), Failed(TlsError)),
        Row("an expired certificate", with(Trust::Expired), Failed(TlsError)),
        Row("a certificate for another name", with(Trust::OtherName), Failed(TlsError)),
        Row("plain HTTP", shaking(vec![send(plain)]), Failed(TlsError)),
        Row("a fatal alert", shaking(vec![send(ALERT)]), Failed(TlsError)),
        Row("FIN", shaking(vec![Fin]), Failed(TlsError)),
        Row("RST", shaking(vec![Rst]), Failed(ServerReset)),
        Row("silence", hung, Failed(ConnectTimeout)),
    ]);
}

#[test]
#[rustfmt::skip] // A table.
fn streams_that_end() {
    check(vec![
        Row("final chunk", plays([HEAD, BEAT, "0\r\n\r\n"], CloseNotify), Ended(ServerClose)),
        Row("final chunk, no close_notify", plays([HEAD, BEAT, "0\r\n\r\n"], Fin), Ended(ServerClose)),
        Row("undelimited, close_notify", plays([UNFRAMED], CloseNotify), Ended(ServerClose)),
        // Without close_notify anybody may have cut it (RFC 8446 section 6.1).
        Row("undelimited, FIN alone", plays([UNFRAMED], Fin), Ended(ServerCut)),
        Row("close_notify between chunks", plays([HEAD, BEAT], CloseNotify), Ended(ServerCut)),
        Row("FIN between chunks", plays([HEAD, BEAT], Fin), Ended(ServerCut)),
        Row("FIN inside a chunk", plays([HEAD, BEAT, "ff\r\n: b"], Fin), Ended(ServerCut)),
        Row("FIN before the answer", plays([], Fin), Failed(ServerCut)),
        Row("close_notify before the answer", plays([], CloseNotify), Failed(ServerCut)),
        Row("RST between chunks", plays([HEAD, BEAT], Rst), Ended(ServerReset)),
        Row("RST before the answer", plays([], Rst), Failed(ServerReset)),
        Row("a record that does not decrypt", later(Raw(RECORD.into())), Ended(ProtocolError)),
        Row("plain text", later(Raw(b"HTTP/1.1 500\r\n".into())), Ended(ProtocolError)),
        Row("FIN inside a record", later(Raw(RECORD[..9].into())), Ended(ServerCut)),
    ]);
}
