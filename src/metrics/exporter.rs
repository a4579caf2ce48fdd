//! Holter's own build, configuration and process metrics.

use std::time::SystemTime;

use prometheus::process_collector::ProcessCollector;
use prometheus::{Gauge, IntGauge};

use super::{Families, timestamp};

/// How the configuration was loaded last.
#[derive(Debug)]
pub struct ConfigMetrics {
    successful: IntGauge,
    success: Gauge,
}

impl ConfigMetrics {
    pub(super) fn register(all: &mut Families) -> Self {
        let successful = all.int_gauge(
            "holter_config_last_reload_successful",
            "1 while the configuration that runs is the one that was loaded last; 0 while that was refused.",
            &[],
        );
        let success = all.gauge(
            "holter_config_last_reload_success_timestamp_seconds",
            "When a configuration was last accepted.",
            &[],
        );
        Self {
            successful: successful.with_label_values::<&str>(&[]),
            success: success.with_label_values::<&str>(&[]),
        }
    }

    /// A configuration was accepted.
    pub fn accepted(&self, wall: SystemTime) {
        self.successful.set(1);
        self.success.set(timestamp(wall));
    }

    /// A configuration was refused, and the one before runs on.
    pub fn refused(&self) {
        self.successful.set(0);
    }
}

/// Registers `holter_build_info` and the usual `process_*`.
pub(super) fn register(all: &mut Families) {
    let info = all.int_gauge(
        "holter_build_info",
        "Version of this process; always 1.",
        &["version", "revision", "rustversion"],
    );
    info.with_label_values(&[
        env!("CARGO_PKG_VERSION"),
        env!("HOLTER_BUILD_REVISION"),
        env!("HOLTER_RUST_VERSION"),
    ])
    .set(1);
    all.process();
}

impl Families {
    #[expect(clippy::expect_used, reason = "registered once, in a fresh registry")]
    fn process(&self) {
        let collector = ProcessCollector::for_self();
        self.registry
            .register(Box::new(collector))
            .expect("the first process collector");
    }
}
