//! What was counted is counted on, whatever of it the configuration still has.

use std::time::{Duration, SystemTime};

use super::*;
use crate::access_log::event::{Closed, Event};
use crate::canary::{self, End, Leg};
use crate::metrics::LegPlan;
use crate::reason::{Reason, Side};

fn metrics(sources: &[&'static str]) -> Metrics {
    let plan = LegPlan {
        canary: "a",
        leg: Leg::Proxy,
        streams: 1,
        interval: None,
    };
    Metrics::new([plan], sources.iter().copied())
}

fn count(metrics: &Metrics, source: &str) {
    let found = metrics.source(source).unwrap();
    found.line(SystemTime::UNIX_EPOCH + Duration::from_secs(7));
    found.read(100);
    for (millis, upstream) in [(50, "10.0.0.1:80"), (100, "10.0.0.2:80"), (1 << 40, "x")] {
        found.record(&Event::StreamClosed(Closed {
            line: 1,
            reason: Reason::ServerCut,
            duration: Some(Duration::from_millis(millis)),
            upstream: Some(upstream.into()),
        }));
    }
}

fn ended(metrics: &Metrics) {
    let end = End {
        reason: Reason::IdleTimeout,
        side: Side::Proxy,
        age: Duration::from_millis(60_123),
        silence: Duration::ZERO,
    };
    let leg = metrics.leg("a", Leg::Proxy).unwrap();
    leg.record(&canary::Event::Ended(end), SystemTime::UNIX_EPOCH);
}

/// The stored lines of the exposition; gauges say what is now, and now nothing was read.
fn counts(metrics: &Metrics) -> Vec<String> {
    let text = metrics.render();
    let stored = |line: &&str| {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix));
        [name, family.unwrap_or(name)]
            .iter()
            .any(|name| metrics.stored.contains_key(*name))
    };
    text.lines().filter(stored).map(str::to_owned).collect()
}

#[test]
fn a_restored_process_shows_the_same_counts_and_counts_on() {
    let before = metrics(&["edge", "other"]);
    count(&before, "edge");
    ended(&before);
    let gathered = before.gather();
    let after = metrics(&["edge", "other"]);
    after.restore(&before.stored(&gathered));
    assert_eq!(counts(&after), counts(&before));
    count(&before, "edge");
    ended(&before);
    count(&after, "edge");
    ended(&after);
    assert_eq!(counts(&after), counts(&before));
    assert!(counts(&after).len() > 200);
}

#[test]
fn the_times_of_phases_are_restored() {
    use canary::Phase;
    let before = metrics(&[]);
    let leg = before.leg("a", Leg::Proxy).unwrap();
    for (millis, phase) in [(3, Phase::Dns), (4_000, Phase::Dns), (60_000, Phase::Tls)] {
        let took = canary::Event::Phase(phase, Duration::from_millis(millis));
        leg.record(&took, SystemTime::UNIX_EPOCH);
    }
    let after = metrics(&[]);
    after.restore(&before.stored(&before.gather()));
    let phases = |metrics: &Metrics| {
        let mut lines = counts(metrics);
        lines.retain(|line| line.starts_with("holter_canary_connect_phase_seconds"));
        lines
    };
    assert_eq!(phases(&after), phases(&before));
    let dns =
        "holter_canary_connect_phase_seconds_sum{canary=\"a\",leg=\"proxy\",phase=\"dns\"} 4.003";
    assert!(phases(&after).iter().any(|line| line == dns));
}

#[test]
fn a_source_that_is_gone_is_dropped() {
    let before = metrics(&["edge", "gone"]);
    count(&before, "edge");
    count(&before, "gone");
    let after = metrics(&["edge", "new"]);
    after.restore(&before.stored(&before.gather()));
    assert!(!after.render().contains("source=\"gone\""));
    let same = metrics(&["edge", "new"]);
    count(&same, "edge");
    assert_eq!(counts(&after), counts(&same));
}

#[test]
fn gauges_and_the_processs_own_metrics_are_not_stored() {
    let before = metrics(&["edge"]);
    count(&before, "edge");
    let stored = before.stored(&before.gather());
    let names: Vec<_> = stored.iter().map(|family| &*family.name).collect();
    assert_eq!(
        names,
        [
            "holter_log_bytes_total",
            "holter_log_lines_total",
            "holter_log_stream_duration_seconds",
            "holter_log_streams_closed_total",
            "holter_log_upstream_streams_closed_total",
        ]
    );
}

#[test]
fn a_histogram_that_had_other_bounds_is_dropped() {
    let stored = |bound: &str| [(bound.to_owned(), 3)];
    assert_eq!(counts_for(&[1.0, 2.5], &stored("2.5")), Some(vec![0, 3, 0]));
    assert_eq!(counts_for(&[1.0, 2.5], &stored(ABOVE)), Some(vec![0, 0, 3]));
    assert_eq!(counts_for(&[1.0, 2.5], &stored("2")), None);
}
