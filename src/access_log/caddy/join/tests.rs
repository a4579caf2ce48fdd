//! Access lines and runtime lines in, ends out.

use super::*;
use crate::access_log::held::{MAX_HELD, WINDOW};

const T0: i64 = 1_795_169_153_000_000;

#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some moment to begin"
)]
fn start() -> Instant {
    Instant::now()
}

fn record(status: u16, at_us: i64) -> Record<'static> {
    Record {
        status: Some(status),
        client: Some(b"10.0.0.9"),
        client_port: Some(4321),
        ended_us: Some(T0 + at_us),
        ..Record::default()
    }
}

fn closed(line: u64, upstream: Option<&str>) -> Closed {
    Closed {
        line,
        reason: Reason::Unknown,
        duration: None,
        upstream: upstream.map(Box::from),
    }
}

fn seconds(at_us: i64) -> String {
    let us = T0 + at_us;
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

fn info() -> String {
    format!(r#"{{"level":"info","ts":{},"msg":"x"}}"#, seconds(-900_000))
}

fn abort(at_us: i64, error: &str) -> String {
    format!(
        r#"{{"level":"error","ts":{},"logger":"http.handlers.reverse_proxy","msg":"aborting with incomplete response","error":"{error}"}}"#,
        seconds(at_us)
    )
}

fn failure(at_us: i64, message: &str, port: u16, status: u16) -> String {
    format!(
        r#"{{"level":"error","ts":{},"logger":"http.log.error.log0","msg":"{message}","request":{{"remote_ip":"10.0.0.9","remote_port":"{port}"}},"status":{status}}}"#,
        seconds(at_us)
    )
}

fn reasons(out: &[Event]) -> Vec<(u64, Reason)> {
    let reason = |event: &Event| match event {
        Event::StreamClosed(closed) => Some((closed.line, closed.reason)),
        _ => None,
    };
    out.iter().filter_map(reason).collect()
}

/// What is said of one stream, whichever log is read first.
fn check(record: &Record<'_>, upstream: Option<&str>, runtime: &[String], expected: Reason) {
    for runtime_first in [true, false] {
        let (mut joiner, now, mut out) = (Joiner::new(true), start(), Vec::new());
        let feed = |joiner: &mut Joiner, out: &mut Vec<Event>| {
            runtime
                .iter()
                .for_each(|line| joiner.error(now, line.as_bytes(), out).unwrap());
        };
        if runtime_first {
            feed(&mut joiner, &mut out);
        }
        joiner.stream(now, record, closed(1, upstream), &mut out);
        if !runtime_first {
            feed(&mut joiner, &mut out);
        }
        joiner.tick(now + WINDOW, &mut out);
        assert_eq!(
            reasons(&out),
            [(1, expected)],
            "{runtime:?}, runtime first: {runtime_first}"
        );
    }
}

const CANCELED: &str = "context canceled";
const RESET: &str = "read tcp 10.0.0.2:9->10.0.0.1:80: read: connection reset by peer";
const UNREAD: &str = "write tcp 10.0.0.2:443->10.0.0.9:4321: i/o timeout";

#[test]
fn an_abort_just_before_the_line_decides() {
    let stream = record(200, 0);
    check(&stream, None, &[abort(-100, CANCELED)], Reason::ClientClose);
    check(&stream, None, &[abort(-100, RESET)], Reason::ServerReset);
    check(
        &stream,
        Some("10.0.0.1:80"),
        &[abort(-100, RESET)],
        Reason::ServerReset,
    );
    check(
        &stream,
        Some("10.0.0.3:80"),
        &[info(), abort(-100, RESET)],
        Reason::ServerClose,
    );
    check(
        &stream,
        None,
        &[abort(-300_000, UNREAD)],
        Reason::SendTimeout,
    );
    let other = UNREAD.replace("4321", "4322");
    check(&stream, None, &[abort(-100, &other)], Reason::ServerClose);
    check(&stream, None, &[abort(100, CANCELED)], Reason::ServerClose);
    check(
        &record(502, 0),
        None,
        &[abort(-100, CANCELED)],
        Reason::Http5xx,
    );
}

#[test]
fn an_abort_of_nobodys_leaves_the_line_in_doubt() {
    check(
        &record(200, 0),
        None,
        &[abort(-2_000, CANCELED)],
        Reason::Unknown,
    );
    check(
        &record(200, 0),
        None,
        &[abort(-9_000, CANCELED)],
        Reason::ServerClose,
    );
}

#[test]
fn silence_counts_only_where_aborts_are_shown() {
    check(&record(200, 0), None, &[info()], Reason::ServerClose);
    check(&record(200, 0), None, &[], Reason::Unknown);
    // Later versions log aborts at level warn: an error shows nothing about them.
    check(
        &record(200, 0),
        None,
        &[failure(-900_000, "EOF", 1, 502)],
        Reason::Unknown,
    );
}

#[test]
fn a_failure_of_the_same_client_decides() {
    let refused = "dial tcp 10.0.0.1:80: connect: connection refused";
    check(
        &record(502, 0),
        None,
        &[failure(-100, refused, 4321, 502)],
        Reason::ConnectRefused,
    );
    check(
        &record(502, 0),
        None,
        &[failure(-100, refused, 4322, 502)],
        Reason::Http5xx,
    );
    check(
        &record(504, 0),
        None,
        &[failure(-100, refused, 4321, 502)],
        Reason::Http5xx,
    );
    check(
        &record(502, 0),
        None,
        &[failure(-100, "something new", 4321, 502)],
        Reason::Http5xx,
    );
    let none = "no upstreams available";
    check(
        &record(503, 0),
        None,
        &[failure(-100, none, 4321, 503)],
        Reason::NoUpstream,
    );
    let lookup = abort(-150, "lookup nx").replace(
        "aborting with incomplete response",
        "failed getting dynamic upstreams; x",
    );
    check(
        &record(503, 0),
        None,
        &[lookup, failure(-100, none, 4321, 503)],
        Reason::DnsError,
    );
}

#[test]
fn each_line_takes_its_own_abort() {
    let (mut joiner, now, mut out) = (Joiner::new(true), start(), Vec::new());
    for line in [abort(-100, CANCELED), abort(-50, RESET)] {
        joiner.error(now, line.as_bytes(), &mut out).unwrap();
    }
    joiner.stream(now, &record(200, -70), closed(1, None), &mut out);
    joiner.stream(now, &record(200, 0), closed(2, None), &mut out);
    assert_eq!(
        reasons(&out),
        [(1, Reason::ClientClose), (2, Reason::ServerReset)]
    );
}

#[test]
fn without_a_runtime_log_lines_tell_what_they_tell_at_once() {
    let (mut joiner, now, mut out) = (Joiner::new(false), start(), Vec::new());
    let left = Record {
        verdict: Some(Reason::ClientClose),
        ..record(0, 0)
    };
    for (line, record) in [(1, record(200, 0)), (2, record(502, 0)), (3, left)] {
        joiner.stream(now, &record, closed(line, None), &mut out);
    }
    let expected = [
        (1, Reason::Unknown),
        (2, Reason::Http5xx),
        (3, Reason::ClientClose),
    ];
    assert_eq!(reasons(&out), expected);
    assert_eq!(joiner.deadline(), None);
}

#[test]
fn a_full_table_is_counted_and_silence_then_says_nothing() {
    let (mut joiner, now, mut out) = (Joiner::new(true), start(), Vec::new());
    for _ in 0..=MAX_HELD {
        joiner
            .error(now, abort(-900_000, CANCELED).as_bytes(), &mut out)
            .unwrap();
    }
    assert_eq!(out, [Event::JoinEvicted]);
    joiner.stream(now, &record(200, 0), closed(1, None), &mut out);
    joiner.finish(&mut out);
    assert_eq!(reasons(&out), [(1, Reason::Unknown)]);
    assert_eq!(
        joiner.error(now, b"worse", &mut out),
        Err(UnparsedKind::Format)
    );
}
