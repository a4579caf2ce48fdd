//! `holter_log_*`: what a proxy's logs show of its clients' streams.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::{Histogram, HistogramVec, LIFETIMES, PerLabel, timestamp};
use crate::access_log::UnparsedKind;
use crate::access_log::event::{Closed, Event};
use crate::affinity::Verdict;
use crate::label::{Label, label};
use crate::reason::{Class, Reason};
use crate::tail::{FileError, LossCause, RotationKind};

/// How many upstream addresses of one source become label values; the rest is `other`.
const UPSTREAMS_MAX: usize = 16;
/// Streams by upstream: the family whose labels are not all known at the start.
pub(super) const UPSTREAM_CLOSED: &str = "holter_log_upstream_streams_closed_total";
/// The label value beyond that.
const OTHER: &str = "other";

label! {
    /// The family whose cap was reached: what the cap makes less exact.
    enum Capped {
        /// Upstream addresses beyond the cap are counted as `other`.
        Upstreams => "holter_log_upstream_streams_closed_total",
        /// A session was forgotten before it was idle for long: its next request is not judged.
        Sessions => "holter_log_session_requests_total",
        /// A syslog connection beyond the cap was closed unread.
        Connections => "holter_log_lines_total",
        /// More files match than are looked at: what they hold is not counted as lost.
        Files => "holter_log_bytes_lost_total",
        /// A stream was decided without waiting for the error log.
        Join => "holter_log_streams_closed_total",
    }
}

/// The families, without series.
#[derive(Debug)]
pub(super) struct Families {
    lines: IntCounterVec,
    bytes: IntCounterVec,
    unparsed: IntCounterVec,
    closed: IntCounterVec,
    duration: HistogramVec,
    upstream_closed: IntCounterVec,
    session_requests: IntCounterVec,
    misses: IntCounterVec,
    opened: IntCounterVec,
    deleted: IntCounterVec,
    unknown: IntCounterVec,
    lag: IntGaugeVec,
    last_line: GaugeVec,
    rotations: IntCounterVec,
    lost: IntCounterVec,
    file_errors: IntCounterVec,
    dropped: IntCounterVec,
    capped: Arc<PerLabel<Capped>>,
}

impl Families {
    #[expect(clippy::too_many_lines, reason = "a table: one entry a family")]
    pub(super) fn register(all: &mut super::Families) -> Self {
        const SOURCE: &[&str] = &["source"];
        let mut counter = |name: &str, help: &str| all.counter(name, help, SOURCE);
        let lines = counter(
            "holter_log_lines_total",
            "Lines read of the access and error logs.",
        );
        let bytes = counter(
            "holter_log_bytes_total",
            "Bytes read of the access and error logs.",
        );
        let session_requests = counter(
            "holter_log_session_requests_total",
            "Requests that carried a session whose owner and upstream are known.",
        );
        let misses = counter(
            "holter_log_session_affinity_misses_total",
            "Those of them that went to another upstream than the session's owner.",
        );
        let opened = counter(
            "holter_log_sessions_opened_total",
            "Sessions that an upstream opened.",
        );
        let deleted = counter(
            "holter_log_sessions_deleted_total",
            "Sessions that a client deleted.",
        );
        let unknown = counter(
            "holter_log_sessions_unknown_total",
            "Requests with a session that were answered 404 or 400: the id was not known there.",
        );
        let capped = all.counter(
            "holter_series_dropped_total",
            "Times that a cap was reached, by the metric that it makes less exact.",
            &["metric"],
        );
        Self {
            lines,
            bytes,
            session_requests,
            misses,
            opened,
            deleted,
            unknown,
            unparsed: all.counter(
                "holter_log_lines_unparsed_total",
                "Lines that were not understood, by kind.",
                &["source", "kind"],
            ),
            closed: all.counter(
                "holter_log_streams_closed_total",
                "Clients' streams that ended, as the proxy saw it, by reason and its class.",
                &["source", "reason", "class"],
            ),
            duration: all.histogram(
                "holter_log_stream_duration_seconds",
                "Age of clients' streams at their end.",
                SOURCE,
                LIFETIMES,
            ),
            upstream_closed: all.counter(
                UPSTREAM_CLOSED,
                "Clients' streams that ended, by upstream address as the proxy writes it and by class.",
                &["source", "upstream", "class"],
            ),
            lag: all.int_gauge("holter_log_lag_bytes", "Bytes written to the logs and not yet read.", SOURCE),
            last_line: all.gauge(
                "holter_log_last_line_timestamp_seconds",
                "When the newest line was read; 0 before the first.",
                SOURCE,
            ),
            rotations: all.counter(
                "holter_log_rotations_total",
                "Log files that were rotated away, by kind.",
                &["source", "kind"],
            ),
            lost: all.counter(
                "holter_log_bytes_lost_total",
                "Bytes of the logs that gave no line, by cause.",
                &["source", "cause"],
            ),
            file_errors: all.counter(
                "holter_log_file_errors_total",
                "Tries to open or read a log file or its folder that failed, by error.",
                &["source", "error"],
            ),
            dropped: all.counter(
                "holter_log_datagrams_dropped_total",
                "Datagrams of syslog over UDP that the kernel dropped before they were read.",
                SOURCE,
            ),
            capped: Arc::new(PerLabel::new(|metric: Capped| capped.with_label_values(&[metric.as_str()]))),
        }
    }

