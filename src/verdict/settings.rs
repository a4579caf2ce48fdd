//! Settings that are known to cut streams, with their defaults: candidates, never a verdict.
//!
//! A table and two look-ups. In a proxy's log, its own reasons (`idle_timeout`, …) can only come from its
//! own settings; an end that the proxy saw as the client's or the server's can come from whatever stands
//! on that side. A canary is a client: what it sees can come from anything between it and the server,
//! but not from another client. The table does not know streams.

use serde::Serialize;

use crate::canary::Leg;
use crate::canary::fingerprint::CutOff;
use crate::label::label;
use crate::reason::Reason;

/// A setting that can cut a stream.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Setting {
    /// Whose.
    pub product: &'static str,
    /// Its name, as the manual writes it.
    pub setting: &'static str,
    /// Its default.
    pub default_seconds: f64,
    /// What it counts.
    #[serde(serialize_with = "as_str")]
    pub counts: Counts,
    /// Where that is documented.
    pub source: &'static str,
    /// On which side of the proxy that logged.
    #[serde(skip)]
    place: Place,
}

label! {
    /// What a setting counts.
    pub enum Counts {
        /// Silence.
        Idle => "idle",
        /// Age.
        Total => "total",
        /// The time to connect.
        Connect => "connect",
    }
}

/// Where a setting works, seen from the proxy whose log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the proxy itself: product, and the reason that its log gives.
    Own(Reason),
    /// In the client, or in what stands before the proxy: it looks like a client that leaves.
    Before,
    /// In the server, or in what stands behind: it looks like a server that ends or breaks.
    Behind,
}

const NGINX_PROXY: &str = "https://nginx.org/en/docs/http/ngx_http_proxy_module.html";
const NGINX_CORE: &str = "https://nginx.org/en/docs/http/ngx_http_core_module.html";
const ENVOY: &str = "https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts";
const APACHE: &str = "https://httpd.apache.org/docs/2.4/mod/mod_proxy.html";
const ALB: &str = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html";
const NLB: &str =
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html";
const HEROKU: &str = "https://devcenter.heroku.com/articles/request-timeout";
const VERCEL: &str = "https://vercel.com/docs/functions/limitations";
const UNDICI: &str = "https://github.com/nodejs/undici/blob/main/docs/docs/api/Client.md";
const PYTHON_SDK: &str =
    "https://github.com/modelcontextprotocol/python-sdk/blob/main/src/mcp/shared/_httpx_utils.py";
const AIOHTTP: &str = "https://docs.aiohttp.org/en/stable/client_reference.html";
const CLOUDFLARE: &str =
    "https://developers.cloudflare.com/fundamentals/reference/connection-limits/";
const INGRESS: &str =
    "https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/configmap/";
const FLY: &str = "https://fly.io/docs/reference/services/";
const CLOUDFRONT: &str = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesOrigin.html";
const API_GATEWAY: &str =
    "https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html";
const GOOGLE: &str = "https://cloud.google.com/load-balancing/docs/https#timeouts_and_retries";
const AZURE_LB: &str =
    "https://learn.microsoft.com/azure/load-balancer/load-balancer-tcp-idle-timeout";
const CONTAINER_APPS: &str = "https://learn.microsoft.com/azure/container-apps/premium-ingress";
const ORANGE_CLOUD: &str = "https://github.com/chen2he/orange-cloud/issues/144";
const RMCP: &str = "https://github.com/modelcontextprotocol/rust-sdk/pull/780";
const APP_SERVICE: &str = "https://azure-advice.com/2024/08/26/navigating-the-230-second-timeout-in-azure-app-service-technical-insights-and-developer-considerations";

/// Products that are clients themselves: they cut their own streams, never a canary's.
const CLIENTS: [&str; 3] = ["undici (Node fetch)", "MCP SDK for Python", "aiohttp"];

