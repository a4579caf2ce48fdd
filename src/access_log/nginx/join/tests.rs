//! Which entry ends which stream, in both orders of arrival, and what the caps cost.

use std::time::Duration;

use super::*;
use crate::access_log::held::MAX_HELD;
use crate::reason::Reason::*;

#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some moment to begin"
)]
fn start() -> Instant {
    Instant::now()
}

fn stream(join: &mut Joiner, now: Instant, line: u64, record: &Record<'_>, out: &mut Vec<Event>) {
    join.stream(now, record, Closed::of(line, record), out);
}

/// 09:59:41 UTC; the error log's clock is an hour and a half ahead.
const ENDED: i64 = 1_795_168_781;
const LOCAL: i64 = ENDED + 5400;

fn record(status: u16, completed: bool) -> Record<'static> {
    Record {
        ended: Some(Stamp {
            unix_ms: ENDED * 1000 + 360,
            utc_offset: None,
        }),
        status: Some(status),
        completed: Some(completed),
        connection: Some(42),
        upstream: Some(b"10.0.0.2:80"),
        ..Record::default()
    }
}

fn entry(reason: Reason, phase: Phase) -> Entry<'static> {
    Entry {
        connection: 42,
        reason,
        phase,
        request: Some(b"GET /mcp HTTP/1.1"),
        upstream: Some(b"10.0.0.2:80/mcp"),
    }
}

fn reasons(out: &[Event]) -> Vec<Reason> {
    let closed = out.iter().filter_map(|event| match event {
        Event::StreamClosed(closed) => Some(closed.reason),
        _ => None,
    });
    closed.collect()
}

/// Joins one stream with entries at their seconds, in both orders of arrival.
fn check(record: &Record<'_>, entries: &[(i64, Entry<'_>)], expected: Reason) {
    for stream_first in [true, false] {
        let (mut join, now, mut out) = (Joiner::new(true), start(), Vec::new());
        if stream_first {
            stream(&mut join, now, 1, record, &mut out);
        }
        for (at, entry) in entries {
            join.entry(now, *at, entry, &mut out);
        }
        if !stream_first {
            stream(&mut join, now, 1, record, &mut out);
        }
        join.tick(now + WINDOW, &mut out);
        let got = reasons(&out);
        assert_eq!(got, [expected], "stream first: {stream_first}; {entries:?}");
    }
}

#[test]
fn an_entry_of_the_same_second_decides() {
    let timed_out = entry(IdleTimeout, Phase::Body);
    check(&record(200, true), &[(LOCAL, timed_out)], IdleTimeout);
    check(&record(200, true), &[(LOCAL + 1, timed_out)], IdleTimeout);
    check(&record(200, true), &[(LOCAL - 1, timed_out)], IdleTimeout);
    check(&record(200, true), &[(LOCAL + 3, timed_out)], ServerClose);
    check(&record(200, true), &[(LOCAL - 3, timed_out)], ServerClose);
    check(
        &record(499, false),
        &[(LOCAL, entry(ClientReset, Phase::Client))],
        ClientReset,
    );
    check(
        &record(502, true),
        &[(LOCAL, entry(ConnectRefused, Phase::Connecting))],
        ConnectRefused,
    );
    check(
        &record(504, true),
        &[(LOCAL, entry(IdleTimeout, Phase::Headers))],
        IdleTimeout,
    );
}

#[test]
fn an_entry_must_be_of_the_connection() {
    let other = Entry {
        connection: 43,
        ..entry(IdleTimeout, Phase::Body)
    };
    check(&record(200, true), &[(LOCAL, other)], ServerClose);
    let call = Entry {
        request: Some(b"POST /mcp HTTP/1.1"),
        ..entry(IdleTimeout, Phase::Body)
    };
    check(&record(200, true), &[(LOCAL, call)], ServerClose);
}

#[test]
fn a_failed_try_does_not_end_the_stream_that_another_upstream_served() {
    let refused = Entry {
        upstream: Some(b"10.0.0.1:80/mcp"),
        ..entry(ConnectRefused, Phase::Connecting)
    };
    check(&record(200, true), &[(LOCAL, refused)], ServerClose);
    check(&record(200, false), &[(LOCAL, refused)], ClientClose);
    let timed_out = entry(IdleTimeout, Phase::Body);
    check(
        &record(200, true),
        &[(LOCAL, refused), (LOCAL, timed_out)],
        IdleTimeout,
    );
    let slow = entry(ConnectTimeout, Phase::Connecting);
    check(
        &record(504, true),
        &[(LOCAL, refused), (LOCAL, slow)],
        ConnectTimeout,
    );
}