    /// Creates every series of one source; those of upstreams come with their first stream.
    pub(super) fn source(&self, name: &str) -> SourceMetrics {
        let counter = |family: &IntCounterVec| family.with_label_values(&[name]);
        SourceMetrics {
            name: name.to_owned(),
            lines: counter(&self.lines),
            bytes: counter(&self.bytes),
            unparsed: PerLabel::new(|kind: UnparsedKind| {
                self.unparsed.with_label_values(&[name, kind.as_str()])
            }),
            closed: PerLabel::new(|reason: Reason| {
                self.closed
                    .with_label_values(&[name, reason.as_str(), reason.class().as_str()])
            }),
            duration: self.duration.with_label_values(&[name]),
            upstream_closed: self.upstream_closed.clone(),
            upstreams: Mutex::default(),
            session_requests: counter(&self.session_requests),
            misses: counter(&self.misses),
            opened: counter(&self.opened),
            deleted: counter(&self.deleted),
            unknown: counter(&self.unknown),
            lag: self.lag.with_label_values(&[name]),
            last_line: self.last_line.with_label_values(&[name]),
            rotations: PerLabel::new(|kind: RotationKind| {
                self.rotations.with_label_values(&[name, kind.as_str()])
            }),
            lost: PerLabel::new(|cause: LossCause| {
                self.lost.with_label_values(&[name, cause.as_str()])
            }),
            file_errors: PerLabel::new(|error: FileError| {
                self.file_errors.with_label_values(&[name, error.as_str()])
            }),
            dropped: counter(&self.dropped),
            capped: Arc::clone(&self.capped),
        }
    }
}

/// The series of one log source: what its task records and what the page shows.
#[derive(Debug)]
pub struct SourceMetrics {
    name: String,
    lines: IntCounter,
    bytes: IntCounter,
    unparsed: PerLabel<UnparsedKind>,
    closed: PerLabel<Reason>,
    duration: Histogram,
    upstream_closed: IntCounterVec,
    upstreams: Mutex<Vec<Upstream>>,
    session_requests: IntCounter,
    misses: IntCounter,
    opened: IntCounter,
    deleted: IntCounter,
    unknown: IntCounter,
    lag: IntGauge,
    last_line: Gauge,
    rotations: PerLabel<RotationKind>,
    lost: PerLabel<LossCause>,
    file_errors: PerLabel<FileError>,
    dropped: IntCounter,
    capped: Arc<PerLabel<Capped>>,
}

/// One upstream address that became a label value.
#[derive(Debug)]
struct Upstream {
    address: String,
    closed: PerLabel<Class>,
}

impl SourceMetrics {
    /// The source's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Counts one event; says the upstream's label where a stream ended at one.
    pub fn record(&self, event: &Event) -> Option<String> {
        match event {
            Event::StreamClosed(closed) => return self.stream_closed(closed),
            Event::Session { verdict, .. } => self.session(*verdict),
            Event::SessionOpened => self.opened.inc(),
            Event::SessionDeleted => self.deleted.inc(),
            Event::SessionUnknown => self.unknown.inc(),
            Event::Unparsed(kind) => self.unparsed.add(*kind, 1),
            Event::JoinEvicted => self.capped.add(Capped::Join, 1),
            Event::SessionsEvicted => self.capped.add(Capped::Sessions, 1),
        }
        None
    }

