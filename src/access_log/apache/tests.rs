//! Formats compiled, lines read.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::access_log::ClientConnection;

fn compile(text: &str) -> Format {
    Format::compile(text).unwrap()
}

#[test]
fn combined_lines_are_read() {
    let line = br#"2001:db8::1 - bob [20/Nov/2026:09:59:41 +0000] "GET /mcp?a=1 HTTP/1.1" 200 13 "-" "node \"x\"""#;
    let record = compile("combined").parse(line).unwrap();
    assert_eq!(record.client, Some(&b"2001:db8::1"[..]));
    assert_eq!(
        (record.method, record.path),
        (Some(&b"GET"[..]), Some(&b"/mcp"[..]))
    );
    assert_eq!(
        (record.query, record.status),
        (Some(&b"a=1"[..]), Some(200))
    );
    assert_eq!(record.user_agent, Some(&br#"node \"x\""#[..]));
    assert_eq!(record.started.unwrap().unix_ms, 1_795_168_781_000);
    // The line is stamped with the beginning, and how long it took is not logged.
    assert_eq!(
        (record.ended, record.ended_us, record.duration),
        (None, None, None)
    );
}

#[test]
fn the_end_is_the_beginning_and_the_duration() {
    for (text, line, ended_us) in [
        ("%{sec}t %D %r", "100 1500000 GET / HTTP/1.1", 101_500_000),
        (
            "%{msec}t %{ms}T %r",
            "100250 1500 GET / HTTP/1.1",
            101_750_000,
        ),
        (
            "%{sec}t.%{usec_frac}t %T %r",
            "100.000007 2 GET / HTTP/1.1",
            102_000_007,
        ),
        (
            "%{end:usec}t %D %r",
            "100000000 1500000 GET / HTTP/1.1",
            100_000_000,
        ),
        (
            "%D %T %{sec}t %r",
            "1500000 1 100 GET / HTTP/1.1",
            101_500_000,
        ),
    ] {
        let record = compile(text).parse(line.as_bytes()).unwrap();
        assert_eq!(record.ended_us, Some(ended_us), "{text}");
        assert_eq!(record.ended.unwrap().unix_ms, ended_us / 1000, "{text}");
        assert_eq!(record.path, Some(&b"/"[..]), "{text}");
    }
    let seconds = compile("%T %r").parse(b"3 GET / HTTP/1.1").unwrap();
    assert_eq!(seconds.duration, Some(Duration::from_secs(3)));
}

#[test]
fn the_connection_and_the_upstream_are_read() {
    let format = compile("%m %U%q %H|%X%k|%{c}a:%{remote}p|%{BALANCER_WORKER_NAME}e|%L|%s %>s");
    for (state, expected, completed) in [
        ("X", Some(ClientConnection::Aborted), Some(false)),
        ("+", Some(ClientConnection::Kept), Some(true)),
        ("-", Some(ClientConnection::Closed), None),
        ("?", None, None),
    ] {
        let line = format!(
            "POST /m?sessionId=s HTTP/2.0|{state}0|10.0.0.9:4321|https://10.0.0.1:8443/x|-|200 404"
        );
        let record = format.parse(line.as_bytes()).unwrap();
        assert_eq!(
            (record.client_connection, record.completed),
            (expected, completed)
        );
        assert_eq!(
            (record.path, record.session_query),
            (Some(&b"/m"[..]), Some(&b"s"[..]))
        );
        assert_eq!(
            (record.client, record.client_port),
            (Some(&b"10.0.0.9"[..]), Some(4321))
        );
        assert_eq!(record.upstream_address(), Some(&b"10.0.0.1:8443"[..]));
        assert_eq!(
            (record.error_id, record.status),
            (Some(&b"-"[..]), Some(404))
        );
    }
}

#[test]
fn the_last_status_is_the_clients_wherever_it_stands() {
    for (text, line, expected) in [
        ("%r %>s %s", "GET / HTTP/1.1 404 200", 404),
        ("%r %s %>s", "GET / HTTP/1.1 200 404", 404),
        ("%r %s", "GET / HTTP/1.1 200", 200),
    ] {
        let record = compile(text).parse(line.as_bytes()).unwrap();
        assert_eq!(record.status, Some(expected), "{text}");
    }
}

#[test]
fn formats_that_cannot_be_read_are_refused() {
    for (text, expected) in [
        ("%r%b", FormatError::Adjacent("r".to_owned())),
        ("%{%A}t%r", FormatError::Adjacent("t".to_owned())),
        ("no directive", FormatError::NoDirective),
        ("%h %>s", FormatError::NoRequest),
        ("%m %>s", FormatError::NoRequest),
    ] {
        assert_eq!(Format::compile(text), Err(expected), "{text}");
    }
    for (name, _) in PRESETS {
        compile(name);
    }
}

#[test]
fn damage_is_named() {
    let format = compile("combined");
    let line = r#"::1 - - [20/Nov/2026:09:59:41 +0000] "GET / HTTP/1.1" 200 13 "-" "x""#;
    for (line, kind) in [
        (String::new(), UnparsedKind::Empty),
        ("\0\0".to_owned(), UnparsedKind::Binary),
        (line.replace(" 200 ", " 99999 "), UnparsedKind::Number),
        (line.replace("Nov", "Nox"), UnparsedKind::Number),
        (line.replace("\"x\"", "\"x"), UnparsedKind::Format),
        ("x".repeat(MAX_LINE + 1), UnparsedKind::TooLong),
    ] {
        assert_eq!(format.parse(line.as_bytes()), Err(kind));
    }
}

const KV: &str = r#"t=%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{%z}t m=%m u="%U%q" s=%>s d=%D x=%X p=%{remote}p i=%{Mcp-Session-Id}i ua="%{User-Agent}i""#;
const LINE: &[u8] =
    br#"t=2026-11-20T09:59:41.391+0000 m=GET u="/mcp?a=1" s=200 d=1500 x=+ p=4321 i=- ua="node""#;

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(line: Vec<u8>, at in 0..5usize) {
        let text = ["common", "combined", "combinedio", "vhost_combined", KV][at];
        compile(text).parse(&line).ok();
    }

    #[test]
    fn any_damage_to_a_line_is_read_without_a_panic(cut in 0..100usize, byte: u8, at in 0..100usize) {
        let format = compile(KV);
        prop_assert!(format.parse(LINE).is_ok());
        let mut line = LINE.to_vec();
        if let Some(place) = line.get_mut(at) { *place = byte; }
        format.parse(&line).ok();
        line.truncate(cut);
        format.parse(&line).ok();
    }

    #[test]
    fn any_text_is_compiled_without_a_panic(
        text: String, head in 0..4usize, line: Vec<u8>,
        pieces in "(%[<>!0-9]?(\\{[%a-zA-Z:_é]{0,6}\\})?[a-zA-Z^é]{0,3}|[\"\\\\ ']){0,9}",
    ) {
        let head = ["", "LogFormat ", "LogFormat \"%r ", "'%r "][head];
        for text in [format!("{head}{text}"), format!("{head}{pieces}"), format!("%r {pieces}")] {
            if let Ok(format) = Format::compile(&text) {
                format.parse(&line).ok();
                format.limits();
            }
        }
    }

    #[test]
    fn huge_numbers_are_read_without_a_panic(since: u64, took: u64, unit in 0..3usize) {
        let (time, duration) = [("sec", "%T"), ("msec", "%{ms}T"), ("usec", "%D")][unit];
        let format = compile(&format!("%{{{time}}}t.%{{usec_frac}}t {duration} %r"));
        format.parse(format!("{since}.999999 {took} GET / HTTP/1.1").as_bytes()).ok();
    }
}
