//! A leg and its plan: whether a new configuration leaves it as it is, and what goes when another takes its place.

use super::{LegMetrics, LegPlan};
use crate::label::Label;

impl LegMetrics {
    /// Whether the plan is for this leg.
    pub(in crate::metrics) fn is_for(&self, plan: &LegPlan<'_>) -> bool {
        self.canary == plan.canary && self.leg == plan.leg
    }

    /// Whether the plan is for this leg, and as it was.
    pub(in crate::metrics) fn is_planned(&self, plan: &LegPlan<'_>) -> bool {
        let before = (self.wanted, self.configured);
        self.is_for(plan) && before == (plan.streams, plan.interval)
    }

    /// Takes away what holds for its streams only, which have ended: another handle takes its place.
    pub(in crate::metrics) fn retire(&self) {
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
