//! Holter as a guest: never more than configured, gone when asked, as patient as it is told.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use super::host::{Guestbook, Host, Mood, clock};
use super::support::eventually;
use super::support::holter::Holter;

fn visit(host: &Host, streams: usize) -> Holter {
    visit_by(host, "direct", "streamable_http", streams)
}

fn visit_by(host: &Host, leg: &str, transport: &str, streams: usize) -> Holter {
    Holter::start(&format!(
        "canaries:\n\
         \x20 - name: guest\n\
         \x20   {leg}: http://{}/mcp\n\
         \x20   transport: {transport}\n\
         \x20   streams: {streams}\n\
         \x20   max_age: 2s\n\
         \x20   affinity: {{ interval: 1s, requests: 4 }}\n",
        host.address
    ))
}

#[test]
fn never_more_streams_or_sessions_than_configured_and_all_of_them_given_back() {
    const STREAMS: usize = 4;
    let host = Host::start(Mood::Well);
    let mut holter = visit(&host, STREAMS);
    // Each stream is renewed several times, which is when a second one could be open beside it.
    eventually("renewed streams", || {
        let opened = host.read(|book| book.opened.len());
        (opened >= 4 * STREAMS)
            .then_some(())
            .ok_or_else(|| opened.to_string())
    });
    let asked = clock();
    holter.terminate();
    let last = eventually("a DELETE for each session", || {
        host.read(|book| {
            let open = (book.streams, book.sessions.len());
            let last = book.last_deleted.filter(|_| open == (0, 0));
            last.ok_or_else(|| format!("{open:?} streams and sessions open"))
        })
    });
    assert!(last - asked < Duration::from_secs(2), "{:?}", last - asked);
    assert_eq!(holter.wait_for_exit().code(), Some(0));
    host.read(|book| {
        assert_eq!(book.most_sessions, STREAMS);
        assert_eq!(book.most_streams, STREAMS);
        assert_eq!((book.minted as usize, book.deleted), (STREAMS, STREAMS));
        let agents: Vec<&String> = book.agents.keys().collect();
        assert_eq!(agents, [&format!("holter/{}", env!("CARGO_PKG_VERSION"))]);
    });
}

/// A host, whether its replicas take turns, and the guest's leg and transport.
type Visit = (Mood, bool, &'static str, &'static str);

#[test]
fn whatever_the_host_does_no_session_is_left_behind() {
    let visits: [Visit; 9] = [
        (Mood::Refuses(404), false, "direct", "streamable_http"),
        (Mood::Refuses(409), false, "direct", "streamable_http"),
        (Mood::Refuses(500), false, "direct", "auto"),
        (Mood::Refuses(409), true, "proxy", "streamable_http"),
        (Mood::Cuts, false, "direct", "auto"),
        (Mood::Cuts, true, "proxy", "auto"),
        (Mood::Breaks, false, "direct", "auto"),
        (Mood::Breaks, true, "proxy", "streamable_http"),
        (Mood::Well, true, "proxy", "auto"),
    ];
    thread::scope(|scope| {
        for visit in visits {
            scope.spawn(move || leaves_nothing_behind(visit));
        }
    });
}

fn leaves_nothing_behind((mood, takes_turns, leg, transport): Visit) {
    const STREAMS: usize = 2;
    let host = Host::start(mood);
    host.read(|book| book.takes_turns = takes_turns);
    let mut holter = visit_by(&host, leg, transport, STREAMS);
    let gives_up = matches!(mood, Mood::Refuses(_) | Mood::Breaks);
    eventually("sessions given up, or streams renewed", || {
        let seen = host.read(|book| (book.minted as usize, book.opened.len()));
        let enough = if gives_up { seen.0 } else { seen.1 } >= 2 * STREAMS;
        enough.then_some(()).ok_or_else(|| format!("{seen:?}"))
    });
    holter.terminate();
    holter.wait_for_exit();
    let case = format!("{leg} {transport}, turns {takes_turns}, gives up {gives_up}");
    host.read(|book| {
        assert_eq!(book.sessions, BTreeSet::new(), "{case}");
        assert_eq!(book.minted as usize, book.deleted, "{case}");
        assert!(
            book.most_sessions <= STREAMS,
            "{case}: {}",
            book.most_sessions
        );
        assert!(
            book.most_streams <= STREAMS,
            "{case}: {}",
            book.most_streams
        );
    });
}

#[test]
fn the_pause_that_a_stream_asks_for_is_kept() {
    let host = Host::start(Mood::Retry);
    let _holter = visit(&host, 1);
    let opened = second(&host, |book| &book.opened);
    assert!(opened >= Duration::from_millis(2900), "{opened:?}");
}

#[test]
fn a_host_that_is_busy_is_left_alone_for_as_long_as_it_says() {
    let host = Host::start(Mood::Busy);
    let _holter = visit(&host, 1);
    let asked = second(&host, |book| &book.initialized);
    assert!(asked >= Duration::from_millis(2900), "{asked:?}");
}

/// The time between the first and the second of these.
fn second(host: &Host, of: impl Fn(&Guestbook) -> &Vec<Instant>) -> Duration {
    eventually("another try", || {
        host.read(|book| match of(book)[..] {
            [first, second, ..] => Ok(second - first),
            ref tries => Err(format!("{} tries", tries.len())),
        })
    })
}
