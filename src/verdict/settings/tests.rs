//! What is named for which end.

use super::*;

fn check(product: &str, reason: Reason, seconds: f64, expected: &[&str]) {
    let found = candidates(product, reason, seconds);
    let names: Vec<_> = found
        .iter()
        .map(|s| format!("{} {}", s.product, s.setting))
        .collect();
    assert_eq!(names, expected, "{product} {reason} {seconds}");
}

#[test]
fn a_proxys_own_reason_names_its_own_setting() {
    use Reason::*;
    check("nginx", IdleTimeout, 60.0, &["nginx proxy_read_timeout"]);
    check("nginx", IdleTimeout, 3.0, &["nginx proxy_read_timeout"]);
    check("envoy", IdleTimeout, 300.0, &["envoy stream_idle_timeout"]);
    check("caddy", IdleTimeout, 60.0, &[]);
    check("nginx", MaxDuration, 15.0, &[]);
}

#[test]
fn other_sides_need_the_default() {
    use Reason::*;
    let at_300 = [
        "undici (Node fetch) bodyTimeout",
        "MCP SDK for Python SSE read timeout",
        "aiohttp ClientTimeout total",
        "AWS API Gateway idle timeout, regional",
        "Railway edge timeout (300 s measured)",
    ];
    check("nginx", ClientClose, 300.1, &at_300);
    check("nginx", ClientClose, 200.0, &[]);
    check(
        "nginx",
        ServerCut,
        230.0,
        &["Azure App Service request timeout"],
    );
    check("nginx", Unknown, 350.0, &["AWS NLB TCP idle timeout"]);
    check("nginx", Http4xx, 60.0, &[]);
}

#[test]
fn a_canary_names_what_stands_on_its_way() {
    fn check(leg: Leg, kind: CutOff, seconds: f64, expected: &[&str]) {
        let found = behind_cut_off(leg, kind, seconds);
        let names: Vec<_> = found.iter().map(|setting| setting.product).collect();
        assert_eq!(names, expected, "{leg} {kind} {seconds}");
    }
    use CutOff::{Idle, Total};
    check(
        Leg::Proxy,
        Idle,
        60.0,
        &["nginx", "apache", "AWS ALB", "Fly", "Azure Front Door"],
    );
    check(Leg::Direct, Idle, 60.0, &["AWS ALB"]);
    check(Leg::Proxy, Total, 60.0, &[]);
    check(Leg::Proxy, Total, 15.1, &["envoy"]);
    check(Leg::Proxy, Idle, 55.2, &["Heroku"]);
    check(Leg::Proxy, Idle, 350.0, &["AWS NLB"]);
    check(
        Leg::Direct,
        Total,
        300.0,
        &["Vercel", "Google Cloud Run", "MCP SDK for Rust (rmcp)"],
    );
    let at_300 = behind_cut_off(Leg::Proxy, Idle, 300.0);
    assert!(
        at_300
            .iter()
            .all(|setting| !CLIENTS.contains(&setting.product))
    );
}

const AT_30: [&str; 5] = [
    "AWS CloudFront origin response timeout",
    "AWS API Gateway idle timeout, edge-optimized",
    "Cloudflare proxy write timeout",
    "Azure Application Gateway request time-out",
    "Azure Front Door origin response timeout, classic",
];
const AT_60: [&str; 5] = [
    "nginx proxy_read_timeout",
    "apache ProxyTimeout",
    "AWS ALB idle timeout",
    "Fly http_options.idle_timeout",
    "Azure Front Door origin response timeout",
];
const AT_240: [&str; 2] = [
    "Azure Load Balancer idle timeout",
    "Azure Container Apps request idle timeout",
];
const AT_300: [&str; 4] = [
    "envoy stream_idle_timeout",
    "AWS API Gateway idle timeout, regional",
    "MCP SDK for Rust (rmcp) session keep-alive",
    "Railway edge timeout (300 s measured)",
];
const TOTAL_300: [&str; 3] = [
    "Vercel maximum duration",
    "Google Cloud Run request timeout",
    "MCP SDK for Rust (rmcp) session keep-alive",
];
/// What a canary behind a proxy is told for each cut-off that users report.
const BY_VALUE: [(f64, CutOff, &[&str]); 18] = [
    (30.0, CutOff::Idle, &AT_30),
    (55.0, CutOff::Idle, &["Heroku rolling window"]),
    (60.0, CutOff::Idle, &AT_60),
    (
        100.0,
        CutOff::Idle,
        &["Cloudflare proxy read timeout (100 s in older texts)"],
    ),
    (120.0, CutOff::Idle, &["Cloudflare proxy read timeout"]),
    (230.0, CutOff::Idle, &["Azure App Service request timeout"]),
    (240.0, CutOff::Idle, &AT_240),
    (300.0, CutOff::Idle, &AT_300),
    (350.0, CutOff::Idle, &["AWS NLB TCP idle timeout"]),
    (
        30.0,
        CutOff::Total,
        &["Google Cloud load balancer backend service timeout"],
    ),
    (55.0, CutOff::Total, &[]),
    (60.0, CutOff::Total, &[]),
    (100.0, CutOff::Total, &[]),
    (120.0, CutOff::Total, &[]),
    (230.0, CutOff::Total, &[]),
    (
        240.0,
        CutOff::Total,
        &["nginx worker-shutdown-timeout of ingress-nginx"],
    ),
    (300.0, CutOff::Total, &TOTAL_300),
    (350.0, CutOff::Total, &[]),
];

#[test]
fn the_cut_offs_that_users_report_name_these_settings() {
    for (seconds, kind, expected) in BY_VALUE {
        let found = behind_cut_off(Leg::Proxy, kind, seconds);
        let names: Vec<_> = found
            .iter()
            .map(|setting| format!("{} {}", setting.product, setting.setting))
            .collect();
        assert_eq!(names, expected, "{seconds} {kind}");
        let is_known = cut_offs(kind).any(|after| after == Duration::from_secs_f64(seconds));
        assert!(is_known, "{seconds} {kind}");
    }
}

#[test]
fn only_what_cuts_canaries_is_looked_for() {
    let known = |kind, seconds| cut_offs(kind).any(|after| after == Duration::from_secs(seconds));
    assert!(known(CutOff::Total, 900) && known(CutOff::Idle, 400));
    assert!(!known(CutOff::Idle, 5), "a client's");
    assert!(!known(CutOff::Idle, 900), "an age");
}

#[test]
fn every_setting_names_its_source() {
    for setting in SETTINGS {
        assert!(setting.source.starts_with("https://"), "{setting:?}");
        assert!(setting.default_seconds > 0.0);
        assert!(setting.is_default(setting.default_seconds));
    }
}
