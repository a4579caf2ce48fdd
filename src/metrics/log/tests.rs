//! The cap on upstream labels.

use super::*;
use crate::metrics::Metrics;

#[test]
fn upstreams_beyond_the_cap_are_other_and_counted_as_such() {
    let metrics = Metrics::new([], ["edge"]);
    let source = metrics.source("edge").unwrap();
    for n in 0..UPSTREAMS_MAX + 3 {
        let upstream = Some(format!("10.0.0.{n}:80").into());
        let closed = Closed {
            line: 1,
            reason: Reason::ServerCut,
            duration: None,
            upstream,
        };
        let label = source.record(&Event::StreamClosed(closed));
        assert_eq!(label.as_deref() == Some(OTHER), n >= UPSTREAMS_MAX, "{n}");
    }
    let text = metrics.render();
    let other = "holter_log_upstream_streams_closed_total{class=\"abnormal\",source=\"edge\",upstream=\"other\"} 3\n";
    assert!(text.contains(other), "{text}");
    let capped =
        "holter_series_dropped_total{metric=\"holter_log_upstream_streams_closed_total\"} 3\n";
    assert!(text.contains(capped), "{text}");
}