#[test]
fn an_upstreams_address_is_compared_whole() {
    let other = Entry {
        upstream: Some(b"10.0.0.2:8080/mcp"),
        ..entry(ServerCut, Phase::Body)
    };
    check(&record(200, true), &[(LOCAL, other)], ServerClose);
}

#[test]
fn sides_must_agree() {
    check(
        &record(200, true),
        &[(LOCAL, entry(ClientReset, Phase::Client))],
        ServerClose,
    );
    check(
        &record(200, false),
        &[(LOCAL, entry(ServerCut, Phase::Body))],
        ClientClose,
    );
    check(
        &record(502, true),
        &[(LOCAL, entry(ClientClose, Phase::Client))],
        Http5xx,
    );
}

#[test]
fn a_connections_end_ends_all_its_streams() {
    let gone = Entry {
        request: None,
        upstream: None,
        ..entry(ClientClose, Phase::Client)
    };
    let (mut join, now, mut out) = (Joiner::new(true), start(), Vec::new());
    stream(&mut join, now, 1, &record(200, false), &mut out);
    stream(&mut join, now, 2, &record(200, false), &mut out);
    join.entry(now, LOCAL, &gone, &mut out);
    stream(&mut join, now, 3, &record(200, false), &mut out);
    assert_eq!(reasons(&out), [ClientClose; 3]);
}

#[test]
fn one_entry_ends_one_stream() {
    let (mut join, now, mut out) = (Joiner::new(true), start(), Vec::new());
    join.entry(now, LOCAL, &entry(ClientReset, Phase::Client), &mut out);
    stream(&mut join, now, 1, &record(200, false), &mut out);
    stream(&mut join, now, 2, &record(200, false), &mut out);
    join.finish(&mut out);
    assert_eq!(reasons(&out), [ClientReset, ClientClose]);
}

#[test]
fn without_anything_to_join_nothing_is_held() {
    let unnumbered = Record {
        connection: None,
        ..record(200, true)
    };
    for (has_error_log, record, expected) in [
        (false, record(200, true), Unknown),
        (true, unnumbered, Unknown),
        (true, record(404, true), Http4xx),
    ] {
        let (mut join, mut out) = (Joiner::new(has_error_log), Vec::new());
        stream(&mut join, start(), 1, &record, &mut out);
        assert_eq!((reasons(&out), join.deadline()), (vec![expected], None));
    }
}

#[test]
fn the_window_is_kept() {
    let (mut join, now, mut out) = (Joiner::new(true), start(), Vec::new());
    stream(&mut join, now, 1, &record(200, true), &mut out);
    assert_eq!(join.deadline(), Some(now + WINDOW));
    join.tick(now + WINDOW - Duration::from_millis(1), &mut out);
    assert_eq!(out, []);
    join.entry(
        now + WINDOW,
        LOCAL,
        &entry(ServerCut, Phase::Body),
        &mut out,
    );
    assert_eq!(reasons(&out), [ServerClose]);
    stream(&mut join, now + 2 * WINDOW, 2, &record(200, true), &mut out);
    join.finish(&mut out);
    assert_eq!(reasons(&out), [ServerClose; 2], "the entry was forgotten");
}