/// The table. What is documented as a lifetime or a silence only for other protocols is left out.
#[rustfmt::skip]
const SETTINGS: [Setting; 30] = [
    own("nginx", "proxy_read_timeout", 60.0, Counts::Idle, Reason::IdleTimeout, NGINX_PROXY),
    own("nginx", "send_timeout", 60.0, Counts::Idle, Reason::SendTimeout, NGINX_CORE),
    own("nginx", "proxy_connect_timeout", 60.0, Counts::Connect, Reason::ConnectTimeout, NGINX_PROXY),
    own("nginx", "worker-shutdown-timeout of ingress-nginx", 240.0, Counts::Total, Reason::Drain, INGRESS),
    own("envoy", "stream_idle_timeout", 300.0, Counts::Idle, Reason::IdleTimeout, ENVOY),
    own("envoy", "route timeout", 15.0, Counts::Total, Reason::MaxDuration, ENVOY),
    own("envoy", "connect_timeout", 5.0, Counts::Connect, Reason::ConnectTimeout, ENVOY),
    own("apache", "ProxyTimeout", 60.0, Counts::Idle, Reason::IdleTimeout, APACHE),
    beside("undici (Node fetch)", "bodyTimeout", 300.0, Counts::Idle, Place::Before, UNDICI),
    beside("MCP SDK for Python", "SSE read timeout", 300.0, Counts::Idle, Place::Before, PYTHON_SDK),
    beside("aiohttp", "ClientTimeout total", 300.0, Counts::Total, Place::Before, AIOHTTP),
    beside("AWS ALB", "idle timeout", 60.0, Counts::Idle, Place::Before, ALB),
    beside("AWS NLB", "TCP idle timeout", 350.0, Counts::Idle, Place::Before, NLB),
    beside("Cloudflare", "proxy read timeout", 120.0, Counts::Idle, Place::Before, CLOUDFLARE),
    beside("Heroku", "rolling window", 55.0, Counts::Idle, Place::Before, HEROKU),
    beside("AWS CloudFront", "origin response timeout", 30.0, Counts::Idle, Place::Before, CLOUDFRONT),
    beside("AWS API Gateway", "idle timeout, edge-optimized", 30.0, Counts::Idle, Place::Before, API_GATEWAY),
    beside("AWS API Gateway", "idle timeout, regional", 300.0, Counts::Idle, Place::Before, API_GATEWAY),
    beside("AWS API Gateway", "integration timeout, buffered", 29.0, Counts::Total, Place::Before, API_GATEWAY),
    beside("Google Cloud load balancer", "backend service timeout", 30.0, Counts::Total, Place::Before, GOOGLE),
    beside("Cloudflare", "proxy read timeout (100 s in older texts)", 100.0, Counts::Idle, Place::Before, ORANGE_CLOUD),
    beside("Fly", "http_options.idle_timeout", 60.0, Counts::Idle, Place::Before, FLY),
    beside("Azure Load Balancer", "idle timeout", 240.0, Counts::Idle, Place::Before, AZURE_LB),
    beside("Azure Container Apps", "request idle timeout", 240.0, Counts::Idle, Place::Before, CONTAINER_APPS),
    beside("AWS NLB", "TCP idle timeout", 350.0, Counts::Idle, Place::Behind, NLB),
    beside("AWS ALB", "idle timeout", 60.0, Counts::Idle, Place::Behind, ALB),
    beside("Azure App Service", "request timeout", 230.0, Counts::Idle, Place::Behind, APP_SERVICE),
    beside("MCP SDK for Rust (rmcp)", "session keep-alive", 300.0, Counts::Idle, Place::Behind, RMCP),
    beside("Azure Container Apps", "request idle timeout", 240.0, Counts::Idle, Place::Behind, CONTAINER_APPS),
    beside("Vercel", "maximum duration", 300.0, Counts::Total, Place::Behind, VERCEL),
];

const fn own(
    product: &'static str,
    setting: &'static str,
    default_seconds: f64,
    counts: Counts,
    reason: Reason,
    source: &'static str,
) -> Setting {
    beside(
        product,
        setting,
        default_seconds,
        counts,
        Place::Own(reason),
        source,
    )
}

const fn beside(
    product: &'static str,
    setting: &'static str,
    default_seconds: f64,
    counts: Counts,
    place: Place,
    source: &'static str,
) -> Setting {
    Setting {
        product,
        setting,
        default_seconds,
        counts,
        source,
        place,
    }
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {} ({} s)",
            self.product, self.setting, self.default_seconds
        )
    }
}

