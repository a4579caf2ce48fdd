//! What of all legs and sources that were ever configured is configured now.
//!
//! Their counters stay when they are taken out: what is put back goes on counting where it was, and nothing that was
//! shown ever falls. Only what is configured is shown: a canary that is gone must not look like one that is down.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use prometheus::proto::{Metric, MetricFamily};

use super::{LegMetrics, LegPlan, SourceMetrics, canary, log};
use crate::label::Label;

/// The legs and sources, shared by whoever shows them; changed by a reload only.
#[derive(Debug)]
pub(super) struct Current {
    canary: canary::Families,
    log: log::Families,
    known: RwLock<Known>,
}

/// Those that are configured come first in each list, in the order of the configuration.
#[derive(Debug, Default)]
pub(super) struct Known {
    legs: Vec<Arc<LegMetrics>>,
    sources: Vec<Arc<SourceMetrics>>,
    /// Those that were taken out.
    former: Vec<Arc<SourceMetrics>>,
    /// Whether anything was ever taken out: else nothing is to be hidden.
    hides: bool,
}

impl Current {
    pub(super) fn new(canary: canary::Families, log: log::Families) -> Self {
        Self {
            canary,
            log,
            known: RwLock::default(),
        }
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is configured. A leg that is planned as before and a source keep their handles.
    pub(super) fn configure<'a>(
        &self,
        legs: impl IntoIterator<Item = LegPlan<'a>>,
        sources: impl IntoIterator<Item = &'a str>,
    ) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut known.legs);
        for plan in legs {
            let kept = before.iter().position(|leg| leg.is_planned(&plan));
            let leg = match kept {
                Some(at) => before.swap_remove(at),
                None => {
                    let replaced = before.iter().position(|leg| leg.is_for(&plan));
                    let replaced = replaced.map(|at| before.swap_remove(at));
                    replaced.inspect(|leg| leg.retire());
                    Arc::new(self.canary.leg(plan))
                }
            };
            known.legs.push(leg);
        }
        known.hides |= !before.is_empty();
        let mut before = std::mem::take(&mut known.sources);
        before.append(&mut known.former);
        for name in sources {
            let kept = before.iter().position(|source| source.name() == name);
            let source = match kept {
                Some(at) => before.swap_remove(at),
                None => Arc::new(self.log.source(name)),
            };
            known.sources.push(source);
        }
        known.hides |= !before.is_empty();
        known.former = before;
    }
}

impl Known {
    pub(super) fn legs(&self) -> &[Arc<LegMetrics>] {
        &self.legs
    }

    pub(super) fn sources(&self) -> &[Arc<SourceMetrics>] {
        &self.sources
    }

    /// Leaves out the series of what is not configured any more.
    pub(super) fn only_configured(&self, mut families: Vec<MetricFamily>) -> Vec<MetricFamily> {
        if !self.hides {
            return families;
        }
        for family in &mut families {
            let mut metrics = family.take_metric();
            metrics.retain(|metric| self.is_configured(metric));
            family.set_metric(metrics);
        }
        families.retain(|family| !family.get_metric().is_empty());
        families
    }

    fn is_configured(&self, metric: &Metric) -> bool {
        let label = |name: &str| {
            let found = metric.get_label().iter().find(|pair| pair.name() == name);
            found.map(|pair| pair.value())
        };
        if let Some(name) = label("source") {
            return self.sources.iter().any(|known| known.name() == name);
        }
        let Some(canary) = label("canary") else {
            return true;
        };
        let leg = label("leg");
        let is_leg = |known: &LegMetrics| leg.is_none_or(|leg| known.leg().as_str() == leg);
        let mut legs = self.legs.iter().filter(|known| known.canary() == canary);
        legs.any(|known| is_leg(known))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::access_log::event::Event;
    use crate::canary::Leg;
    use crate::metrics::{LegPlan, Metrics};

    fn plan(canary: &str, streams: usize) -> LegPlan<'_> {
        LegPlan {
            canary,
            leg: Leg::Proxy,
            streams,
            interval: None,
        }
    }

    fn count(metrics: &Metrics, series: &str) -> Option<String> {
        let text = metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(series))?;
        Some(line.trim().to_owned())
    }

    #[test]
    fn what_is_taken_out_is_hidden_and_goes_on_where_it_was() {
        let metrics = Metrics::new([plan("a", 1), plan("b", 1)], ["x", "y"]);
        let opened = "holter_log_sessions_opened_total{source=\"x\"}";
        let other = "holter_log_sessions_opened_total{source=\"y\"}";
        let up = "holter_canary_up{canary=\"a\",leg=\"proxy\"}";
        metrics.source("x").unwrap().record(&Event::SessionOpened);
        metrics.configure([plan("b", 1)], ["y", "z"]);
        assert_eq!((count(&metrics, opened), count(&metrics, up)), (None, None));
        assert_eq!(count(&metrics, other).as_deref(), Some("0"));
        assert!(metrics.source("x").is_none() && metrics.leg("a", Leg::Proxy).is_none());
        metrics.configure([plan("a", 1)], ["x"]);
        assert_eq!(count(&metrics, opened).as_deref(), Some("1"));
        assert_eq!(count(&metrics, up).as_deref(), Some("0"));
        assert_eq!(count(&metrics, other), None);
    }

    #[test]
    fn a_leg_that_changed_keeps_its_counts_and_loses_what_held_for_its_streams() {
        let interval = Some(Duration::from_secs(15));
        let metrics = Metrics::new(
            [LegPlan {
                interval,
                ..plan("a", 2)
            }],
            [],
        );
        let before = metrics.leg("a", Leg::Proxy).unwrap();
        before.record(&crate::canary::Event::Connecting, std::time::UNIX_EPOCH);
        let series = |name: &str| format!("holter_canary_{name}{{canary=\"a\",leg=\"proxy\"}}");
        let expected = series("heartbeat_expected_seconds");
        assert_eq!(count(&metrics, &expected).as_deref(), Some("15"));
        metrics.configure([plan("a", 1)], []);
        let after = metrics.leg("a", Leg::Proxy).unwrap();
        assert_eq!((after.wanted(), after.connects().0), (1, 1));
        assert_eq!(count(&metrics, &expected), None);
    }

    #[test]
    fn a_leg_whose_tasks_ended_gets_another_handle() {
        let metrics = Metrics::new([plan("a", 1)], []);
        let before = metrics.leg("a", Leg::Proxy).unwrap();
        before.retire();
        metrics.configure([plan("a", 1)], []);
        let after = metrics.leg("a", Leg::Proxy).unwrap();
        assert!(!std::sync::Arc::ptr_eq(&before, &after));
    }

    #[test]
    fn what_stays_as_planned_keeps_its_handle() {
        let metrics = Metrics::new([plan("a", 1)], ["x"]);
        let (leg, source) = (metrics.leg("a", Leg::Proxy), metrics.source("x"));
        metrics.configure([plan("b", 1), plan("a", 1)], ["y", "x"]);
        let same = metrics.leg("a", Leg::Proxy).unwrap();
        assert!(std::sync::Arc::ptr_eq(&same, &leg.unwrap()));
        let same = metrics.source("x").unwrap();
        assert!(std::sync::Arc::ptr_eq(&same, &source.unwrap()));
    }
}
