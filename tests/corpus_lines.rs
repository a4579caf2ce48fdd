//! Logs of a real HAProxy (2.6.12 and 3.0.11) and a real Envoy (1.40.0 and 1.36.2) whose true reasons
//! are known: what Holter says of a line must be true or vague, never wrong, and as exact as the
//! format allows.
//!
//! `tests/golden/access_log/{haproxy,envoy}`: one run of each proxy logged in several formats at once,
//! and for each line what really happened.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod scoring;

use std::collections::BTreeMap;
use std::hash::RandomState;
use std::io::Read;
use std::time::Instant;

use flate2::read::GzDecoder;
use holter::access_log::event::{Event, LineKind};
use holter::access_log::reader::Reader;
use holter::access_log::streams::StreamRule;
use holter::access_log::{Format, Kind};
use holter::affinity::{DEFAULT_IDLE, DEFAULT_SESSIONS, Table, Verdict};
use holter::label::Label;
use holter::reason::Reason;
use scoring::alike::{Knows, alike};
use serde::Deserialize;

/// A custom log-format of HAProxy that writes JSON.
const HAPROXY_JSON: &str = r#"log-format '{"time":"%tr","ci":"%ci","cp":%cp,"fe":"%f","be":"%b","srv":"%s","srv_addr":"%si:%sp","TR":%TR,"Tw":%Tw,"Tc":%Tc,"Tr":%Tr,"Td":%Td,"Ta":%Ta,"status":%ST,"bytes_read":%B,"bytes_uploaded":%U,"term":"%tsc","actconn":%ac,"srvconn":%sc,"retries":"%rc","srv_queue":%sq,"be_queue":%bq,"method":"%HM","path":"%HP","query":"%HQ","ver":"%HV","mcp_session_id":"%[capture.req.hdr(0),json(utf8s)]","resp_mcp_session_id":"%[capture.res.hdr(0),json(utf8s)]","req_id":"%[capture.req.hdr(1),json(utf8s)]","ua":"%[capture.req.hdr(2),json(utf8s)]"}'"#;

/// HAProxy's `option httplog` with its version.
const HTTPLOG_3: &str = "HAProxy version 3.0.11\noption httplog";

/// One format of one proxy, and what it can tell.
struct Case {
    kind: Kind,
    log: &'static str,
    format: &'static str,
    /// Share of streams, in percent, whose reason must be exact, and whose class must be right.
    exact: f64,
    class: f64,
    /// Whether it logs the sessions' headers, so that every miss of theirs must be found.
    affinity: bool,
}

/// The shares are 97 % of what the evidence in each format can tell at best (the reason that most
/// often goes with it). That of HAProxy 3.0 is lower than 2.6's: it writes `CD` for idle timeouts too.
const CASES: [Case; 15] = [
    haproxy("httplog", "httplog", 74.7, 89.2),
    haproxy("httplogcap", "httplog", 74.7, 89.2).with_sessions(),
    haproxy("json", HAPROXY_JSON, 74.7, 89.2).with_sessions(),
    haproxy("3.0/httplog", "httplog", 72.0, 86.0),
    haproxy("3.0/httplogcap", "httplog", 72.0, 86.0).with_sessions(),
    haproxy("3.0/json", HAPROXY_JSON, 72.0, 86.0).with_sessions(),
    haproxy("3.0/httplog", HTTPLOG_3, 48.5, 56.0),
    envoy("default", "default", 70.8, 85.3),
    envoy("istio", "istio", 82.4, 95.0),
    envoy("json", "json", 82.4, 95.0).with_sessions(),
    envoy("1.36/default", "default", 70.8, 85.3),
    envoy("1.36/istio", "istio", 82.4, 95.0),
    envoy("1.36/json", "json", 82.4, 95.0).with_sessions(),
    haproxy("mixed", "httplog", 74.7, 89.2),
    haproxy("3.0/mixed", "httplog", 72.0, 86.0),
];

const fn haproxy(log: &'static str, format: &'static str, exact: f64, class: f64) -> Case {
    let (kind, affinity) = (Kind::HaProxy, false);
    Case {
        kind,
        log,
        format,
        exact,
        class,
        affinity,
    }
}

