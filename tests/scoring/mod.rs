//! Logs of real proxies whose true reasons are known, replayed by time and scored: what Holter says
//! must be true or vague, never wrong beyond what a test lists with its justification.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(unreachable_pub, reason = "shared by test binaries")]

pub mod alike;

use std::collections::BTreeMap;
use std::hash::RandomState;
use std::io::Read;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use holter::access_log::event::{Event, LineKind};
use holter::access_log::reader::Reader;
use holter::access_log::streams::StreamRule;
use holter::access_log::{Format, Kind};
use holter::affinity::{DEFAULT_IDLE, DEFAULT_SESSIONS, Table, Verdict};
use holter::label::Label;
use holter::reason::Reason;
use serde::Deserialize;

/// What really happened to the request of a line.
#[derive(Deserialize)]
pub struct Truth {
    pub line: usize,
    pub kind: String,
    pub reason: Option<String>,
    /// Seconds since 1970.
    pub ended: f64,
    pub affinity_broken: Option<bool>,
}

/// What Holter said of one access line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub kind: Option<LineKind>,
    pub reason: Option<Reason>,
    pub verdict: Option<Verdict>,
}

/// Which of two logs that have grown is read first.
#[derive(Clone, Copy, Debug)]
pub enum First {
    Access,
    Error,
}

/// A line, when it was written in microseconds, and in which log.
pub struct Timed<'a> {
    pub at_us: i64,
    pub is_access: bool,
    pub line: &'a str,
}

pub fn golden(name: &str) -> String {
    let path = format!("tests/golden/access_log/{name}.gz");
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

pub fn truth(name: &str) -> Vec<Truth> {
    let text = golden(name);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

pub fn compile(kind: Kind, text: &str) -> Format {
    Format::compile(kind, text).unwrap()
}

pub fn reader(format: &Format, has_error_log: bool) -> Reader {
    let sessions = Table::new(RandomState::new(), DEFAULT_SESSIONS, DEFAULT_IDLE);
    Reader::new(
        format.clone(),
        StreamRule::default(),
        has_error_log,
        sessions,
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "a replay needs some moment to begin"
)]
pub fn start() -> Instant {
    Instant::now()
}

/// An access log's lines with their times. Lines are written when requests end: where only the
/// beginning is logged, a line is at least as late as every line before it.
pub fn access<'a>(format: &Format, text: &'a str) -> Vec<Timed<'a>> {
    let mut latest = i64::MIN;
    let timed = text.lines().map(|line| {
        let record = format.parse(line.as_bytes()).unwrap();
        let ms = record.ended.or(record.started).unwrap().unix_ms;
        latest = latest.max(record.ended_us.unwrap_or(ms * 1000));
        Timed {
            at_us: latest,
            is_access: true,
            line,
        }
    });
    timed.collect()
}

/// Two logs as a sidecar that looks at both every so often reads them: what grew in the same
/// period is read log by log.
pub fn in_turns<'a>(mut lines: Vec<Timed<'a>>, period_us: i64, first: First) -> Vec<Timed<'a>> {
    lines.sort_by_key(|line| {
        let later = match first {
            First::Access => !line.is_access,
            First::Error => line.is_access,
        };
        (line.at_us.div_euclid(period_us), later)
    });
    lines
}

/// Reads the lines; gives what was said of each access line, in the order of the access log.
pub fn replay(reader: &mut Reader, lines: &[Timed<'_>]) -> Vec<Said> {
    let (begin, origin) = (start(), lines.first().map_or(0, |line| line.at_us));
    let (mut said, mut out, mut latest) = (Vec::<Said>::new(), Vec::new(), 0);
    for line in lines {
        latest = latest.max(line.at_us - origin);
        let now = begin + Duration::from_micros(u64::try_from(latest).unwrap());
        if !line.is_access {
            reader.error(now, line.line.as_bytes(), &mut out);
            continue;
        }
        let kind = reader.access(now, line.line.as_bytes(), &mut out);
        said.push(Said {
            kind: Some(kind),
            reason: None,
            verdict: None,
        });
    }
    reader.finish(&mut out);
    for event in out {
        match event {
            Event::StreamClosed(closed) => {
                let at = usize::try_from(closed.line).unwrap() - 1;
                assert_eq!(said[at].reason, None, "closed twice");
                said[at].reason = Some(closed.reason);
            }
            // A miss may become certain by a later line; the last word counts.
            Event::Session { line, verdict, .. } => {
                said[usize::try_from(line).unwrap() - 1].verdict = Some(verdict);
            }
            Event::Unparsed(kind) => panic!("unparsed: {kind}"),
            Event::JoinEvicted | Event::SessionsEvicted => panic!("evicted"),
            _ => {}
        }
    }
    said
}

/// How many streams there were, and of how many the exact reason or the class was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    pub streams: usize,
    pub exact: usize,
    pub class: usize,
    pub unknown: usize,
    /// Those that Holter did not call streams: misses, too.
    pub missed: usize,
}

