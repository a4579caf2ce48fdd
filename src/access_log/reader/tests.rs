//! Lines in, events out.

use std::hash::RandomState;
use std::time::Duration;

use super::*;
use crate::access_log::UnparsedKind;
use crate::access_log::event::Closed;
use crate::access_log::nginx;
use crate::access_log::rules::{Preset, Rules};
use crate::affinity::DEFAULT_IDLE;
use crate::reason::Reason;

const FORMAT: &str = "$msec $connection \"$request\" $status \"$request_completion\" $request_time $upstream_addr $http_mcp_session_id $upstream_http_mcp_session_id \"$http_user_agent\"";

#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some moment to begin"
)]
fn start() -> Instant {
    Instant::now()
}

fn reader(capacity: usize) -> Reader {
    let format = Format::Nginx(nginx::Format::compile(FORMAT).unwrap());
    let table = Table::new(RandomState::new(), capacity, DEFAULT_IDLE);
    Reader::new(format, StreamRule::default(), true, table)
}

/// A reader without a configured error log.
fn alone() -> Reader {
    let format = Format::Nginx(nginx::Format::compile(FORMAT).unwrap());
    let table = Table::new(RandomState::new(), 8, DEFAULT_IDLE);
    Reader::new(format, StreamRule::default(), false, table)
}

fn line(request: &str, status: u16, upstream: &str, sent: &str, minted: &str) -> Vec<u8> {
    format!("1795168781.360 42 \"{request} HTTP/1.1\" {status} \"OK\" 1.250 {upstream} {sent} {minted} \"node\"")
        .into_bytes()
}

/// The names of the events that lines give, in order.
fn names(reader: &mut Reader, lines: &[Vec<u8>]) -> Vec<String> {
    let (now, mut out) = (start(), Vec::new());
    for line in lines {
        reader.access(now, line, &mut out);
    }
    let name = |event: &Event| match event {
        Event::Session { line, verdict, .. } => format!("{line} {verdict}"),
        other => format!("{other:?}"),
    };
    out.iter().map(name).collect()
}

#[test]
fn a_stream_is_closed_with_what_its_line_says() {
    let (mut reader, now, mut out) = (reader(8), start(), Vec::new());
    let kind = reader.access(now, &line("GET /mcp", 200, "a:1", "-", "-"), &mut out);
    assert_eq!((kind, out.len()), (LineKind::Stream, 0));
    let entry = b"2026/11/20 09:59:41 [error] 7#7: *42 upstream timed out (110: Connection timed out) while reading upstream, client: ::1, server: _, request: \"GET /mcp HTTP/1.1\", upstream: \"http://a:1/mcp\"\r";
    reader.error(now, entry, &mut out);
    let closed = Closed {
        line: 1,
        reason: Reason::IdleTimeout,
        duration: Some(Duration::from_millis(1250)),
        upstream: Some("a:1".into()),
    };
    assert_eq!(out, [Event::StreamClosed(closed)]);
}

#[test]
fn what_the_error_log_shows_is_learned() {
    let (mut reader, now, mut out) = (reader(8), start(), Vec::new());
    for notice in ["[info] 7#7: *1 x", "[notice] 7#7: gracefully shutting down"] {
        reader.error(
            now,
            format!("2026/11/20 09:59:40 {notice}").as_bytes(),
            &mut out,
        );
    }
    let line = String::from_utf8(line("GET /mcp", 200, "a:1", "-", "-")).unwrap();
    reader.access(now, line.replace("OK", "").as_bytes(), &mut out);
    let due = reader.deadline().unwrap();
    reader.tick(due, &mut out);
    assert!(matches!(&out[..], [Event::StreamClosed(closed)] if closed.reason == Reason::Drain));
    assert_eq!(reader.deadline(), None);
}

