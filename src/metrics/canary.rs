//! `holter_canary_*`: what the canaries' own streams show.

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::{GAPS, Histogram, HistogramVec, LIFETIMES, LegPlan, PerLabel, timestamp};
use crate::canary::fingerprint::Suspicion;
use crate::canary::{End, Event, Kind, Leg, LostCause, Transport};
use crate::label::Label;
use crate::reason::{Reason, Side};

mod absent;
mod pair;
mod planned;
mod read;
mod way;

use absent::Absent;
use way::{Way, WayFamilies};

/// The families, without series.
#[derive(Debug)]
pub(super) struct Families {
    up: IntGaugeVec,
    streams: IntGaugeVec,
    connects: IntCounterVec,
    connects_failed: IntCounterVec,
    disconnects: IntCounterVec,
    duration: HistogramVec,
    gap: HistogramVec,
    heartbeats: IntCounterVec,
    last_byte: GaugeVec,
    expected: GaugeVec,
    late: IntCounterVec,
    bursts: IntCounterVec,
    affinity_requests: IntCounterVec,
    affinity_misses: IntCounterVec,
    sessions_lost: IntCounterVec,
    way: WayFamilies,
    faults: IntCounterVec,
    suspected: GaugeVec,
    info: IntGaugeVec,
}

impl Families {
    #[expect(clippy::too_many_lines, reason = "a table: one entry a family")]
    pub(super) fn register(all: &mut super::Families) -> Self {
        const LEG: &[&str] = &["canary", "leg"];
        Self {
            up: all.int_gauge(
                "holter_canary_up",
                "1 while every stream of this leg is held, or rightly not: its server offers none, or paused it.",
                LEG,
            ),
            streams: all.int_gauge("holter_canary_streams", "Streams held now.", LEG),
            connects: all.counter(
                "holter_canary_connects_total",
                "Attempts to get a stream.",
                LEG,
            ),
            connects_failed: all.counter(
                "holter_canary_connects_failed_total",
                "Attempts that gave no stream, by reason.",
                &["canary", "leg", "reason"],
            ),
            disconnects: all.counter(
                "holter_canary_disconnects_total",
                "Held streams that ended, by reason and its class.",
                &["canary", "leg", "reason", "class"],
            ),
            duration: all.histogram(
                "holter_canary_stream_duration_seconds",
                "Age of held streams at their end.",
                LEG,
                LIFETIMES,
            ),
            gap: all.histogram(
                "holter_canary_heartbeat_gap_seconds",
                "Time between signs of life on a stream.",
                LEG,
                GAPS,
            ),
            heartbeats: all.counter(
                "holter_canary_heartbeats_total",
                "Signs of life on a stream, by kind.",
                &["canary", "leg", "kind"],
            ),
            last_byte: all.gauge(
                "holter_canary_last_byte_timestamp_seconds",
                "When the newest byte of a stream arrived; 0 before the first.",
                LEG,
            ),
            expected: all.gauge(
                "holter_canary_heartbeat_expected_seconds",
                "Heartbeat interval, configured or learned; absent where the server never beat.",
                LEG,
            ),
            late: all.counter(
                "holter_canary_late_heartbeats_total",
                "Gaps longer than the tolerance allows; each gap counts once.",
                LEG,
            ),
            bursts: all.counter(
                "holter_canary_buffered_bursts_total",
                "Heartbeats that arrived together though sent apart.",
                LEG,
            ),
            affinity_requests: all.counter(
                "holter_canary_affinity_requests_total",
                "Requests on fresh connections that carried a session and were understood.",
                LEG,
            ),
            affinity_misses: all.counter(
                "holter_canary_affinity_misses_total",
                "Those of them that reached a replica without the session.",
                LEG,
            ),
            sessions_lost: all.counter(
                "holter_canary_sessions_lost_total",
                "Sessions that were gone for good, by cause.",
                &["canary", "leg", "cause"],
            ),
            way: WayFamilies::register(all),
            faults: all.counter(
                "holter_canary_faults_total",
                "Faults of a canary's streams, by the side that comparing the legs names.",
                &["canary", "side"],
            ),
            suspected: all.gauge(
                "holter_canary_suspected_timeout_seconds",
                "Cut-off that repeated ends make likely: silence (idle) or age (total); absent when none.",
                &["canary", "leg", "kind"],
            ),
            info: all.int_gauge(
                "holter_canary_info",
                "What was negotiated; always 1.",
                &["canary", "leg", "transport", "protocol_version"],
            ),
        }
    }

