//! Requests in turn, verdicts out.

use super::*;

#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some moment to begin"
)]
pub(super) fn start() -> Instant {
    Instant::now()
}

fn table(capacity: usize) -> Table {
    Table::new(RandomState::new(), capacity, DEFAULT_IDLE)
}

fn minted<'a>(id: &'a str, upstream: &'a str) -> Request<'a> {
    Request {
        minted: Some(id.as_bytes()),
        upstream: Some(upstream.as_bytes()),
        status: Some(200),
        ..Request::default()
    }
}

fn carried<'a>(id: &'a str, upstream: &'a str) -> Request<'a> {
    Request {
        carried: Some(id.as_bytes()),
        upstream: Some(upstream.as_bytes()),
        status: Some(200),
        ..Request::default()
    }
}

/// Observes the requests in turn and compares the verdicts at once, and the steps found to be misses
/// by the end.
fn check(steps: &[(Request<'_>, Option<Verdict>)], misses: &[u64]) {
    let (mut table, now) = (table(8), start());
    let (mut found, mut waiting) = (Vec::new(), Vec::new());
    for (line, (request, expected)) in (0..).zip(steps) {
        let request = Request { line, ..*request };
        let seen = table.observe(now, &request);
        let got = seen.map(|seen| seen.verdict);
        assert_eq!(got, *expected, "step {line}: {request:?}");
        waiting.extend(seen.filter(|seen| seen.waits).map(|_| line));
        found.extend(table.confirmed().map(|miss| miss.line));
    }
    assert_eq!(found, misses);
    // No verdict comes unannounced.
    assert!(
        found.iter().all(|line| waiting.contains(line)),
        "{waiting:?}"
    );
}

/// A request without a session.
fn plain(upstream: &str, status: u16) -> Request<'_> {
    Request {
        upstream: Some(upstream.as_bytes()),
        status: Some(status),
        ..Request::default()
    }
}

const OPENED: Option<Verdict> = Some(Verdict::Opened);
const KEPT: Option<Verdict> = Some(Verdict::Kept);
const UNKNOWN: Option<Verdict> = Some(Verdict::Unknown);

#[test]
fn the_minting_upstream_owns() {
    let steps = [
        (minted("s", "a:1"), OPENED),
        (carried("s", "a:1"), KEPT),
        (carried("s", "b:1"), UNKNOWN),
        (carried("s", "a:1"), KEPT),
        (carried("t", "a:1"), UNKNOWN),
        (Request::default(), None),
    ];
    check(&steps, &[2]);
}

#[test]
fn an_echoed_id_mints_nothing() {
    let echo = Request {
        minted: Some(b"s"),
        ..carried("s", "b:1")
    };
    let steps = [
        (echo, UNKNOWN),
        (minted("s", "a:1"), OPENED),
        (echo, UNKNOWN),
        (carried("s", "a:1"), KEPT),
    ];
    check(&steps, &[2]);
}

#[test]
fn minting_again_moves_the_home() {
    let steps = [
        (minted("s", "a:1"), OPENED),
        (minted("s", "b:1"), OPENED),
        (carried("s", "b:1"), KEPT),
    ];
    check(&steps, &[]);
}

#[test]
fn a_failed_answer_mints_nothing() {
    let failed = Request {
        status: Some(500),
        ..minted("s", "a:1")
    };
    check(&[(failed, None), (carried("s", "a:1"), UNKNOWN)], &[]);
}

fn post<'a>(upstream: &'a str, status: u16) -> Request<'a> {
    Request {
        legacy: true,
        status: Some(status),
        ..carried("s", upstream)
    }
}

#[test]
fn legacy_sessions_belong_to_the_first_that_accepts() {
    let steps = [
        (post("b:1", 404), UNKNOWN),
        (post("c:1", 400), UNKNOWN),
        (post("a:1", 404), UNKNOWN),
        (post("c:1", 500), UNKNOWN),
        (post("a:1", 202), OPENED),
        (post("b:1", 404), UNKNOWN),
        (post("a:1", 202), KEPT),
    ];
    check(&steps, &[0, 1, 5]);
}

