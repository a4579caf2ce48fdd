//! `holter demo` as a new user sees it: what it promises for the first minute, on `/metrics`, on the page and in
//! the terminal.

use crate::support::eventually;
use crate::support::holter::Holter;
use crate::support::http;

#[test]
fn the_demo_shows_reasons_gaps_and_misses() {
    let mut demo = Holter::demo();
    for reason in ["idle_timeout", "server_cut", "server_close", "client_close"] {
        demo.wait_for(
            &format!("holter_log_streams_closed_total{{reason=\"{reason}\"}}"),
            |count| count > 0.0,
        );
    }
    demo.wait_for(
        r#"holter_canary_disconnects_total{class="abnormal"}"#,
        |count| count > 0.0,
    );
    demo.wait_for("holter_canary_heartbeat_gap_seconds_count", |count| {
        count > 0.0
    });
    demo.wait_for("holter_canary_late_heartbeats_total", |count| count > 0.0);
    demo.wait_for(
        r#"holter_canary_affinity_misses_total{leg="proxy"}"#,
        |count| count > 0.0,
    );
    demo.wait_for("holter_log_session_affinity_misses_total", |count| {
        count > 0.0
    });

    let page = http::get(demo.address, "/").unwrap();
    assert_eq!(page.status, 200);
    for shown in [
        "idle_timeout",
        "server_cut",
        "Reached another replica",
        "Longest silence",
    ] {
        assert!(page.body.contains(shown), "{shown} is not on the page");
    }
    let status: serde_json::Value =
        serde_json::from_str(&http::get(demo.address, "/api/v1/status").unwrap().body).unwrap();
    assert_eq!(status["legs"].as_array().map(Vec::len), Some(4));
    let told = demo.stdout();
    for line in [
        "server_cut        side: server",
        "idle_timeout      side: proxy",
        "client_close      side: client",
    ] {
        assert!(
            told.contains(line),
            "{line:?} is not in the terminal:\n{told}"
        );
    }

    demo.terminate();
    assert_eq!(demo.wait_for_exit().code(), Some(0));
    eventually("its folder gone", || match demo.leftovers() {
        0 => Ok(()),
        left => Err(format!("{left} folders")),
    });
}