#[test]
fn a_drain_needs_a_worker_that_drains() {
    let decide = |prepare: fn(&mut Joiner, Instant), after: u32| {
        let (mut join, now, mut out) = (Joiner::new(true), start(), Vec::new());
        prepare(&mut join, now);
        stream(
            &mut join,
            now + after * WINDOW,
            1,
            &record(200, false),
            &mut out,
        );
        join.finish(&mut out);
        reasons(&out)
    };
    let drains = |join: &mut Joiner, _| {
        join.shows_clients();
        join.worker_drains();
    };
    let gone = |join: &mut Joiner, now| {
        join.shows_clients();
        join.worker_drains();
        join.worker_gone(now, LOCAL);
    };
    assert_eq!(decide(drains, 60), [Drain]);
    assert_eq!(decide(gone, 1), [Drain]);
    assert_eq!(decide(gone, 3), [Unknown]);
    assert_eq!(decide(|join, _| join.shows_clients(), 0), [Unknown]);
    // At level `notice` no client's end is shown: what a worker cuts, it cuts just before it is gone.
    assert_eq!(decide(|join, _| join.worker_drains(), 0), [ClientClose]);
    let gone_at = |join: &mut Joiner, now, at| {
        join.worker_drains();
        join.worker_gone(now, at);
    };
    for (apart, expected) in [(-2, ClientClose), (-1, Drain), (1, Drain), (2, ClientClose)] {
        let (mut join, now, mut out) = (Joiner::new(true), start(), Vec::new());
        stream(&mut join, now, 1, &record(200, false), &mut out);
        gone_at(&mut join, now + WINDOW / 2, LOCAL + apart);
        join.tick(now + WINDOW, &mut out);
        assert_eq!(reasons(&out), [expected], "{apart}");
    }
}

#[test]
fn caps_hold_and_cost_certainty_only() {
    let (mut join, now, mut out) = (Joiner::new(true), start(), Vec::new());
    for line in 0..=MAX_HELD as u64 {
        stream(&mut join, now, line, &record(200, true), &mut out);
    }
    assert_eq!(join.streams.len(), MAX_HELD);
    assert_eq!(
        (reasons(&out), out.last()),
        (vec![Unknown], Some(&Event::JoinEvicted))
    );

    let (mut join, mut out) = (Joiner::new(true), Vec::new());
    for connection in 0..=MAX_HELD as u64 {
        let entry = Entry {
            connection,
            ..entry(ServerCut, Phase::Body)
        };
        join.entry(now, LOCAL, &entry, &mut out);
    }
    assert_eq!(
        (join.entries.len(), out.as_slice()),
        (MAX_HELD, &[Event::JoinEvicted][..])
    );
    let first = Record {
        connection: Some(0),
        ..record(200, true)
    };
    stream(&mut join, now, 1, &first, &mut out);
    join.finish(&mut out);
    assert_eq!(reasons(&out), [Unknown], "its entry was the one evicted");
}

#[test]
fn time_that_goes_back_harms_nothing() {
    let (mut join, later, mut out) = (Joiner::new(true), start() + 9 * WINDOW, Vec::new());
    stream(&mut join, later, 1, &record(200, true), &mut out);
    stream(
        &mut join,
        later - 5 * WINDOW,
        2,
        &record(200, true),
        &mut out,
    );
    join.tick(later - 6 * WINDOW, &mut out);
    assert_eq!(out, []);
    join.tick(later + WINDOW, &mut out);
    assert_eq!(reasons(&out), [ServerClose; 2]);
}

#[test]
fn a_groups_name_is_no_upstream() {
    let (mut join, now, mut out) = (Joiner::new(false), start(), Vec::new());
    for (upstream, expected) in [(&b"pool"[..], None), (b"[::1]:80", Some("[::1]:80"))] {
        let record = Record {
            upstream: Some(upstream),
            ..record(502, true)
        };
        stream(&mut join, now, 1, &record, &mut out);
        let Some(Event::StreamClosed(closed)) = out.pop() else {
            panic!("not closed");
        };
        assert_eq!(closed.upstream.as_deref(), expected);
    }
}

#[test]
fn where_the_error_log_does_not_speak_its_silence_means_nothing() {
    let (mut join, now) = (Joiner::new(true), start());
    join.set_error_log(false);
    let mut out = Vec::new();
    stream(&mut join, now, 1, &record(200, true), &mut out);
    assert_eq!(reasons(&out), [Unknown]);
    let mut out = Vec::new();
    join.entry(now, LOCAL, &entry(IdleTimeout, Phase::Body), &mut out);
    stream(&mut join, now, 2, &record(200, true), &mut out);
    assert_eq!(reasons(&out), [IdleTimeout]);
}

#[test]
fn an_evicted_stream_is_decided_without_waiting() {
    let (mut join, now, mut out) = (Joiner::new(true), start(), Vec::new());
    stream(&mut join, now, 1, &record(200, true), &mut out);
    join.evict_stream(&mut out);
    join.evict_stream(&mut out);
    assert_eq!(reasons(&out), [Unknown]);
    assert_eq!(out.last(), Some(&Event::JoinEvicted));
    assert_eq!(out.len(), 2);
}