    /// Creates the series that both legs of a canary share.
    fn canary(&self, name: &str) -> CanaryMetrics {
        CanaryMetrics {
            name: name.to_owned(),
            faults: PerLabel::new(|side: Side| {
                self.faults.with_label_values(&[name, side.as_str()])
            }),
        }
    }

    /// Creates every series of one leg.
    pub(super) fn leg(&self, plan: LegPlan<'_>) -> LegMetrics {
        let leg = [plan.canary, plan.leg.as_str()];
        let with = |family: &IntCounterVec, more: &[&str]| {
            family.with_label_values(&[&leg, more].concat())
        };
        let metrics = LegMetrics {
            canary: plan.canary.to_owned(),
            shared: self.canary(plan.canary),
            leg: plan.leg,
            wanted: plan.streams,
            configured: plan.interval,
            is_retired: AtomicBool::new(false),
            up: self.up.with_label_values(&leg),
            streams: self.streams.with_label_values(&leg),
            connects: with(&self.connects, &[]),
            connects_failed: PerLabel::new(|reason: Reason| {
                with(&self.connects_failed, &[reason.as_str()])
            }),
            disconnects: PerLabel::new(|reason: Reason| {
                with(
                    &self.disconnects,
                    &[reason.as_str(), reason.class().as_str()],
                )
            }),
            duration: self.duration.with_label_values(&leg),
            gap: self.gap.with_label_values(&leg),
            heartbeats: PerLabel::new(|kind: Kind| with(&self.heartbeats, &[kind.as_str()])),
            last_byte: self.last_byte.with_label_values(&leg),
            expected: self.expected.clone(),
            late: with(&self.late, &[]),
            bursts: with(&self.bursts, &[]),
            affinity_requests: with(&self.affinity_requests, &[]),
            affinity_misses: with(&self.affinity_misses, &[]),
            sessions_lost: PerLabel::new(|cause: LostCause| {
                with(&self.sessions_lost, &[cause.as_str()])
            }),
            way: self.way.leg(plan),
            suspected: self.suspected.clone(),
            info: self.info.clone(),
            absent: Absent::default(),
            observed: Mutex::default(),
        };
        if let Some(interval) = plan.interval {
            metrics.expect(Some(interval));
        }
        metrics
    }
}

pub use pair::CanaryMetrics;

/// The series of one leg: what its tasks record and what the page shows.
#[derive(Debug)]
pub struct LegMetrics {
    canary: String,
    shared: CanaryMetrics,
    leg: Leg,
    wanted: usize,
    configured: Option<Duration>,
    is_retired: AtomicBool,
    up: IntGauge,
    streams: IntGauge,
    absent: Absent,
    connects: IntCounter,
    connects_failed: PerLabel<Reason>,
    disconnects: PerLabel<Reason>,
    duration: Histogram,
    gap: Histogram,
    heartbeats: PerLabel<Kind>,
    last_byte: Gauge,
    expected: GaugeVec,
    late: IntCounter,
    bursts: IntCounter,
    affinity_requests: IntCounter,
    affinity_misses: IntCounter,
    sessions_lost: PerLabel<LostCause>,
    way: Way,
    suspected: GaugeVec,
    info: IntGaugeVec,
    observed: Mutex<Observed>,
}

/// What the page shows and no single series holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Observed {
    /// What was negotiated last.
    pub negotiated: Option<(Transport, &'static str)>,
    /// Whether requests carry a session, once negotiated.
    pub session: Option<bool>,
    /// The heartbeat interval, configured or learned.
    pub interval: Option<Duration>,
    /// The longest gap since Holter started.
    pub longest_gap: Option<Duration>,
    /// All misses since Holter started.
    pub misses: u64,
    /// Those of them that went without the cookies that the proxy had set.
    pub misses_without_cookies: u64,
    /// The cut-off that repeated ends make likely.
    pub suspicion: Option<Suspicion>,
    /// When the newest byte arrived.
    pub last_byte: Option<SystemTime>,
}

