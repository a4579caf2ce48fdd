//! The way to a held stream: its phases, and the certificate seen on it.

use std::time::{Duration, SystemTime};

use prometheus::GaugeVec;

use crate::canary::Phase;
use crate::label::Label;
use crate::metrics::{Families, Histogram, HistogramVec, LegPlan, timestamp};

/// From a resolver's fraction of a millisecond to a first byte after a heartbeat interval.
const PHASES: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 16.0,
    31.0,
];

/// The families, without series.
#[derive(Debug)]
pub(super) struct WayFamilies {
    phases: HistogramVec,
    not_after: GaugeVec,
}

impl WayFamilies {
    pub(super) fn register(all: &mut Families) -> Self {
        Self {
            phases: all.histogram(
                "holter_canary_connect_phase_seconds",
                "Time that each part of the way to a held stream took, parts that failed included.",
                &["canary", "leg", "phase"],
                PHASES,
            ),
            not_after: all.gauge(
                "holter_canary_tls_not_after_timestamp_seconds",
                "When the server's certificate expires; absent until one was seen.",
                &["canary", "leg"],
            ),
        }
    }

    pub(super) fn leg(&self, plan: LegPlan<'_>) -> Way {
        let series = |phase: &Phase| {
            let labels = [plan.canary, plan.leg.as_str(), phase.as_str()];
            (*phase, self.phases.with_label_values(&labels))
        };
        Way {
            phases: Phase::ALL.iter().map(series).collect(),
            not_after: self.not_after.clone(),
            labels: [plan.canary.to_owned(), plan.leg.to_string()],
        }
    }
}

/// The series of one leg.
#[derive(Debug)]
pub(super) struct Way {
    phases: Vec<(Phase, Histogram)>,
    not_after: GaugeVec,
    labels: [String; 2],
}

impl Way {
    pub(super) fn took(&self, phase: Phase, time: Duration) {
        if let Some((_, histogram)) = self.phases.iter().find(|(known, _)| *known == phase) {
            histogram.observe(time.as_secs_f64());
        }
    }

    pub(super) fn saw(&self, not_after: SystemTime) {
        let series = self.not_after.with_label_values(&self.labels);
        series.set(timestamp(not_after));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canary::{Event, Leg};
    use crate::metrics::Metrics;

    #[test]
    fn phases_and_the_certificate_are_shown() {
        let plan = LegPlan {
            canary: "a",
            leg: Leg::Proxy,
            streams: 1,
            interval: None,
        };
        let metrics = Metrics::new([plan], []);
        let leg = metrics.leg("a", Leg::Proxy).unwrap();
        let wall = SystemTime::UNIX_EPOCH;
        let not_after = wall + Duration::from_secs(86_400);
        leg.record(&Event::Phase(Phase::Tls, Duration::from_millis(20)), wall);
        leg.record(&Event::Certificate(not_after), wall);
        let text = metrics.render();
        for line in [
            "phase_seconds_bucket{canary=\"a\",leg=\"proxy\",phase=\"tls\",le=\"0.01\"} 0",
            "phase_seconds_bucket{canary=\"a\",leg=\"proxy\",phase=\"tls\",le=\"0.025\"} 1",
            "phase_seconds_count{canary=\"a\",leg=\"proxy\",phase=\"dns\"} 0",
            "tls_not_after_timestamp_seconds{canary=\"a\",leg=\"proxy\"} 86400",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