const fn envoy(log: &'static str, format: &'static str, exact: f64, class: f64) -> Case {
    Case {
        kind: Kind::Envoy,
        ..haproxy(log, format, exact, class)
    }
}

impl Case {
    const fn with_sessions(self) -> Self {
        Self {
            affinity: true,
            ..self
        }
    }
}

#[derive(Deserialize)]
struct Truth {
    line: usize,
    kind: String,
    reason: Option<String>,
    affinity_broken: Option<bool>,
}

impl Case {
    fn golden(&self, what: &str) -> String {
        let path = format!(
            "tests/golden/access_log/{}/{}.{what}.gz",
            self.kind, self.log
        );
        let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut text = String::new();
        GzDecoder::new(file).read_to_string(&mut text).unwrap();
        text
    }

    fn title(&self) -> String {
        let format: String = self.format.chars().take(24).collect();
        format!("{} {} as {format:?}", self.kind, self.log)
    }

    fn format(&self) -> Format {
        Format::compile(self.kind, self.format)
            .unwrap_or_else(|error| panic!("{}: {error}", self.title()))
    }

    fn reader(&self) -> Reader {
        let sessions = Table::new(RandomState::new(), DEFAULT_SESSIONS, DEFAULT_IDLE);
        Reader::new(self.format(), StreamRule::default(), false, sessions)
    }

    /// The lines that are requests, with what is true of them.
    fn lines<'a>(&self, log: &'a str) -> Vec<(&'a str, Truth)> {
        let lines: Vec<_> = log.lines().collect();
        let truths = self.golden("truth.jsonl");
        let truths = truths
            .lines()
            .map(|line| serde_json::from_str::<Truth>(line).unwrap());
        truths.map(|truth| (lines[truth.line - 1], truth)).collect()
    }
}

/// Whether the log cannot tell them apart.
fn indistinct(case: &Case, truth: &str, told: Reason) -> bool {
    let knows = Knows {
        details: !case.log.ends_with("default"),
        newer: case.log.starts_with("3.0/") && case.format != HTTPLOG_3,
        ..Knows::default()
    };
    truth == told.as_str() || told == Reason::Unknown || alike(case.kind, knows, truth, told)
}

fn class(reason: &str) -> &'static str {
    let known = Reason::ALL.iter().find(|known| known.as_str() == reason);
    known.unwrap().class().as_str()
}

/// Why a line's stream ended; `None` where it is called none.
fn told(reader: &mut Reader, line: &str) -> (LineKind, Option<Reason>) {
    let mut out = Vec::new();
    let kind = reader.access(start(), line.as_bytes(), &mut out);
    let reason = out.iter().find_map(|event| match event {
        Event::StreamClosed(closed) => Some(closed.reason),
        _ => None,
    });
    (kind, reason)
}

#[test]
fn reasons_are_true_or_vague() {
    for case in &CASES {
        let (mut reader, title, log) = (case.reader(), case.title(), case.golden("log"));
        let mut table = BTreeMap::<(String, &str), usize>::new();
        let (mut streams, mut exact, mut right, mut unknown, mut missed) = (0, 0, 0, 0, 0);
        for (line, truth) in case.lines(&log) {
            let (kind, said) = told(&mut reader, line);
            if kind == LineKind::Unparsed {
                assert!(case.log.ends_with("mixed"), "{title}: {line}");
                continue;
            }
            if truth.kind != "stream" {
                continue;
            }
            streams += 1;
            let reason = truth.reason.unwrap();
            let Some(said) = said else {
                // The GET that was answered 405.
                assert_eq!(
                    reason, "http_4xx",
                    "{title}: line {} is no stream",
                    truth.line
                );
                missed += 1;
                *table.entry((reason, "no stream")).or_default() += 1;
                continue;
            };
            assert!(
                indistinct(case, &reason, said),
                "{title}: line {} was {reason}, called {said}",
                truth.line
            );
            exact += usize::from(reason == said.as_str());
            right += usize::from(class(&reason) == said.class().as_str());
            unknown += usize::from(said == Reason::Unknown);
            *table.entry((reason, said.as_str())).or_default() += 1;
        }
        let percent = |count: usize| 100.0 * count as f64 / streams as f64;
        println!(
            "\n{title}: {streams} streams, {:.1} % exact, {:.1} % right class, {:.1} % unknown, {} of another class, {missed} no stream",
            percent(exact),
            percent(right),
            percent(unknown),
            streams - right - unknown - missed
        );
        for ((truth, said), count) in table {
            println!("  {truth:16} {said:16} {count:4}");
        }
        assert!(
            percent(exact) >= case.exact,
            "{title}: only {:.1} % exact",
            percent(exact)
        );
        assert!(
            percent(right) >= case.class,
            "{title}: only {:.1} % right",
            percent(right)
        );
    }
}

