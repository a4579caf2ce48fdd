//! Logs of a real Caddy (2.6.2) whose true reasons are known, replayed by time.
//!
//! `tests/golden/access_log/caddy`: two access logs of one process, one with the upstream's address
//! as a response header, its runtime log, and for each access line what really happened.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scoring;

use holter::access_log::Kind;
use holter::access_log::caddy::runtime;
use holter::access_log::event::LineKind;
use holter::reason::Reason;
use scoring::{First, Said, Score, Timed};

const LOGS: [&str; 2] = ["json", "json_upstream"];

/// What was not the truth and yet is what the logs say, with the reason why.
const ACCEPTABLE: &[(&str, Reason)] = &[
    // Without its line in the runtime log, a 5xx is no more than that.
    ("connect_refused", Reason::Http5xx),
    ("connect_timeout", Reason::Http5xx),
    ("dns_error", Reason::Http5xx),
    ("no_upstream", Reason::Http5xx),
    ("idle_timeout", Reason::Http5xx),
    ("server_cut", Reason::Http5xx),
    ("server_reset", Reason::Http5xx),
    // Go knows only that the client is gone (`context canceled`), whether by FIN, RST, HTTP/2's reset,
    // by vanishing, or because the server's own write timeout closed its connection.
    ("client_reset", Reason::ClientClose),
    ("send_timeout", Reason::ClientClose),
    ("max_duration", Reason::ClientClose),
    // A body without length or chunks ends where the connection ends.
    ("server_cut", Reason::ServerClose),
    // Go tries again when a reused connection ends before headers; the killed server then refuses.
    ("server_cut", Reason::ConnectRefused),
];

fn runtime_lines(text: &str) -> Vec<Timed<'_>> {
    let timed = text.lines().map(|line| Timed {
        at_us: runtime::parse(line.as_bytes()).unwrap().at_us,
        is_access: false,
        line,
    });
    timed.collect()
}

fn replay(name: &str, runtime: &str, period_us: i64, first: First) -> Vec<Said> {
    let format = scoring::compile(Kind::Caddy, "json");
    let log = scoring::golden(&format!("caddy/{name}.log"));
    let mut lines = scoring::access(&format, &log);
    lines.extend(runtime_lines(runtime));
    let lines = scoring::in_turns(lines, period_us, first);
    let mut reader = scoring::reader(&format, !runtime.is_empty());
    scoring::replay(&mut reader, &lines)
}

fn score(title: &str, name: &str, said: &[Said]) -> Score {
    let truths = scoring::truth(&format!("caddy/{name}.truth.jsonl"));
    scoring::score(title, &truths, said, ACCEPTABLE)
}

#[test]
fn reasons_are_true_or_vague() {
    let runtime = scoring::golden("caddy/runtime.log");
    for name in LOGS {
        let alone = replay(name, "", 1, First::Error);
        score(&format!("{name} alone"), name, &alone);
        for period_us in [1, 200_000] {
            for first in [First::Access, First::Error] {
                let title = format!("{name} + runtime ({first:?} first, every {period_us} us)");
                let said = replay(name, &runtime, period_us, first);
                let score = score(&title, name, &said);
                score.reaches(&title, 83.0, 96.0);
                // The GET that was answered 405.
                assert_eq!((score.streams, score.missed), (132, 1), "{title}");
            }
        }
    }
}

/// Caddy's default logger writes both logs to one stream.
#[test]
fn both_logs_may_stand_in_one_file() {
    let runtime = scoring::golden("caddy/runtime.log");
    for name in LOGS {
        let format = scoring::compile(Kind::Caddy, "json");
        let log = scoring::golden(&format!("caddy/{name}.log"));
        let mut lines = scoring::access(&format, &log);
        lines.extend(runtime_lines(&runtime));
        let mut lines = scoring::in_turns(lines, 1, First::Error);
        let of_access: Vec<bool> = lines.iter().map(|line| line.is_access).collect();
        lines.iter_mut().for_each(|line| line.is_access = true);
        let said = scoring::replay(&mut scoring::reader(&format, false), &lines);
        let (access, others): (Vec<_>, Vec<_>) = said
            .into_iter()
            .zip(of_access)
            .partition(|(_, is_access)| *is_access);
        assert!(
            others
                .iter()
                .all(|(said, _)| said.kind == Some(LineKind::Ignored))
        );
        let access: Vec<Said> = access.into_iter().map(|(said, _)| said).collect();
        let title = format!("{name} with runtime in one file");
        score(&title, name, &access).reaches(&title, 83.0, 96.0);
    }
}

#[test]
fn affinity_is_true_or_unknown() {
    let truths = scoring::truth("caddy/json_upstream.truth.jsonl");
    let said = replay("json_upstream", "", 1, First::Error);
    let found = scoring::misses("json_upstream", &truths, &said);
    assert!(found == 22, "{found}");
}

#[test]
fn every_line_is_read() {
    let format = scoring::compile(Kind::Caddy, "json");
    for name in LOGS {
        for line in scoring::golden(&format!("caddy/{name}.log")).lines() {
            let record = format.parse(line.as_bytes()).unwrap();
            let request = record
                .method
                .and(record.path)
                .and(record.user_agent)
                .and(record.client);
            assert!(request.is_some() && record.client_port.is_some(), "{line}");
            assert!(
                record.ended_us.is_some() && record.duration.is_some() && record.status.is_some(),
                "{line}"
            );
        }
    }
}