/// The session's POSTs are refused by `b:1`; its stream is at `a:1`, and its line comes last.
#[test]
fn a_stream_tells_where_the_session_of_its_client_lives() {
    let format = format!("$remote_addr {FORMAT}");
    let format = Format::Nginx(nginx::Format::compile(&format).unwrap());
    let table = Table::new(RandomState::new(), 8, DEFAULT_IDLE);
    let mut reader = Reader::new(format, StreamRule::default(), false, table);
    let line = |request: &str, status, upstream, client: &str| {
        let line = String::from_utf8(line(request, status, upstream, "-", "-")).unwrap();
        format!("{client} {line}").into_bytes()
    };
    let post = "POST /messages/?session_id=s";
    let mut told = names(
        &mut reader,
        &[
            line(post, 404, "b:1", "10.0.0.9"),
            line("GET /sse", 200, "b:1", "10.0.0.8"),
            // By its own User-Agent one of Holter's.
            String::from_utf8(line("GET /sse", 200, "b:1", "10.0.0.9"))
                .unwrap()
                .replace("node", "holter/1")
                .into_bytes(),
            line("GET /sse", 200, "a:1", "10.0.0.9"),
        ],
    );
    let mut out = Vec::new();
    reader.finish(&mut out);
    told.extend(out.iter().filter_map(|event| match event {
        Event::Session { line, verdict, .. } => Some(format!("{line} {verdict}")),
        _ => None,
    }));
    told.retain(|told| !told.starts_with("StreamClosed"));
    assert_eq!(told, ["1 unknown", "SessionUnknown", "1 moved"]);
}

#[test]
fn sessions_are_followed() {
    let got = names(
        &mut reader(8),
        &[
            line("POST /mcp", 200, "a:1", "-", "s"),
            line("POST /mcp", 200, "a:1", "s", "-"),
            line("POST /mcp", 404, "b:1", "s", "-"),
            line("POST /mcp", 400, "b:1", "s", "-"),
            line("DELETE /mcp", 200, "a:1", "s", "-"),
            line("POST /m?session_id=q", 404, "b:1", "-", "-"),
            line("POST /m?sessionId=q", 202, "a:1", "-", "-"),
            line("POST /m?sessionId=q", 202, "b:1", "-", "-"),
            line("POST /mcp", 200, "a:1", "-", "-"),
        ],
    );
    let expected = [
        "1 opened",
        "SessionOpened",
        "2 kept",
        "3 unknown",
        "SessionUnknown",
        "4 unknown",
        "SessionUnknown",
        "5 kept",
        "SessionDeleted",
        "3 moved",
        "4 moved",
        "6 unknown",
        "SessionUnknown",
        "7 opened",
        "SessionOpened",
        "6 moved",
        "8 unknown",
        "8 moved",
    ];
    assert_eq!(got, expected);
}

#[test]
fn a_full_table_is_counted() {
    let lines = ["s", "t"].map(|id| line("POST /mcp", 200, "a:1", "-", id));
    let got = names(&mut reader(1), &lines);
    assert_eq!(
        got,
        [
            "1 opened",
            "SessionOpened",
            "2 opened",
            "SessionOpened",
            "SessionsEvicted"
        ]
    );
}

#[test]
fn a_flood_of_sessions_fills_no_more_than_the_table() {
    const IDS: usize = 5000;
    const CAPACITY: usize = 64;
    let (mut reader, now, mut out) = (reader(CAPACITY), start(), Vec::new());
    for id in 0..IDS {
        let minted = format!("id-{id}");
        reader.access(now, &line("POST /mcp", 200, "a:1", "-", &minted), &mut out);
        reader.access(now, &line("POST /mcp", 200, "a:1", &minted, "-"), &mut out);
        reader.access(now, &line("POST /mcp", 404, "a:1", "never", "-"), &mut out);
        assert_eq!(reader.sessions.len(), (id + 1).min(CAPACITY));
    }
    let evicted = out.iter().filter(|event| **event == Event::SessionsEvicted);
    assert_eq!(evicted.count(), IDS - CAPACITY);
}

#[test]
fn an_ordinary_request_is_not_read_to_the_end() {
    let (mut reader, now, mut out) = (reader(8), start(), Vec::new());
    for (request, expected) in [
        ("GET /page", LineKind::Request),
        ("GET /mcp", LineKind::Unparsed),
        ("POST /m?sessionId=q", LineKind::Unparsed),
    ] {
        let line = String::from_utf8(line(request, 200, "a:1", "-", "-")).unwrap();
        let line = line.replace("1.250", "1.2x0");
        let kind = reader.access(now, line.as_bytes(), &mut out);
        assert_eq!(kind, expected, "{request}");
    }
}

