//! Every name, help text, label and bucket that Holter exports, and nothing else that knows `prometheus`.
//!
//! Names are a contract: dashboards, alerts and the README are tested against [`Metrics::catalogue`], and
//! renaming one is a breaking change. Every series that the configuration allows exists at 0 from the
//! start, so that `increase()` sees the first event.

mod canary;
mod exporter;
mod histogram;
mod log;

use prometheus::core::Collector;
use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

use histogram::{Histogram, HistogramVec};

pub use canary::LegMetrics;
pub use log::SourceMetrics;

use crate::canary::Leg;
use crate::label::Label;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One leg of one canary, as configured.
#[derive(Clone, Copy, Debug)]
pub struct LegPlan<'a> {
    /// The canary's name.
    pub canary: &'a str,
    /// Which way.
    pub leg: Leg,
    /// Streams to hold.
    pub streams: usize,
    /// The configured heartbeat interval.
    pub interval: Option<Duration>,
}

/// All metrics of one process, in an explicit registry.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    catalogue: Vec<Family>,
    legs: Vec<Arc<LegMetrics>>,
    sources: Vec<Arc<SourceMetrics>>,
}

impl Metrics {
    /// Registers every family and creates every series of these legs and log sources.
    pub fn new<'a>(
        legs: impl IntoIterator<Item = LegPlan<'a>>,
        sources: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let mut families = Families::default();
        let canary = canary::Families::register(&mut families);
        let log = log::Families::register(&mut families);
        exporter::register(&mut families);
        Self {
            legs: legs
                .into_iter()
                .map(|plan| Arc::new(canary.leg(plan)))
                .collect(),
            sources: sources
                .into_iter()
                .map(|name| Arc::new(log.source(name)))
                .collect(),
            registry: families.registry,
            catalogue: families.catalogue,
        }
    }

    /// The handles of one leg.
    pub fn leg(&self, canary: &str, leg: Leg) -> Option<Arc<LegMetrics>> {
        self.legs
            .iter()
            .find(|known| known.canary() == canary && known.leg() == leg)
            .cloned()
    }

    /// The handles of one log source.
    pub fn source(&self, name: &str) -> Option<Arc<SourceMetrics>> {
        self.sources
            .iter()
            .find(|known| known.name() == name)
            .cloned()
    }

    /// The legs, in the order of the configuration.
    pub fn legs(&self) -> &[Arc<LegMetrics>] {
        &self.legs
    }

    /// The log sources, in the order of the configuration.
    pub fn sources(&self) -> &[Arc<SourceMetrics>] {
        &self.sources
    }

    /// The exposition in the Prometheus text format, version 0.0.4.
    pub fn render(&self) -> String {
        for leg in &self.legs {
            leg.settle();
        }
        let mut text = String::new();
        // Encoding fails on a family without metrics or with a duplicate; `gather` gives neither.
        if let Err(error) = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "the exposition is incomplete");
        }
        text
    }

    /// Every family that can appear, in the order of registration.
    pub fn catalogue(&self) -> &[Family] {
        &self.catalogue
    }
}

/// One metric family, as the README's table shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// The name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The variable labels, in order.
    pub labels: Vec<&'static str>,
    /// The help text; ends with a full stop.
    pub help: String,
}

/// Registers families and remembers them for the catalogue.
#[derive(Default)]
struct Families {
    registry: Registry,
    catalogue: Vec<Family>,
}

impl Families {
    fn counter(&mut self, name: &str, help: &str, labels: &[&'static str]) -> IntCounterVec {
        self.note("counter", name, help, labels);
        self.register(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn gauge(&mut self, name: &str, help: &str, labels: &[&'static str]) -> GaugeVec {
        self.note("gauge", name, help, labels);
        self.register(GaugeVec::new(Opts::new(name, help), labels))
    }

    fn int_gauge(&mut self, name: &str, help: &str, labels: &[&'static str]) -> IntGaugeVec {
        self.note("gauge", name, help, labels);
        self.register(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn histogram(
        &mut self,
        name: &str,
        help: &str,
        labels: &[&'static str],
        bounds: &'static [f64],
    ) -> HistogramVec {
        self.note("histogram", name, help, labels);
        self.register(HistogramVec::new(name, help, labels, bounds))
    }

    fn note(&mut self, kind: &'static str, name: &str, help: &str, labels: &[&'static str]) {
        self.catalogue.push(Family {
            name: name.to_owned(),
            kind,
            labels: labels.to_vec(),
            help: help.to_owned(),
        });
    }

    #[expect(
        clippy::expect_used,
        reason = "names are constants: a wrong or double one is a bug that any start shows"
    )]
    fn register<C: Collector + Clone + 'static>(&self, family: prometheus::Result<C>) -> C {
        let family = family.expect("a valid metric name");
        self.registry
            .register(Box::new(family.clone()))
            .expect("a unique metric name");
        family
    }
}

/// One counter for each value of a closed label set, all created at 0.
#[derive(Debug)]
struct PerLabel<L>(Vec<(L, IntCounter)>);

impl<L: Label + PartialEq> PerLabel<L> {
    fn new(counter: impl Fn(L) -> IntCounter) -> Self {
        Self(
            L::ALL
                .iter()
                .map(|value| (*value, counter(*value)))
                .collect(),
        )
    }

    fn add(&self, value: L, count: u64) {
        if let Some((_, counter)) = self.0.iter().find(|(known, _)| *known == value) {
            counter.inc_by(count);
        }
    }

    /// The values that are not 0.
    fn counts(&self) -> Vec<(L, u64)> {
        self.0
            .iter()
            .map(|(value, counter)| (*value, counter.get()))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    fn total(&self) -> u64 {
        self.0.iter().map(|(_, counter)| counter.get()).sum()
    }
}

/// Seconds since the epoch, as Prometheus has timestamps.
fn timestamp(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

/// Lifetimes up to a day; the bounds isolate the known cut-offs (30, 55, 60, 100, 120, 230, 240, 300, 350 s).
const LIFETIMES: &[f64] = &[
    0.1, 0.5, 1.0, 5.0, 10.0, 20.0, 25.0, 30.0, 35.0, 55.0, 60.0, 65.0, 90.0, 100.0, 120.0, 130.0,
    180.0, 230.0, 245.0, 300.0, 310.0, 350.0, 360.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0,
    43_200.0, 86_400.0,
];

/// Gaps between beats: servers beat each 15 or 30 s, and one missed beat must show.
const GAPS: &[f64] = &[
    0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 16.0, 20.0, 30.0, 31.0, 45.0, 60.0, 90.0, 120.0, 300.0,
    600.0,
];
