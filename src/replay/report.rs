//! What a replay found, as data: `--output json` is this, [`super::text`] draws it.
//!
//! It does not read logs; what it is given was counted in [`super::tally`]. Session ids, paths and
//! clients are not in it.

use serde::Serialize;

use super::ages::{Ages, BOUNDS};
use super::clusters;
use super::tally::{Counts, Tally};
use crate::affinity::Verdict;
use crate::label::Label;
use crate::reason::Class;
use crate::verdict::settings::{self, Setting};

/// The whole report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The files, in the order of the command line, access logs first.
    pub files: Vec<File>,
    /// Access lines by kind.
    pub lines: Lines,
    /// The error log's lines; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_lines: Option<ErrorLines>,
    /// Why streams ended, most frequent first.
    pub reasons: Vec<Share>,
    /// How long they lived.
    pub lifetimes: Lifetimes,
    /// Ages that repeat.
    pub clusters: Vec<Cluster>,
    /// Ends by upstream, busiest first.
    pub upstreams: Vec<Upstream>,
    /// Whether sessions stayed on their replica.
    pub affinity: Affinity,
    /// What became of sessions.
    pub sessions: Sessions,
    /// What the log format cannot tell.
    pub limits: Vec<String>,
    /// What the logs do not cover, and caps that were reached.
    pub gaps: Vec<String>,
}

/// One file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct File {
    /// Its name, as given.
    pub file: String,
    /// `access` or `error`.
    pub log: &'static str,
    /// Lines in it.
    pub lines: u64,
    /// Bytes in it, unpacked.
    pub bytes: u64,
    /// Its earliest time, RFC 3339 in UTC.
    pub first: Option<String>,
    /// Its latest.
    pub last: Option<String>,
}

/// Access lines by kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the kinds' own names")]
pub struct Lines {
    pub total: u64,
    pub stream: u64,
    pub request: u64,
    pub ignored: u64,
    pub unparsed: u64,
    /// By what is wrong with them.
    pub unparsed_by_kind: Vec<Kind>,
    /// The first that is not understood; absent where all are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_unparsed: Option<Place>,
}

impl Lines {
    /// Whether the format is hardly the one that these lines are written in.
    pub fn are_mostly_unparsed(&self) -> bool {
        2 * self.unparsed > self.total
    }
}

/// Where a line stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file's name, as given.
    pub file: String,
    /// The line's number in it, from 1.
    pub line: u64,
}

/// A kind of damage, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "said above")]
pub struct Kind {
    pub kind: &'static str,
    pub count: u64,
}

/// The error log's lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorLines {
    /// All.
    pub total: u64,
    /// Those not understood.
    pub unparsed: u64,
}

/// One reason's part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Share {
    /// The reason.
    pub reason: &'static str,
    /// Its class.
    pub class: &'static str,
    /// How many ends.
    pub count: u64,
    /// Of all ends, from 0 to 1.
    pub share: f64,
}

/// How long streams lived.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lifetimes {
    /// Ends whose age is logged.
    pub known: u64,
    /// From the first bucket that is not empty to the last.
    pub buckets: Vec<Bucket>,
}

/// Ends of an age from one bound up to, and without, the next.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "said above")]
pub struct Bucket {
    pub from_seconds: f64,
    /// `None`: no bound.
    pub to_seconds: Option<f64>,
    pub count: u64,
}

/// Ends of one reason that repeat at one age.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cluster {
    /// The reason.
    pub reason: &'static str,
    /// The age.
    pub seconds: f64,
    /// How many at this age.
    pub count: u64,
    /// Of so many of this reason.
    pub of: u64,
    /// Settings that may be behind it.
    pub candidates: Vec<Candidate>,
}

/// A setting that may be behind a cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// The setting.
    #[serde(flatten)]
    pub setting: Setting,
    /// Whether the age is its default; else it would have to be set.
    pub is_default: bool,
}

/// Ends at one upstream, by class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the classes' own names")]
pub struct Upstream {
    pub upstream: String,
    pub planned: u64,
    pub client: u64,
    pub abnormal: u64,
    pub unknown: u64,
}

/// Whether sessions stayed on their replica.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Affinity {
    /// Requests whose session's owner and whose upstream are known.
    pub requests: u64,
    /// Those that went elsewhere.
    pub misses: u64,
    /// Misses by requests; absent where there is no request.
    pub share: Option<f64>,
}

/// What became of sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sessions {
    /// Opened by an upstream.
    pub opened: u64,
    /// Deleted by their client.
    pub deleted: u64,
    /// Requests answered 404 or 400: the session was not known there.
    pub unknown: u64,
}

