//! Access lines and error entries in, ends out.

use super::*;
use crate::access_log::Stamp;
use crate::access_log::held::{MAX_HELD, WINDOW};

/// The moment of every test's first line: 2026-11-20 10:00:51 UTC.
const T0: i64 = 1_795_168_851_000_000;

#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some moment to begin"
)]
fn start() -> Instant {
    Instant::now()
}

/// A stream's record.
fn record(
    status: u16,
    state: Option<ClientConnection>,
    port: Option<u16>,
    ended_us: i64,
) -> Record<'static> {
    Record {
        status: Some(status),
        client: Some(b"10.0.0.9"),
        client_port: port,
        client_connection: state,
        ended_us: Some(ended_us),
        ended: Some(Stamp {
            unix_ms: ended_us / 1000,
            utc_offset: Some(0),
        }),
        ..Record::default()
    }
}

fn closed(line: u64) -> Closed {
    Closed {
        line,
        reason: Reason::Unknown,
        duration: None,
        upstream: None,
    }
}

/// An error line so many milliseconds after the first moment.
fn entry(ms: i64, rest: &str) -> String {
    format!(
        "[Fri Nov 20 10:00:{:02}.{:03}000 2026] [x:error] [pid 1:tid 2] {rest}",
        51 + ms / 1000,
        ms % 1000
    )
}

const RESET: &str =
    "(104)Connection reset by peer: [client 10.0.0.9:4321] AH01110: error reading response";
const IDLE: &str = "(70007)The timeout specified has expired: [client 10.0.0.9:4321] AH01110: error reading response";
const EARLY: &str = "(104)Connection reset by peer: [client 10.0.0.9:4321] AH01102: error reading status line from remote server a:1";

fn reasons(out: &[Event]) -> Vec<(u64, Reason)> {
    let reason = |event: &Event| match event {
        Event::StreamClosed(closed) => Some((closed.line, closed.reason)),
        _ => None,
    };
    out.iter().filter_map(reason).collect()
}

/// What is said of one stream, whichever log is read first.
fn check(record: &Record<'_>, errors: &[String], expected: Reason) {
    for error_first in [true, false] {
        let (mut joiner, now, mut out) = (Joiner::new(true), start(), Vec::new());
        let feed = |joiner: &mut Joiner, out: &mut Vec<Event>| {
            errors
                .iter()
                .for_each(|line| joiner.error(now, line.as_bytes(), out).unwrap());
        };
        if error_first {
            feed(&mut joiner, &mut out);
        }
        joiner.stream(now, record, closed(1), &mut out);
        if !error_first {
            feed(&mut joiner, &mut out);
        }
        joiner.tick(now + WINDOW, &mut out);
        assert_eq!(
            reasons(&out),
            [(1, expected)],
            "{errors:?}, error first: {error_first}"
        );
    }
}

use ClientConnection::{Aborted, Closed as Shut, Kept};

#[test]
fn an_entry_of_the_same_client_and_time_decides() {
    let shut = |status| record(status, Some(Shut), Some(4321), T0);
    check(&shut(200), &[entry(1, RESET)], Reason::ServerReset);
    check(&shut(200), &[entry(1, IDLE)], Reason::IdleTimeout);
    check(&shut(200), &[entry(1, EARLY)], Reason::ServerClose);
    check(&shut(502), &[entry(1, EARLY)], Reason::ServerReset);
    check(&shut(502), &[entry(1, RESET)], Reason::Http5xx);
    check(&shut(200), &[entry(3000, RESET)], Reason::ServerClose);
    check(&shut(404), &[entry(1, EARLY)], Reason::Http4xx);
    check(
        &record(200, Some(Shut), Some(4322), T0),
        &[entry(1, RESET)],
        Reason::ServerClose,
    );
    check(
        &record(200, Some(Aborted), Some(4321), T0),
        &[entry(1, RESET)],
        Reason::ServerReset,
    );
    check(
        &record(200, Some(Aborted), Some(4321), T0),
        &[entry(1, IDLE)],
        Reason::Unknown,
    );
}

#[test]
fn the_error_logs_zone_does_not_matter() {
    let india = record(200, Some(Shut), Some(4321), T0 - 19_800 * 1_000_000);
    check(&india, &[entry(1, RESET)], Reason::ServerReset);
}

#[test]
fn a_failed_connection_is_explained_by_its_threads_line_before() {
    let refused = "(111)Connection refused: AH00957: http: attempt to connect to a:1 (a:1) failed";
    let failed = "[client 10.0.0.9:4321] AH01114: HTTP: failed to make connection to backend: a";
    let stream = record(503, Some(Shut), Some(4321), T0);
    check(
        &stream,
        &[entry(0, refused), entry(1, failed)],
        Reason::ConnectRefused,
    );
    check(&stream, &[entry(1, failed)], Reason::Http5xx);
    let other = entry(0, refused).replace("tid 2", "tid 3");
    check(&stream, &[other, entry(1, failed)], Reason::Http5xx);
}

