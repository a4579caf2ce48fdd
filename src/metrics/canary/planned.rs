//! A leg and its plan: whether a new configuration leaves it as it is, and what goes when another takes its place.

use std::sync::atomic::Ordering;

use super::{LegMetrics, LegPlan};
use crate::label::Label;

impl LegMetrics {
    /// Whether the plan is for this leg.
    pub(in crate::metrics) fn is_for(&self, plan: &LegPlan<'_>) -> bool {
        self.canary == plan.canary && self.leg == plan.leg
    }

    /// Whether the plan is for this leg and as it was, and its tasks still run.
    pub(in crate::metrics) fn is_planned(&self, plan: &LegPlan<'_>) -> bool {
        let before = (self.wanted, self.configured);
        let as_before = self.is_for(plan) && before == (plan.streams, plan.interval);
        as_before && !self.is_retired.load(Ordering::Relaxed)
    }

    /// Takes away what holds for its streams only, which have ended: another handle takes its place.
    pub fn retire(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
        let observed = self.observed();
        let leg = [self.canary.as_str(), self.leg.as_str()];
        if observed.interval.is_some() {
            drop(self.expected.remove_label_values(&leg));
        }
        if let Some((transport, version)) = observed.negotiated {
            let series = [leg[0], leg[1], transport.as_str(), version];
            drop(self.info.remove_label_values(&series));
        }
        self.suspect(None);
    }
}
