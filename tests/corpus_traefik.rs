//! Traefik's formats, by its documentation: no Traefik was there to be run.
//!
//! `tests/golden/access_log/traefik`: the same fifteen requests in each format, put together by hand from the
//! manual's list of fields ("Access logs"), and what `holter replay --each` must say of each line.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scoring;

use std::process::Command;

use holter::access_log::Kind;
use serde_json::Value;

/// The keys of an answer that are compared; a session's hash is each run's own.
const KEYS: [&str; 6] = [
    "line",
    "kind",
    "reason",
    "duration_seconds",
    "upstream",
    "affinity",
];

fn answers(format: &str) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_holter"))
        .args(["replay", "--each", "--format", "traefik"])
        .args(["--log-format", format])
        .arg(format!("tests/golden/access_log/traefik/{format}.log.gz"))
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*errors), (Some(0), ""), "{format}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let answer = |line| serde_json::from_str(line).unwrap();
    printed.lines().map(answer).collect()
}

#[test]
fn each_line_says_what_the_documentation_says_of_it() {
    for format in ["common", "genericCLF", "json"] {
        let expected = scoring::golden(&format!("traefik/{format}.truth.jsonl"));
        let answers = answers(format);
        assert_eq!(answers.len(), expected.lines().count(), "{format}");
        for (answer, expected) in answers.iter().zip(expected.lines()) {
            let expected: Value = serde_json::from_str(expected).unwrap();
            for key in KEYS {
                assert_eq!(answer[key], expected[key], "{format} {key}: {answer}");
            }
        }
    }
}

#[test]
fn every_line_is_read() {
    let requests = ["common", "genericCLF", "json"].map(|name| {
        let format = scoring::compile(Kind::Traefik, name);
        let log = scoring::golden(&format!("traefik/{name}.log"));
        let fields = log.lines().map(|line| {
            let record = format.parse(line.as_bytes()).unwrap();
            let owned = |raw: Option<&[u8]>| raw.map(<[u8]>::to_vec);
            let request = (
                owned(record.method),
                owned(record.path),
                owned(record.query),
            );
            let answer = (
                record.status,
                owned(record.client),
                owned(record.user_agent),
            );
            (
                request,
                answer,
                record.started.map(|started| started.unix_ms),
            )
        });
        fields.collect::<Vec<_>>()
    });
    assert_eq!(requests[0], requests[1]);
    assert_eq!(requests[0], requests[2]);
}