#[test]
fn silence_says_what_it_says() {
    for (state, expected) in [
        (Some(Aborted), Reason::ClientClose),
        (Some(Kept), Reason::ServerClose),
        (Some(Shut), Reason::ServerClose),
        (None, Reason::Unknown),
    ] {
        check(&record(200, state, Some(4321), T0), &[], expected);
    }
    for (state, id, expected) in [
        (Shut, None, Reason::Unknown),
        (Shut, Some("-"), Reason::ServerClose),
        (Shut, Some("XSPfUbqSrsw"), Reason::Unknown),
        (Aborted, None, Reason::ClientClose),
        (Aborted, Some("-"), Reason::ClientClose),
        // Something was logged about it: a client that left is not.
        (Aborted, Some("XSPfUbqSrsw"), Reason::Unknown),
    ] {
        let (mut alone, mut out) = (Joiner::new(false), Vec::new());
        let record = Record {
            error_id: id.map(str::as_bytes),
            ..record(200, Some(state), Some(1), T0)
        };
        alone.stream(start(), &record, closed(1), &mut out);
        assert_eq!(reasons(&out), [(1, expected)], "{state:?} {id:?}");
    }
}

#[test]
fn a_stop_or_restart_cuts_the_streams_around_it() {
    let stop = [entry(1000, "AH00491: caught SIGTERM, shutting down")];
    let restart = [entry(
        1000,
        "AH00494: SIGHUP received.  Attempting to restart",
    )];
    let aborted = |ms: i64| record(200, Some(Aborted), Some(1), T0 + ms * 1000);
    for (ms, at_stop, at_restart) in [
        (0, Reason::Drain, Reason::ClientClose),
        (1500, Reason::ClientClose, Reason::Drain),
        (4000, Reason::ClientClose, Reason::ClientClose),
    ] {
        check(&aborted(ms), &stop, at_stop);
        check(&aborted(ms), &restart, at_restart);
    }
    check(
        &record(200, Some(Shut), Some(1), T0),
        &stop,
        Reason::ServerClose,
    );
}

#[test]
fn an_id_in_both_logs_joins_whatever_the_port() {
    let stream = Record {
        error_id: Some(b"XSPfUbqSrsw"),
        ..record(200, Some(Shut), None, T0)
    };
    let line = |id: &str| {
        entry(
            1,
            &format!("[R:{id}] (104)Connection reset by peer: AH01110: error reading response"),
        )
    };
    check(&stream, &[line("XSPfUbqSrsw")], Reason::ServerReset);
    check(&stream, &[line("XSPfUbqSrsx")], Reason::ServerClose);
}

#[test]
fn an_address_alone_joins_only_what_is_unambiguous() {
    let stream = record(502, None, None, T0);
    check(&stream, &[entry(1, EARLY)], Reason::ServerReset);
    let idle = IDLE.replace("AH01110", "AH01102").replace("4321", "4322");
    check(
        &stream,
        &[entry(1, EARLY), entry(1, &idle)],
        Reason::Http5xx,
    );
}

#[test]
fn of_several_requests_on_a_port_the_nearest_counts() {
    let (mut joiner, now, mut out) = (Joiner::new(true), start(), Vec::new());
    for (line, ms) in [(1, 0), (2, 400), (3, 800)] {
        joiner.stream(
            now,
            &record(200, Some(Shut), Some(4321), T0 + ms * 1000),
            closed(line),
            &mut out,
        );
    }
    joiner
        .error(now, entry(401, RESET).as_bytes(), &mut out)
        .unwrap();
    joiner.finish(&mut out);
    let expected = [
        (2, Reason::ServerReset),
        (1, Reason::ServerClose),
        (3, Reason::ServerClose),
    ];
    assert_eq!(reasons(&out), expected);
}

#[test]
fn a_full_table_is_counted_and_silence_then_says_nothing() {
    let (mut joiner, now, mut out) = (Joiner::new(true), start(), Vec::new());
    for _ in 0..=MAX_HELD {
        joiner
            .error(now, entry(1, RESET).as_bytes(), &mut out)
            .unwrap();
    }
    assert_eq!(out, [Event::JoinEvicted]);
    joiner.stream(
        now,
        &record(200, Some(Shut), Some(1), T0),
        closed(1),
        &mut out,
    );
    joiner.finish(&mut out);
    assert_eq!(reasons(&out), [(1, Reason::Unknown)]);
    assert_eq!(
        joiner.error(now, b"worse", &mut out),
        Err(UnparsedKind::Format)
    );
}