/// What the report needs beside the counts.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The proxy's name, as settings know it.
    pub product: &'static str,
    /// The files.
    pub files: Vec<File>,
    /// Whether an error log was read.
    pub has_error_log: bool,
    /// What the format cannot tell.
    pub limits: Vec<String>,
    /// What the logs do not cover.
    pub gaps: Vec<String>,
}

impl Report {
    /// The report of these counts.
    pub fn new(tally: &Tally, context: Context) -> Self {
        let (requests, misses) = tally.affinity();
        Self {
            lines: lines(tally, &context.files),
            files: context.files,
            error_lines: context.has_error_log.then_some(ErrorLines {
                total: tally.error_lines,
                unparsed: tally.error_unparsed,
            }),
            reasons: reasons(tally),
            lifetimes: lifetimes(&tally.ages),
            clusters: found_clusters(tally, context.product),
            upstreams: upstreams(tally),
            affinity: Affinity {
                requests,
                misses,
                share: (requests > 0).then(|| ratio(misses, requests)),
            },
            sessions: Sessions {
                opened: tally.verdicts.of(Verdict::Opened),
                deleted: tally.deleted,
                unknown: tally.unknown,
            },
            limits: context.limits,
            gaps: context.gaps,
        }
    }
}

fn lines(tally: &Tally, files: &[File]) -> Lines {
    use crate::access_log::event::LineKind;
    let kind = |(kind, count): (crate::access_log::UnparsedKind, u64)| Kind {
        kind: kind.as_str(),
        count,
    };
    Lines {
        total: tally.kinds.total(),
        stream: tally.kinds.of(LineKind::Stream),
        request: tally.kinds.of(LineKind::Request),
        ignored: tally.kinds.of(LineKind::Ignored),
        unparsed: tally.kinds.of(LineKind::Unparsed),
        unparsed_by_kind: tally.unparsed.seen().map(kind).collect(),
        first_unparsed: tally.first_unparsed.map(|(at, line)| Place {
            file: files
                .get(at)
                .map_or_else(String::new, |file| file.file.clone()),
            line,
        }),
    }
}

fn reasons(tally: &Tally) -> Vec<Share> {
    let total = tally.reasons.total();
    let mut shares: Vec<_> = (tally.reasons.seen())
        .map(|(reason, count)| Share {
            reason: reason.as_str(),
            class: reason.class().as_str(),
            count,
            share: ratio(count, total),
        })
        .collect();
    shares.sort_by_key(|share| std::cmp::Reverse(share.count));
    shares
}

/// The buckets between the outermost that hold anything.
fn lifetimes(ages: &Ages) -> Lifetimes {
    let counts = ages.buckets();
    let first = counts.iter().position(|count| *count > 0);
    let last = counts.iter().rposition(|count| *count > 0);
    let range = first
        .zip(last)
        .map_or(0..0, |(first, last)| first..last + 1);
    let bound = |at: usize| BOUNDS.get(at).copied();
    let buckets = range.map(|at| Bucket {
        from_seconds: at.checked_sub(1).and_then(bound).unwrap_or(0.0),
        to_seconds: bound(at),
        count: counts.get(at).copied().unwrap_or(0),
    });
    Lifetimes {
        known: ages.total(),
        buckets: buckets.collect(),
    }
}

/// The clusters of all reasons, largest first.
fn found_clusters(tally: &Tally, product: &str) -> Vec<Cluster> {
    let of_reason = |(reason, ages): &(crate::reason::Reason, Ages)| {
        let (reason, of) = (*reason, ages.total());
        let found = clusters::clusters(ages).into_iter();
        found.map(move |found| Cluster {
            reason: reason.as_str(),
            seconds: (found.seconds * 1000.0).round() / 1000.0,
            count: found.count,
            of,
            candidates: settings::candidates(product, reason, found.seconds)
                .into_iter()
                .map(|setting| Candidate {
                    setting,
                    is_default: setting.is_default(found.seconds),
                })
                .collect(),
        })
    };
    let mut all: Vec<_> = tally.by_reason.iter().flat_map(of_reason).collect();
    all.sort_by_key(|cluster| std::cmp::Reverse(cluster.count));
    all
}

fn upstreams(tally: &Tally) -> Vec<Upstream> {
    let row = |(name, counts): &(Box<str>, Counts<Class>)| Upstream {
        upstream: name.to_string(),
        planned: counts.of(Class::Planned),
        client: counts.of(Class::Client),
        abnormal: counts.of(Class::Abnormal),
        unknown: counts.of(Class::Unknown),
    };
    let total = |counts: &Counts<Class>| std::cmp::Reverse(counts.total());
    let mut sorted: Vec<_> = tally.upstreams.iter().collect();
    sorted.sort_by(|(a, x), (b, y)| total(x).cmp(&total(y)).then(a.cmp(b)));
    sorted.into_iter().map(row).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a share, shown as a percentage")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}
