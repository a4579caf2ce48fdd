//! What comparing a canary's legs found, as series.

use super::{LegMetrics, PerLabel};
use crate::canary::fingerprint::{CutOff, Suspicion};
use crate::label::Label;
use crate::reason::Side;

/// The series of one canary, whatever the leg.
#[derive(Clone, Debug)]
pub struct CanaryMetrics {
    pub(super) name: String,
    pub(super) faults: PerLabel<Side>,
}

impl CanaryMetrics {
    /// The canary's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Counts a fault on this side.
    pub fn fault(&self, side: Side) {
        self.faults.add(side, 1);
    }

    /// Faults by side, zeros left out.
    pub fn faults(&self) -> Vec<(Side, u64)> {
        self.faults.counts()
    }
}

impl LegMetrics {
    /// What its canary counts for both legs: the same counters, whichever leg is asked.
    pub fn shared(&self) -> &CanaryMetrics {
        &self.shared
    }

    /// Counts heartbeats that arrived together though sent apart.
    pub fn burst(&self, beats: u64) {
        self.bursts.inc_by(beats);
    }

    /// Shows the cut-off that ends make likely now, and takes back the one before.
    pub fn suspect(&self, suspicion: Option<Suspicion>) {
        let before = std::mem::replace(&mut self.lock().suspicion, suspicion);
        let series = |kind: CutOff| [self.canary.as_str(), self.leg.as_str(), kind.as_str()];
        let kind = suspicion.map(|known| known.kind);
        if let Some(before) = before
            .map(|known| known.kind)
            .filter(|was| Some(*was) != kind)
            && let Err(error) = self.suspected.remove_label_values(&series(before))
        {
            tracing::debug!(%error, "no suspicion to take back");
        }
        if let Some(Suspicion { kind, after }) = suspicion {
            self.suspected
                .with_label_values(&series(kind))
                .set(after.as_secs_f64());
        }
    }
}