impl Score {
    /// Per cent of the streams.
    pub fn percent(self, of: usize) -> f64 {
        100.0 * of as f64 / self.streams as f64
    }

    /// Asserts so many per cent of the best that the format allows, for exact reasons and classes.
    pub fn reaches(self, title: &str, exact: f64, class: f64) {
        let got = (self.percent(self.exact), self.percent(self.class));
        assert!(
            got.0 >= 0.97 * exact && got.1 >= 0.97 * class,
            "{title}: {got:?}"
        );
    }
}

/// Compares and prints a confusion table; fails on any wrong reason that the log could have told, and
/// where a request that was none is called a stream. Every true stream counts.
pub fn score(
    title: &str,
    truths: &[Truth],
    said: &[Said],
    alike: impl Fn(&str, Reason) -> bool,
) -> Score {
    assert_eq!(truths.len(), said.len(), "{title}");
    let mut table = BTreeMap::<(&str, &str), usize>::new();
    let mut score = Score::default();
    for (truth, said) in truths.iter().zip(said) {
        assert_eq!(
            said.kind == Some(LineKind::Stream),
            said.reason.is_some(),
            "{title}: line {}",
            truth.line
        );
        let is_stream = truth.kind == "stream";
        assert!(
            is_stream || said.reason.is_none(),
            "{title}: line {}",
            truth.line
        );
        if !is_stream {
            continue;
        }
        score.streams += 1;
        let expected = truth.reason.as_deref().unwrap();
        let Some(reason) = said.reason else {
            score.missed += 1;
            *table.entry((expected, "no stream")).or_default() += 1;
            continue;
        };
        let exact = expected == reason.as_str();
        assert!(
            exact || reason == Reason::Unknown || alike(expected, reason),
            "{title}: line {} was {expected}, called {reason}",
            truth.line
        );
        let true_class = Reason::ALL
            .iter()
            .find(|known| known.as_str() == expected)
            .unwrap()
            .class();
        score.exact += usize::from(exact);
        score.class += usize::from(true_class == reason.class());
        score.unknown += usize::from(reason == Reason::Unknown);
        *table.entry((expected, reason.as_str())).or_default() += 1;
    }
    println!(
        "\n{title}: of {} streams exact {} ({:.0} %), right class {} ({:.0} %), unknown {}, no stream {}",
        score.streams,
        score.exact,
        score.percent(score.exact),
        score.class,
        score.percent(score.class),
        score.unknown,
        score.missed
    );
    for ((truth, said), count) in table {
        println!("  {truth:16} {said:16} {count:4}");
    }
    score
}

/// Compares what was said of sessions: no verdict may be wrong, and every miss must be found. Gives their
/// number.
pub fn misses(title: &str, truths: &[Truth], said: &[Said]) -> usize {
    let (mut broken, mut found) = (0, 0);
    for (truth, said) in truths.iter().zip(said) {
        let wrong = match said.verdict {
            Some(Verdict::Moved) => truth.affinity_broken != Some(true),
            Some(Verdict::Kept | Verdict::Opened) => truth.affinity_broken == Some(true),
            Some(Verdict::Unknown) | None => false,
        };
        assert!(!wrong, "{title} line {}: {:?}", truth.line, said.verdict);
        assert!(
            truth.affinity_broken != Some(true) || said.verdict == Some(Verdict::Moved),
            "{title} line {}",
            truth.line
        );
        broken += usize::from(truth.affinity_broken == Some(true));
        found += usize::from(said.verdict == Some(Verdict::Moved));
    }
    println!("{title}: {found} of {broken} misses found");
    found
}
