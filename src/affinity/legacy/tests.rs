//! Sessions that no upstream accepts, and the streams that tell where they live.

use std::hash::RandomState;
use std::time::Duration;

use super::super::{DEFAULT_IDLE, Verdict};
use super::*;

/// One line: a POST of a session, or a stream that ended.
#[derive(Debug, Clone, Copy)]
enum Line {
    /// Client, session, upstream, status, when in milliseconds.
    Post(&'static str, &'static str, &'static str, u16, i64),
    /// Client, upstream, from, to.
    Stream(&'static str, &'static str, i64, i64),
}

use Line::{Post, Stream};

#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some moment to begin"
)]
fn start() -> Instant {
    Instant::now()
}

fn table() -> Table {
    Table::new(RandomState::new(), 8, DEFAULT_IDLE)
}

/// Takes a line that was read when it was written.
fn take(table: &mut Table, begin: Instant, number: u64, line: Line) {
    let read = |at: i64| begin + Duration::from_millis(u64::try_from(at).unwrap());
    match line {
        Post(client, session, upstream, status, at) => {
            let request = Request {
                carried: Some(session.as_bytes()),
                legacy: true,
                upstream: Some(upstream.as_bytes()),
                status: Some(status),
                client: Some(client.as_bytes()),
                span: Some((at - 1, at)),
                line: number,
                ..Request::default()
            };
            table.observe(read(at), &request);
        }
        Stream(client, upstream, from, to) => {
            let request = Request {
                stream: true,
                upstream: Some(upstream.as_bytes()),
                status: Some(200),
                client: Some(client.as_bytes()),
                span: Some((from, to)),
                line: number,
                ..Request::default()
            };
            table.stream(read(to), &request);
        }
    }
}

/// The lines of the requests found to be misses by the end.
fn check(lines: &[Line], expected: &[u64]) {
    let (mut table, begin) = (table(), start());
    for (number, line) in (0..).zip(lines) {
        take(&mut table, begin, number, *line);
    }
    table.finish();
    let mut found: Vec<u64> = table.confirmed().map(|miss| miss.line).collect();
    found.sort_unstable();
    assert_eq!(found, expected, "{lines:?}");
}

#[test]
fn the_stream_of_the_same_client_tells_the_owner() {
    check(
        &[
            Post("c", "s", "b:1", 404, 5_000),
            Post("c", "s", "b:1", 400, 5_100),
            Post("c", "s", "a:1", 404, 5_200),
            Stream("c", "a:1", 4_900, 9_000),
        ],
        &[0, 1],
    );
}

#[test]
fn another_client_s_stream_tells_nothing() {
    let post = Post("c", "s", "b:1", 404, 5_000);
    check(&[post, Stream("d", "a:1", 4_900, 9_000)], &[]);
}

#[test]
fn a_stream_of_another_time_tells_nothing() {
    let post = Post("c", "s", "b:1", 404, 5_000);
    check(&[post, Stream("c", "a:1", 6_000, 9_000)], &[]);
    check(&[post, Stream("c", "a:1", 1_000, 4_999)], &[]);
    // Whole seconds: the stream may have begun before what its line gives.
    check(&[post, Stream("c", "a:1", 5_900, 9_000)], &[0]);
}

#[test]
fn two_streams_at_once_tell_nothing() {
    let post = Post("c", "s", "b:1", 404, 5_000);
    for other in ["a:1", "d:1"] {
        check(
            &[
                post,
                Stream("c", "a:1", 4_900, 9_000),
                Stream("c", other, 4_900, 9_500),
            ],
            &[],
        );
    }
}

#[test]
fn two_sessions_at_once_tell_nothing() {
    check(
        &[
            Post("c", "s", "b:1", 404, 5_000),
            Post("c", "t", "b:1", 404, 5_100),
            Stream("c", "a:1", 4_900, 9_000),
        ],
        &[],
    );
}

#[test]
fn a_client_that_connects_again_is_judged_each_time() {
    check(
        &[
            Post("c", "s", "b:1", 404, 5_000),
            Stream("c", "a:1", 4_900, 5_100),
            Post("c", "t", "a:1", 404, 7_000),
            Stream("c", "b:1", 6_900, 7_100),
        ],
        &[0, 2],
    );
}

#[test]
fn an_accepted_session_s_stream_is_its_own() {
    let accepted = Post("c", "t", "a:1", 202, 1_000);
    let refused = Post("c", "s", "b:1", 404, 5_000);
    let stream = Stream("c", "a:1", 900, 9_000);
    check(&[accepted, refused, stream], &[]);
    // Once.
    let own = Stream("c", "a:1", 4_900, 9_500);
    check(&[accepted, refused, stream, own], &[1]);
    // Its owner is another.
    check(&[accepted, refused, Stream("c", "d:1", 4_900, 9_000)], &[1]);
}

#[test]
fn who_accepts_it_in_the_end_decides_alone() {
    check(
        &[
            Post("c", "s", "b:1", 404, 5_000),
            Stream("c", "b:1", 4_900, 5_100),
            Post("c", "s", "a:1", 202, 5_200),
        ],
        &[0],
    );
}

#[test]
fn it_waits_for_a_second_stream_and_no_longer() {
    let (mut table, begin) = (table(), start());
    let confirm = i64::try_from(CONFIRM.as_millis()).unwrap();
    take(&mut table, begin, 0, Post("c", "s", "b:1", 404, 5_000));
    take(
        &mut table,
        begin,
        1,
        Stream("c", "a:1", 4_900, 5_000 + confirm),
    );
    assert_eq!(table.confirmed().count(), 0);
    let later = Post("d", "t", "b:1", 202, 5_001 + confirm);
    take(&mut table, begin, 2, later);
    assert_eq!(
        table.confirmed().map(|miss| miss.line).collect::<Vec<_>>(),
        [0]
    );
    // A stream that ends later than that tells nothing any more.
    take(&mut table, begin, 3, Post("c", "s", "b:1", 404, 400_000));
    let late = Stream("c", "a:1", 399_000, 400_001 + confirm);
    take(&mut table, begin, 4, late);
    table.finish();
    assert_eq!(table.confirmed().count(), 0);
}

#[test]
fn without_a_client_only_an_acceptance_decides() {
    let (mut table, now) = (table(), start());
    let post = |status| Request {
        carried: Some(b"s"),
        legacy: true,
        upstream: Some(if status == 202 { b"a:1" } else { b"b:1" }),
        status: Some(status),
        ..Request::default()
    };
    assert!(table.observe(now, &post(404)).unwrap().waits);
    let opened = table.observe(now, &post(202)).unwrap().verdict;
    assert_eq!((opened, table.confirmed().count()), (Verdict::Opened, 1));
    assert!(table.legacy.accepted.is_empty());
}

#[test]
fn what_waits_is_bounded() {
    let (mut table, begin) = (table(), start());
    for number in 0..=u64::try_from(WAITING_MAX).unwrap() {
        take(&mut table, begin, number, Post("c", "s", "b:1", 404, 5_000));
        assert!(table.legacy.refused.len() <= WAITING_MAX);
    }
    assert_eq!(table.legacy.refused.len(), 1);
    let mut legacy = Legacy::default();
    for session in 0..=u64::try_from(WAITING_MAX).unwrap() {
        legacy.accept(session, 1, Some(session / 2));
        let counted: usize = legacy.accepted.values().map(Vec::len).sum();
        assert_eq!(counted, legacy.accepted_len);
        assert!(counted <= WAITING_MAX);
    }
    assert_eq!(legacy.accepted_len, 1);
}
