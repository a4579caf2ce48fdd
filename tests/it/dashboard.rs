//! The shipped dashboard against what Holter really exports: every panel gets data from a real Prometheus.

use crate::scenarios::Scene;
use crate::support::nginx::Balance;
use crate::support::node::BEATING;
use crate::support::prometheus::Prometheus;
use serde_json::Value;

/// The queries of all panels, with Grafana's variables replaced as Grafana replaces them for "All".
fn queries() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/dashboards/streams.json"
    ))
    .unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| {
        let title = panel["title"].as_str().unwrap_or_default();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets.into_iter().map(move |target| {
            (
                title.to_owned(),
                target["expr"].as_str().unwrap().to_owned(),
            )
        })
    });
    let all = |(title, query): (String, String)| {
        let query = query.replace("$__rate_interval", "1m");
        let query = query.replace("$cluster", ".*").replace("$namespace", ".*");
        (
            title,
            query.replace("$job", ".+").replace("$instance", ".+"),
        )
    };
    targets.map(all).collect()
}

#[test]
fn every_panel_of_the_dashboard_has_data() {
    let mut scene = Scene::start(Balance::IpHash, BEATING, 300);
    let prometheus = Prometheus::start(Some(scene.holter.address));
    scene.wait_for_both_legs();
    // Ends and misses are counted from here, so that Prometheus sees them rise.
    prometheus.wait_for("holter_canary_up", |up| up == 1.0);
    scene.clients();
    let mut stream = scene.client().stream();
    stream.wait_for_line(":");
    scene.kill_owner();
    let queries = queries();
    assert!(queries.len() > 15, "only {} queries", queries.len());
    for (title, query) in queries {
        assert!(!query.contains('$'), "{title}: {query}");
        prometheus.wait_for(&query, |value| !value.is_nan());
    }
}
