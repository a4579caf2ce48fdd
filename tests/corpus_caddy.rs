//! Logs of a real Caddy (2.6.2) whose true reasons are known, replayed by time.
//!
//! `tests/golden/access_log/caddy`: two access logs of one process, one with the upstream's address
//! as a response header, its runtime log, and for each access line what really happened.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scoring;

use holter::access_log::Kind;
use holter::access_log::caddy::runtime;
use holter::access_log::event::LineKind;
use scoring::alike::{Knows, alike};
use scoring::{First, Said, Score, Timed};

const LOGS: [&str; 2] = ["json", "json_upstream"];

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

fn score(title: &str, name: &str, said: &[Said], errors: bool) -> Score {
    let truths = scoring::truth(&format!("caddy/{name}.truth.jsonl"));
    let knows = Knows {
        errors,
        ..Knows::default()
    };
    scoring::score(title, &truths, said, |truth, told| {
        alike(Kind::Caddy, knows, truth, told)
    })
}

#[test]
fn reasons_are_true_or_vague() {
    let runtime = scoring::golden("caddy/runtime.log");
    for name in LOGS {
        let alone = replay(name, "", 1, First::Error);
        score(&format!("{name} alone"), name, &alone, false);
        for period_us in [1, 200_000] {
            for first in [First::Access, First::Error] {
                let title = format!("{name} + runtime ({first:?} first, every {period_us} us)");
                let said = replay(name, &runtime, period_us, first);
                let score = score(&title, name, &said, true);
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
        score(&title, name, &access, true).reaches(&title, 83.0, 96.0);
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