impl LegMetrics {
    /// The canary's name.
    pub fn canary(&self) -> &str {
        &self.canary
    }

    /// Which way.
    pub fn leg(&self) -> Leg {
        self.leg
    }

    /// Counts one event of one stream of this leg, at this wall-clock time.
    pub fn record(&self, event: &Event, wall: SystemTime) {
        self.absent.record(event);
        match event {
            Event::Connecting => self.connects.inc(),
            Event::ConnectFailed(reason) => self.connects_failed.add(*reason, 1),
            Event::Phase(phase, took) => self.way.took(*phase, *took),
            Event::Certificate(not_after) => self.way.saw(*not_after),
            Event::Held {
                transport,
                version,
                session,
            } => {
                self.streams.inc();
                self.byte(wall);
                self.negotiated(*transport, version, *session);
            }
            Event::NoStream {
                transport,
                version,
                session,
            } => {
                self.negotiated(*transport, version, *session);
            }
            Event::Paused => self.streams.dec(),
            Event::NoStreamOver | Event::Resumed => {}
            Event::Bytes => self.byte(wall),
            Event::Gap(gap) => self.gapped(*gap),
            Event::Beat(kind) => self.heartbeats.add(*kind, 1),
            Event::Learned(interval) => self.expect(*interval),
            Event::Late => self.late.inc(),
            Event::Ended(end) => {
                self.streams.dec();
                self.ended(end);
            }
            Event::EndedPaused(end) => self.ended(end),
            Event::AffinityRequests(count) => self.affinity_requests.inc_by(*count),
            Event::AffinityMisses(count) => {
                self.affinity_misses.inc_by(*count);
                self.lock().misses += count;
            }
            Event::MissesWithoutCookies(count) => self.lock().misses_without_cookies += count,
            Event::SessionKept => {}
            Event::SessionLost(cause) => self.sessions_lost.add(*cause, 1),
        }
    }

    /// Derives `up` from the streams held, just before it is read: its tasks count side by side.
    pub(super) fn settle(&self) {
        self.up.set(i64::from(self.is_up()));
    }

    fn ended(&self, end: &End) {
        self.disconnects.add(end.reason, 1);
        self.duration.observe(end.age.as_secs_f64());
    }

    fn byte(&self, wall: SystemTime) {
        self.last_byte.set(timestamp(wall));
        self.lock().last_byte = Some(wall);
    }

    fn gapped(&self, gap: Duration) {
        self.gap.observe(gap.as_secs_f64());
        let mut observed = self.lock();
        observed.longest_gap = observed.longest_gap.max(Some(gap));
    }

    fn expect(&self, interval: Option<Duration>) {
        self.lock().interval = interval;
        let leg = [self.canary.as_str(), self.leg.as_str()];
        match interval {
            Some(interval) => self
                .expected
                .with_label_values(&leg)
                .set(interval.as_secs_f64()),
            // Absent already where none was known.
            None => drop(self.expected.remove_label_values(&leg)),
        }
    }

    /// One info series a leg: the one before goes.
    fn negotiated(&self, transport: Transport, version: &'static str, session: bool) {
        let before = {
            let mut observed = self.lock();
            observed.session = Some(session);
            observed.negotiated.replace((transport, version))
        };
        let series = |(transport, version): (Transport, &'static str)| {
            [
                self.canary.clone(),
                self.leg.to_string(),
                transport.to_string(),
                version.to_owned(),
            ]
        };
        if let Some(before) = before.filter(|before| *before != (transport, version))
            && let Err(error) = self.info.remove_label_values(&series(before))
        {
            tracing::debug!(%error, "no info series to replace");
        }
        self.info
            .with_label_values(&series((transport, version)))
            .set(1);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Observed> {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