/// What is said of each line's session in the end: a miss may become certain by a later line.
fn verdicts(reader: &mut Reader, lines: &[(&str, Truth)]) -> Vec<Option<Verdict>> {
    let (mut said, mut out) = (Vec::new(), Vec::new());
    for (line, _) in lines {
        said.push(None);
        reader.access(start(), line.as_bytes(), &mut out);
    }
    reader.finish(&mut out);
    for event in out {
        if let Event::Session { line, verdict, .. } = event {
            said[usize::try_from(line).unwrap() - 1] = Some(verdict);
        }
    }
    said
}

#[test]
fn affinity_is_decided_as_it_was() {
    for case in &CASES {
        let (mut reader, log, title) = (case.reader(), case.golden("log"), case.title());
        let (mut moved, mut broken) = (0, 0);
        let lines = case.lines(&log);
        for ((_, truth), verdict) in lines.iter().zip(verdicts(&mut reader, &lines)) {
            let wrong = match verdict {
                Some(Verdict::Moved) => truth.affinity_broken != Some(true),
                Some(Verdict::Kept | Verdict::Opened) => truth.affinity_broken != Some(false),
                Some(Verdict::Unknown) | None => false,
            };
            assert!(
                !wrong,
                "{title}: line {} was {:?}, called {verdict:?}",
                truth.line, truth.affinity_broken
            );
            broken += usize::from(truth.affinity_broken == Some(true) && case.affinity);
            moved += usize::from(verdict == Some(Verdict::Moved));
        }
        println!("{title}: {moved} of {broken} misses found");
        assert!(moved >= broken, "{title}: some were missed");
    }
}

/// Every line is a request, a stream or a message of the proxy's own, and each stream has its end.
#[test]
fn every_line_is_understood() {
    for case in &CASES {
        let (mut reader, log, title) = (case.reader(), case.golden("log"), case.title());
        let (mut streams, mut requests, mut ignored) = (0, 0, 0);
        for (line, truth) in case.lines(&log) {
            let mut out = Vec::new();
            match reader.access(start(), line.as_bytes(), &mut out) {
                LineKind::Stream => {
                    streams += 1;
                    assert_eq!(truth.kind, "stream", "{title}: {line}");
                    let ends = out
                        .iter()
                        .filter(|event| matches!(event, Event::StreamClosed(_)));
                    assert_eq!(ends.count(), 1, "{title}: {line}");
                }
                LineKind::Request => {
                    requests += 1;
                    let message = truth.kind == "not_a_request" && !line.contains("<BADREQ>");
                    assert!(!message, "{title}: {line}");
                }
                LineKind::Ignored => {
                    ignored += 1;
                    assert_eq!(truth.kind, "not_a_request", "{title}: {line}");
                }
                // Three formats share this output.
                LineKind::Unparsed if case.log.ends_with("mixed") => {
                    assert!(line.starts_with('{'), "{line}")
                }
                LineKind::Unparsed => panic!("{title}: {line}"),
            }
        }
        println!("{title}: {streams} streams, {requests} requests, {ignored} messages");
        assert!(streams > 100 && requests > 100, "{title}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a replay needs some moment to begin"
)]
fn start() -> Instant {
    Instant::now()
}