#[test]
fn own_canaries_are_left_out_entirely() {
    let (mut reader, now, mut out) = (reader(8), start(), Vec::new());
    let line = String::from_utf8(line("GET /mcp", 200, "a:1", "s", "-")).unwrap();
    let own = line.replace("node", "holter/0.1.0");
    let kind = reader.access(now, own.as_bytes(), &mut out);
    reader.finish(&mut out);
    assert_eq!((kind, out), (LineKind::Ignored, vec![]));
}

#[test]
fn damage_is_counted_and_stops_nothing() {
    let (mut reader, now, mut out) = (reader(8), start(), Vec::new());
    assert_eq!(reader.access(now, b"\r", &mut out), LineKind::Unparsed);
    reader.error(now, b"worse", &mut out);
    let kind = reader.access(now, &line("GET /x", 200, "a:1", "-", "-"), &mut out);
    assert_eq!(kind, LineKind::Request);
    let kinds = [UnparsedKind::Empty, UnparsedKind::Format].map(Event::Unparsed);
    assert_eq!(out, kinds);
}

#[test]
fn an_own_canary_shows_that_the_owner_is_there() {
    let own = String::from_utf8(line("POST /mcp", 200, "a:1", "-", "-")).unwrap();
    let lines = [
        line("POST /mcp", 200, "a:1", "-", "s"),
        line("POST /mcp", 404, "b:1", "s", "-"),
        own.replace("node", "holter/0.1.0").into_bytes(),
    ];
    let got = names(&mut reader(8), &lines);
    assert_eq!(got.last().map(String::as_str), Some("2 moved"));
}

#[test]
fn an_ordinary_request_shows_whether_the_owner_is_there() {
    let miss = [
        line("POST /mcp", 200, "a:1", "-", "s"),
        line("POST /mcp", 404, "b:1", "s", "-"),
    ];
    let page = |status, upstream| line("POST /page", status, upstream, "-", "-");
    for (between, after, expected) in [
        (200, "a:1", "2 moved"),
        (502, "a:1", "SessionUnknown"),
        (200, "b:1", "SessionUnknown"),
    ] {
        let lines = [&miss[..], &[page(between, after), page(200, after)]].concat();
        let got = names(&mut reader(8), &lines);
        assert_eq!(
            got.last().map(String::as_str),
            Some(expected),
            "{between} {after}"
        );
    }
}

#[test]
fn a_failure_is_noted_before_anybody_waits_unless_its_upstream_answered() {
    let format = FORMAT.replace("$request_time", "$request_time \"$upstream_header_time\"");
    for (header_time, expected) in [("-", "SessionUnknown"), ("0.004", "3 moved")] {
        let line = |request, status, upstream, sent, minted| {
            let line = String::from_utf8(line(request, status, upstream, sent, minted)).unwrap();
            let time = if status == 502 { header_time } else { "0.001" };
            let line = line.replace("1.250", &format!("1.250 \"{time}\""));
            line.into_bytes()
        };
        let lines = [
            line("POST /mcp", 200, "a:1", "-", "s"),
            line("POST /page", 502, "a:1", "-", "-"),
            line("POST /mcp", 404, "b:1", "s", "-"),
            line("POST /page", 200, "a:1", "-", "-"),
        ];
        let format = Format::Nginx(nginx::Format::compile(&format).unwrap());
        let table = Table::new(RandomState::new(), 8, DEFAULT_IDLE);
        let mut reader = Reader::new(format, StreamRule::default(), true, table);
        let got = names(&mut reader, &lines);
        assert_eq!(
            got.last().map(String::as_str),
            Some(expected),
            "{header_time}"
        );
    }
}

#[test]
fn a_carriage_return_is_no_part_of_a_line() {
    let lines = [
        line("POST /mcp", 200, "a:1", "-", "s"),
        line("POST /page", 200, "a:1", "-", "-"),
        line("POST /mcp", 404, "b:1", "s", "-"),
    ];
    let with_returns = lines.clone().map(|line| [&line[..], b"\r"].concat());
    let got = names(&mut reader(8), &with_returns);
    assert_eq!(got, names(&mut reader(8), &lines));
    assert_eq!(got.len(), 4);
}