    /// A line was read, at this wall-clock time.
    pub fn line(&self, wall: SystemTime) {
        self.lines.inc();
        self.last_line.set(timestamp(wall));
    }

    /// Bytes were read.
    pub fn read(&self, bytes: u64) {
        self.bytes.inc_by(bytes);
    }

    /// A file was rotated away.
    pub fn rotated(&self, kind: RotationKind) {
        self.rotations.add(kind, 1);
    }

    /// Bytes gave no line.
    pub fn lost(&self, cause: LossCause, bytes: u64) {
        self.lost.add(cause, bytes);
    }

    /// A log file or its folder could not be opened or read.
    pub fn file_failed(&self, error: FileError) {
        self.file_errors.add(error, 1);
    }

    /// More files match than are looked at.
    pub fn files_capped(&self) {
        self.capped.add(Capped::Files, 1);
    }

    /// The kernel dropped so many datagrams.
    pub fn dropped(&self, datagrams: u64) {
        self.dropped.inc_by(datagrams);
    }

    /// A syslog connection was closed unread, as there were too many.
    pub fn connection_refused(&self) {
        self.capped.add(Capped::Connections, 1);
    }

    /// So much is written and not yet read.
    pub fn lag(&self, bytes: u64) {
        self.lag.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Lines read, and those not understood.
    pub fn lines(&self) -> (u64, u64) {
        (self.lines.get(), self.unparsed.total())
    }

    /// Ended streams by reason, zeros left out.
    pub fn closed(&self) -> Vec<(Reason, u64)> {
        self.closed.counts()
    }

    /// Session requests and affinity misses.
    pub fn affinity(&self) -> (u64, u64) {
        (self.session_requests.get(), self.misses.get())
    }

    /// Seconds since the epoch of the newest line; `None` before the first.
    pub fn last_line(&self) -> Option<f64> {
        Some(self.last_line.get()).filter(|seconds| *seconds > 0.0)
    }

    /// Bytes written and not yet read.
    pub fn lag_bytes(&self) -> u64 {
        u64::try_from(self.lag.get()).unwrap_or(0)
    }

    fn stream_closed(&self, closed: &Closed) -> Option<String> {
        self.closed.add(closed.reason, 1);
        if let Some(age) = closed.duration {
            self.duration.observe(age.as_secs_f64());
        }
        let address = closed.upstream.as_deref()?;
        Some(self.upstream_closed(address, closed.reason.class()))
    }

    /// A request with a known session whose upstream is known: kept or moved.
    fn session(&self, verdict: Verdict) {
        match verdict {
            Verdict::Kept => self.session_requests.inc(),
            Verdict::Moved => {
                self.session_requests.inc();
                self.misses.inc();
            }
            Verdict::Opened | Verdict::Unknown => {}
        }
    }

    /// Creates the series of an upstream that was counted before a restart.
    pub(super) fn restore_upstream(&self, address: &str) {
        let mut upstreams = self.upstreams();
        let is_known = upstreams.iter().any(|known| known.address == address);
        if !is_known && upstreams.len() <= UPSTREAMS_MAX {
            upstreams.push(self.upstream(address));
        }
    }

    fn upstreams(&self) -> MutexGuard<'_, Vec<Upstream>> {
        let upstreams = self.upstreams.lock();
        upstreams.unwrap_or_else(PoisonError::into_inner)
    }

    fn upstream_closed(&self, address: &str, class: Class) -> String {
        let mut upstreams = self.upstreams();
        let known = upstreams.iter().position(|known| known.address == address);
        let at = known.unwrap_or_else(|| {
            let label = if upstreams.len() < UPSTREAMS_MAX {
                address
            } else {
                OTHER
            };
            if label == OTHER {
                self.capped.add(Capped::Upstreams, 1);
            }
            upstreams
                .iter()
                .position(|known| known.address == label)
                .unwrap_or_else(|| {
                    upstreams.push(self.upstream(label));
                    upstreams.len() - 1
                })
        });
        let Some(upstream) = upstreams.get(at) else {
            return OTHER.to_owned();
        };
        upstream.closed.add(class, 1);
        upstream.address.clone()
    }

    fn upstream(&self, address: &str) -> Upstream {
        Upstream {
            address: address.to_owned(),
            closed: PerLabel::new(|class: Class| {
                self.upstream_closed
                    .with_label_values(&[&self.name, address, class.as_str()])
            }),
        }
    }
}

#[cfg(test)]
mod tests;
