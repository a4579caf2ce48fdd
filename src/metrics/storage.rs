//! `holter_snapshot_*`: what became of the counts' snapshots.

use std::time::SystemTime;

use prometheus::{Gauge, IntGauge};

use super::{Families, PerLabel, timestamp};
use crate::label::Label;
use crate::snapshot::Rejected;

/// The series about snapshots; all 0 where nothing is stored.
#[derive(Debug)]
pub struct StorageMetrics {
    failed: IntGauge,
    last_success: Gauge,
    rejected: PerLabel<Rejected>,
}

impl StorageMetrics {
    /// `late` is gathered after the write, so that its gauges tell of it.
    pub(super) fn register(all: &mut Families, late: &mut Families) -> Self {
        let failed = late.int_gauge(
            "holter_snapshot_failed",
            "1 while the newest snapshot of the counts could not be written.",
            &[],
        );
        let last_success = late.gauge(
            "holter_snapshot_last_success_timestamp_seconds",
            "When the counts were last written; 0 before the first time and without --storage.path.",
            &[],
        );
        let rejected = all.counter(
            "holter_snapshot_rejected_total",
            "Snapshots that could not be gone on from at a start, by cause.",
            &["cause"],
        );
        const NONE: &[&str] = &[];
        Self {
            failed: failed.with_label_values(NONE),
            last_success: last_success.with_label_values(NONE),
            rejected: PerLabel::new(|cause: Rejected| {
                rejected.with_label_values(&[cause.as_str()])
            }),
        }
    }

    /// A snapshot was written.
    pub fn written(&self, wall: SystemTime) {
        self.failed.set(0);
        self.last_success.set(timestamp(wall));
    }

    /// A snapshot could not be written; says whether that is news.
    pub fn failed(&self) -> bool {
        let is_news = self.failed.get() == 0;
        self.failed.set(1);
        is_news
    }

    /// A snapshot was found that cannot be gone on from.
    pub fn rejected(&self, cause: Rejected) {
        self.rejected.add(cause, 1);
    }
}
