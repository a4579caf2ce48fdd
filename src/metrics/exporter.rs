//! Holter's own build and process metrics.

use prometheus::process_collector::ProcessCollector;

use super::Families;

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
