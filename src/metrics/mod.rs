//! Every name, help text, label and bucket that Holter exports, and nothing else that knows `prometheus`.
//!
//! Names are a contract: dashboards, alerts and the README are tested against [`Metrics::catalogue`], and
//! renaming one is a breaking change. Every series that the configuration allows exists at 0 from the
//! start, so that `increase()` sees the first event.

mod canary;
mod current;
mod exporter;
mod histogram;
mod log;
mod restore;
mod storage;

use prometheus::core::Collector;
use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};

use current::Current;
use histogram::{Histogram, HistogramVec};
use restore::Stored;

pub use canary::{CanaryMetrics, LegMetrics};
pub use exporter::ConfigMetrics;
pub use log::SourceMetrics;
pub use restore::Gathered;
pub use storage::StorageMetrics;

use crate::canary::Leg;
use crate::label::Label;
use std::collections::BTreeMap;
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
    current: Current,
    config: ConfigMetrics,
    stored: BTreeMap<String, Stored>,
    storage: StorageMetrics,
    /// Gathered when the other values are written: these tell whether they could be.
    late: Registry,
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
        let config = ConfigMetrics::register(&mut families);
        let mut late = Families::default();
        let storage = StorageMetrics::register(&mut families, &mut late);
        families.catalogue.append(&mut late.catalogue);
        let metrics = Self {
            registry: families.registry,
            catalogue: families.catalogue,
            current: Current::new(canary, log),
            config,
            stored: families.stored,
            storage,
            late: late.registry,
        };
        metrics.configure(legs, sources);
        metrics
    }

    /// From now on these legs and sources are configured. Counters stay, also those of what is taken out, whose series
    /// are hidden until it comes back. To be called when the tasks of what changed have ended.
    pub fn configure<'a>(
        &self,
        legs: impl IntoIterator<Item = LegPlan<'a>>,
        sources: impl IntoIterator<Item = &'a str>,
    ) {
        self.current.configure(legs, sources);
    }

    /// How the configuration was loaded last.
    pub fn config(&self) -> &ConfigMetrics {
        &self.config
    }

    /// The handles of one leg that is configured.
    pub fn leg(&self, canary: &str, leg: Leg) -> Option<Arc<LegMetrics>> {
        let mut legs = self.legs().into_iter();
        legs.find(|known| known.canary() == canary && known.leg() == leg)
    }

    /// The handles of one log source that is configured.
    pub fn source(&self, name: &str) -> Option<Arc<SourceMetrics>> {
        let mut sources = self.sources().into_iter();
        sources.find(|known| known.name() == name)
    }

    /// The legs, in the order of the configuration.
    pub fn legs(&self) -> Vec<Arc<LegMetrics>> {
        self.current.read().legs().to_vec()
    }

    /// The log sources, in the order of the configuration.
    pub fn sources(&self) -> Vec<Arc<SourceMetrics>> {
        self.current.read().sources().to_vec()
    }

    /// What became of snapshots.
    pub fn storage(&self) -> &StorageMetrics {
        &self.storage
    }

    /// Reads every value but those that tell how writing them went.
    pub fn gather(&self) -> Gathered {
        let current = self.current.read();
        for leg in current.legs() {
            leg.settle();
        }
        Gathered(current.only_configured(self.registry.gather()))
    }

    /// The exposition of these values, and of how writing them went.
    pub fn text(&self, mut gathered: Gathered) -> String {
        gathered.0.extend(self.late.gather());
        gathered.text()
    }

    /// The exposition of this moment.
    pub fn render(&self) -> String {
        self.text(self.gather())
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
    stored: BTreeMap<String, Stored>,
}

impl Families {
    fn counter(&mut self, name: &str, help: &str, labels: &[&'static str]) -> IntCounterVec {
        self.note("counter", name, help, labels);
        let family = self.register(IntCounterVec::new(Opts::new(name, help), labels));
        let stored = Stored::Counter(family.clone());
        self.stored.insert(name.to_owned(), stored);
        family
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
        let family = self.register(HistogramVec::new(name, help, labels, bounds));
        let stored = Stored::Histogram(family.clone());
        self.stored.insert(name.to_owned(), stored);
        family
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
#[derive(Clone, Debug)]
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