#[test]
fn a_container_s_error_lines_join_once_errors_are_shown() {
    let closed = |first: &str| {
        let (mut reader, now, mut out) = (alone(), start(), Vec::new());
        let first = format!("2026/11/20 09:59:40 [{first}] 7#7: x");
        reader.error(now, first.as_bytes(), &mut out);
        reader.access(now, &line("GET /mcp", 200, "a:1", "-", "-"), &mut out);
        reader.finish(&mut out);
        match &out[..] {
            [Event::StreamClosed(closed)] => closed.reason,
            other => panic!("{other:?}"),
        }
    };
    // Where errors are shown, silence says that the upstream ended it.
    assert_eq!(closed("notice"), Reason::ServerClose);
    assert_eq!(closed("error"), Reason::ServerClose);
    assert_eq!(closed("crit"), Reason::Unknown);
}

#[test]
fn a_post_that_listens_is_joined_with_its_own_entry() {
    let format = format!("{FORMAT} $http_mcp_method");
    let format = Format::Nginx(nginx::Format::compile(&format).unwrap());
    let table = Table::new(RandomState::new(), 8, DEFAULT_IDLE);
    let mut reader = Reader::new(format, StreamRule::default(), true, table);
    let (now, mut out) = (start(), Vec::new());
    let access = |request: &str, method: &str| {
        let line = String::from_utf8(line(request, 200, "a:1", "-", "-")).unwrap();
        format!("{line} {method}").into_bytes()
    };
    let get = access("GET /mcp", "-");
    let listen = access("POST /mcp", "subscriptions/listen");
    assert_eq!(reader.access(now, &get, &mut out), LineKind::Stream);
    assert_eq!(reader.access(now, &listen, &mut out), LineKind::Stream);
    let entry = b"2026/11/20 09:59:41 [error] 7#7: *42 upstream timed out (110: Connection timed out) while reading upstream, client: ::1, server: _, request: \"POST /mcp HTTP/1.1\", upstream: \"http://a:1/mcp\"";
    reader.error(now, entry, &mut out);
    assert!(matches!(&out[..], [Event::StreamClosed(closed)] if closed.line == 2));
}

#[test]
fn an_application_tells_of_each_end_once() {
    let rules = Rules::new(Vec::new(), &[Preset::Spring, Preset::Sdk]);
    let table = Table::new(RandomState::new(), 8, DEFAULT_IDLE);
    let mut reader = Reader::new(Format::Rules(rules), StreamRule::default(), false, table);
    let (now, mut out) = (start(), Vec::new());
    let ping = "Failed to send keep-alive ping to session abc: Stream unavailable for session abc";
    let opened = "SSE connection opened session=abcdefgh";
    let cancelled = "SSE connection cancelled session=abcdefgh";
    let lines = [
        (ping, LineKind::Stream),
        (ping, LineKind::Request),
        ("SSE connection cancelled", LineKind::Stream),
        ("SSE connection cancelled", LineKind::Stream),
        (opened, LineKind::Request),
        (cancelled, LineKind::Stream),
        (cancelled, LineKind::Request),
        (opened, LineKind::Request),
        (cancelled, LineKind::Stream),
        ("heartbeat sent", LineKind::Request),
        ("anything else", LineKind::Request),
        ("", LineKind::Request),
    ];
    for (line, kind) in lines {
        assert_eq!(
            reader.access(now, line.as_bytes(), &mut out),
            kind,
            "{line}"
        );
    }
    let ended = |event: &Event| match event {
        Event::StreamClosed(closed) => (closed.line, closed.reason),
        other => panic!("{other:?}"),
    };
    let ended: Vec<_> = out.iter().map(ended).collect();
    let client = Reason::ClientClose;
    assert_eq!(
        ended,
        [
            (1, Reason::Unknown),
            (3, client),
            (4, client),
            (6, client),
            (9, client)
        ]
    );
}