#[test]
fn a_delete_ends_it_but_for_streams_that_began_before() {
    let delete = |status| Request {
        delete: true,
        status: Some(status),
        ..carried("s", "a:1")
    };
    let refused = Request {
        status: Some(404),
        ..carried("s", "b:1")
    };
    let steps = [
        (minted("s", "a:1"), OPENED),
        (delete(405), KEPT),
        (delete(200), KEPT),
        (delete(404), UNKNOWN),
        (refused, UNKNOWN),
        (carried("s", "a:1"), KEPT),
    ];
    check(&steps, &[]);
}

#[test]
fn a_failover_or_a_missing_upstream_is_not_judged() {
    let retried = Request {
        retried: true,
        ..carried("s", "b:1")
    };
    let nowhere = Request {
        upstream: None,
        ..carried("s", "")
    };
    let steps = [
        (minted("s", "a:1"), OPENED),
        (retried, UNKNOWN),
        (nowhere, UNKNOWN),
        (carried("s", "a:1"), KEPT),
    ];
    check(&steps, &[]);
}

#[test]
fn an_owner_that_left_is_no_miss() {
    let steps = [
        (minted("s", "a:1"), OPENED),
        (carried("s", "b:1"), UNKNOWN),
        (plain("b:1", 200), None),
        (carried("s", "c:1"), UNKNOWN),
    ];
    check(&steps, &[]);
}

#[test]
fn the_owner_s_answers_show_that_it_is_there() {
    let confirmed_by = |sign: Request<'_>, misses: &[u64]| {
        let steps = [
            (minted("s", "a:1"), OPENED),
            (carried("s", "b:1"), UNKNOWN),
            (sign, None),
        ];
        check(&steps, misses);
    };
    confirmed_by(plain("a:1", 200), &[1]);
    confirmed_by(plain("a:1", 405), &[1]);
    confirmed_by(plain("b:1", 200), &[]);
    confirmed_by(plain("a:1", 404), &[]);
    confirmed_by(plain("a:1", 499), &[]);
    confirmed_by(plain("a:1", 502), &[]);
    let stream = |completed| Request {
        stream: true,
        completed,
        ..plain("a:1", 200)
    };
    confirmed_by(stream(Some(true)), &[]);
    confirmed_by(stream(Some(false)), &[1]);
    confirmed_by(stream(None), &[1]);
    let unanswered = Request {
        upstream_headers: Some(false),
        ..plain("a:1", 200)
    };
    confirmed_by(unanswered, &[]);
}

#[test]
fn after_its_owner_failed_a_session_is_judged_when_it_is_seen_there_again() {
    let tried = Request {
        tried: Some(b"c:1, a:1"),
        retried: true,
        ..plain("b:1", 200)
    };
    let nobody = Request {
        status: Some(502),
        ..Request::default()
    };
    let own_error = Request {
        upstream_headers: Some(true),
        ..plain("a:1", 503)
    };
    let after = |failure: Request<'_>, misses: &[u64]| {
        let steps = [
            (minted("s", "a:1"), OPENED),
            (carried("s", "b:1"), UNKNOWN),
            (failure, None),
            (carried("s", "b:1"), UNKNOWN),
            (plain("a:1", 200), None),
            (carried("s", "b:1"), UNKNOWN),
            (plain("a:1", 200), None),
            (carried("s", "a:1"), KEPT),
            (carried("s", "b:1"), UNKNOWN),
            (plain("a:1", 200), None),
        ];
        check(&steps, misses);
    };
    for failure in [plain("a:1", 502), plain("a:1", 504), tried, nobody] {
        after(failure, &[8]);
    }
    for other in [plain("c:1", 502), own_error] {
        after(other, &[1, 3, 5, 8]);
    }
}

