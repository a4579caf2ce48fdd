//! Reading an ordinary request's line allocates nothing, in any proxy's format.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scoring;

use holter::access_log::Kind;
use holter::access_log::event::LineKind;

/// A format of each proxy, and its log.
const CASES: [(Kind, &str, &str); 11] = [
    (Kind::Nginx, "combined", "nginx/combined.log"),
    (Kind::Nginx, "upstreaminfo", "nginx/upstreaminfo.log"),
    (Kind::Apache, "combined", "apache/combined.log"),
    (Kind::Caddy, "json", "caddy/json_upstream.log"),
    (Kind::HaProxy, "httplog", "haproxy/httplog.log"),
    (Kind::Envoy, "default", "envoy/default.log"),
    (Kind::Envoy, "istio", "envoy/istio.log"),
    (Kind::Envoy, "json", "envoy/json.log"),
    // These by key: their members stand in another order than the preset's.
    (Kind::Nginx, "json", "nginx/json.log"),
    (Kind::Apache, "json", "apache/json.log"),
    (Kind::HaProxy, "json", "haproxy/json.log"),
];

#[test]
fn an_ordinary_line_allocates_nothing() {
    for (kind, format, log) in CASES {
        let format = scoring::compile(kind, format);
        let text = scoring::golden(log);
        let mut reader = scoring::reader(&format, false);
        let (now, mut out, mut ordinary) = (scoring::start(), Vec::with_capacity(1024), 0);
        // Requests of no session and no stream: the corpus's own, elsewhere and without their ids.
        let lines = text.lines().map(|line| {
            line.replace("/mcp", "/shop")
                .replace("/sse", "/cart")
                .replace("session", "basket")
                .replace("Session", "Basket")
        });
        let lines: Vec<String> = lines.collect();
        // Upstreams that fail are remembered: the table has grown once that happened.
        for line in &lines {
            reader.access(now, line.as_bytes(), &mut out);
        }
        out.clear();
        for line in &lines {
            let mut read = LineKind::Unparsed;
            let count = allocation_counter::measure(|| {
                read = reader.access(now, line.as_bytes(), &mut out);
            });
            if read == LineKind::Request && out.is_empty() {
                assert_eq!(count.count_total, 0, "{kind}: {line}");
                ordinary += 1;
            }
            out.clear();
        }
        assert!(ordinary > 100, "{kind} {log}: {ordinary}");
    }
}