impl Setting {
    /// Whether this age is the default, within half a second or one part in a hundred: logged lives
    /// are up to 0.12 s off the true ones (measured on nginx, Envoy and Caddy).
    pub fn is_default(&self, seconds: f64) -> bool {
        (seconds - self.default_seconds).abs() <= (self.default_seconds / 100.0).max(0.5)
    }

    fn can_cause(&self, product: &str, reason: Reason) -> bool {
        match self.place {
            Place::Own(cause) => self.product == product && cause == reason,
            Place::Before => matches!(
                reason,
                Reason::ClientClose | Reason::ClientReset | Reason::Unknown
            ),
            Place::Behind => matches!(
                reason,
                Reason::ServerClose | Reason::ServerCut | Reason::ServerReset | Reason::Unknown
            ),
        }
    }
}

/// The settings that may stand behind ends of this reason, in this product's log, at this age: those
/// with such a default; for a reason of the proxy's own also its setting with another value.
pub fn candidates(product: &str, reason: Reason, seconds: f64) -> Vec<Setting> {
    let mut found: Vec<Setting> = Vec::new();
    for setting in &SETTINGS {
        let is_own = matches!(setting.place, Place::Own(_));
        let fits = setting.can_cause(product, reason) && (is_own || setting.is_default(seconds));
        let known =
            |other: &Setting| (other.product, other.setting) == (setting.product, setting.setting);
        if fits && !found.iter().any(known) {
            found.push(*setting);
        }
    }
    found
}

/// The settings that may stand behind a cut-off that a canary saw: whatever counts the same and has this
/// default, as long as it can stand on the way of this leg.
pub fn behind_cut_off(leg: Leg, kind: CutOff, seconds: f64) -> Vec<Setting> {
    let counts = match kind {
        CutOff::Idle => Counts::Idle,
        CutOff::Total => Counts::Total,
    };
    let mut found: Vec<Setting> = Vec::new();
    for setting in &SETTINGS {
        let is_on_the_way = match setting.place {
            // A canary reads what it is sent, so that limit cannot cut it.
            Place::Own(Reason::SendTimeout) => false,
            Place::Own(_) => leg == Leg::Proxy,
            Place::Before => leg == Leg::Proxy && !CLIENTS.contains(&setting.product),
            Place::Behind => true,
        };
        let known =
            |other: &Setting| (other.product, other.setting) == (setting.product, setting.setting);
        let fits = is_on_the_way && setting.counts == counts && setting.is_default(seconds);
        if fits && !found.iter().any(known) {
            found.push(*setting);
        }
    }
    found
}

fn as_str<S: serde::Serializer>(counts: &Counts, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(crate::label::Label::as_str(*counts))
}

#[cfg(test)]
mod tests {
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
            &["nginx", "apache", "AWS ALB", "Fly"],
        );
        check(Leg::Direct, Idle, 60.0, &["AWS ALB"]);
        check(Leg::Proxy, Total, 60.0, &[]);
        check(Leg::Proxy, Total, 15.1, &["envoy"]);
        check(Leg::Proxy, Idle, 55.2, &["Heroku"]);
        check(Leg::Proxy, Idle, 350.0, &["AWS NLB"]);
        check(Leg::Direct, Total, 300.0, &["Vercel"]);
        let at_300 = behind_cut_off(Leg::Proxy, Idle, 300.0);
        assert!(
            at_300
                .iter()
                .all(|setting| !CLIENTS.contains(&setting.product))
        );
    }

    #[test]
    fn the_cut_offs_that_users_report_all_have_a_candidate() {
        for seconds in [30.0, 55.0, 60.0, 100.0, 120.0, 230.0, 240.0, 300.0, 350.0] {
            assert!(
                !behind_cut_off(Leg::Proxy, CutOff::Idle, seconds).is_empty(),
                "{seconds}"
            );
        }
    }

    #[test]
    fn every_setting_names_its_source() {
        for setting in SETTINGS {
            assert!(setting.source.starts_with("https://"), "{setting:?}");
            assert!(setting.default_seconds > 0.0);
            assert!(setting.is_default(setting.default_seconds));
        }
    }
}