#[test]
fn a_stream_that_ends_is_no_proof_that_the_session_lives() {
    let stream = Request {
        stream: true,
        ..carried("s", "a:1")
    };
    let steps = [
        (minted("s", "a:1"), OPENED),
        (plain("a:1", 502), None),
        (stream, KEPT),
        (carried("s", "b:1"), UNKNOWN),
        (plain("a:1", 200), None),
    ];
    check(&steps, &[]);
}

#[test]
fn a_session_that_its_owner_does_not_know_is_gone() {
    let gone = Request {
        status: Some(404),
        ..carried("s", "a:1")
    };
    let steps = [
        (minted("s", "a:1"), OPENED),
        (carried("s", "b:1"), UNKNOWN),
        (gone, KEPT),
        (carried("s", "b:1"), UNKNOWN),
        (plain("a:1", 200), None),
    ];
    check(&steps, &[]);
}

#[test]
fn only_what_may_be_a_miss_waits() {
    let (mut table, now) = (table(8), start());
    let mut waits = |request: &Request<'_>| table.observe(now, request).unwrap().waits;
    let retried = Request {
        retried: true,
        ..carried("s", "b:1")
    };
    assert!(!waits(&minted("s", "a:1")) && !waits(&carried("s", "a:1")));
    assert!(!waits(&carried("t", "b:1")) && !waits(&retried));
    assert!(waits(&carried("s", "b:1")));
    let post = |id, status| Request {
        legacy: true,
        status: Some(status),
        ..carried(id, "b:1")
    };
    assert!(waits(&post("l", 404)) && !waits(&post("l", 500)) && !waits(&post("l", 202)));
}

#[test]
fn a_sign_that_comes_too_late_says_nothing() {
    for (late, misses) in [(CONFIRM, 1), (CONFIRM + Duration::from_secs(1), 0)] {
        let (mut table, now) = (table(8), start());
        table.observe(now, &minted("s", "a:1"));
        table.observe(now, &carried("s", "b:1"));
        table.observe(now + late, &plain("a:1", 200));
        assert_eq!(table.confirmed().count(), misses);
    }
}

#[test]
fn what_waits_and_what_failed_is_bounded() {
    let (mut table, now) = (table(8), start());
    table.observe(now, &minted("s", "a:1"));
    let suspect = carried("s", "b:1");
    let evicted = (0..4097).map(|_| table.observe(now, &suspect).unwrap().evicted);
    assert_eq!(evicted.filter(|evicted| *evicted).count(), 1);
    table.observe(now, &plain("a:1", 200));
    assert_eq!(table.confirmed().count(), 1);
    for n in 0..3000 {
        table.observe(now, &plain(&format!("10.0.0.1:{n}"), 502));
        assert!(table.failed.len() <= FAILED_MAX);
    }
    assert!(table.all_failed > 0);
}

#[test]
fn the_longest_idle_is_evicted() {
    let (mut table, now) = (table(2), start());
    table.observe(now, &minted("a", "x:1"));
    table.observe(now, &minted("b", "x:1"));
    table.observe(now, &carried("a", "x:1"));
    let seen = table.observe(now, &minted("c", "x:1")).unwrap();
    assert!(seen.evicted);
    let verdict = |table: &mut Table, id| table.observe(now, &carried(id, "x:1")).unwrap().verdict;
    assert_eq!(verdict(&mut table, "a"), Verdict::Kept);
    assert_eq!(verdict(&mut table, "b"), Verdict::Unknown);
    assert_eq!(table.len(), 2);
}

#[test]
fn idle_sessions_expire_and_used_ones_stay() {
    let (mut table, now) = (table(8), start());
    table.observe(now, &minted("a", "x:1"));
    table.observe(now, &minted("b", "x:1"));
    table.observe(now + DEFAULT_IDLE, &carried("a", "x:1"));
    let later = now + DEFAULT_IDLE + Duration::from_secs(1);
    let a = table.observe(later, &carried("a", "x:1")).unwrap();
    let b = table.observe(later, &carried("b", "x:1")).unwrap();
    assert_eq!((a.verdict, b.verdict), (Verdict::Kept, Verdict::Unknown));
    assert_eq!(table.len(), 1);
}
