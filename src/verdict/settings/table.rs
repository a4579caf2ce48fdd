//! The table of settings: product, setting, default, what it counts, source.
//!
//! A default that cuts streams can be recognised by its value; a setting that has none cannot, so these are
//! missing: HAProxy's time-outs, nginx's `worker_shutdown_timeout`, Envoy's `max_stream_duration` and
//! `max_connection_duration`, all of Caddy's that cut streams, Traefik's and Go's `WriteTimeout` (their other
//! defaults cut no stream), CloudFront's response completion, the time-outs of Java's and Go's HTTP clients.
//! So are limits that end before the first byte (Heroku's H12, undici's `headersTimeout`), and those of
//! sessions that an open stream keeps (Python's and C#'s MCP SDKs).
//!
//! The last group is unconfirmed: the value is documented or was measured by its source, but not that it
//! counts a stream's silence or age so, or it is the word of a third party.

use super::{Counts, Place, Setting};
use crate::reason::Reason;

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
const CLOUD_RUN: &str = "https://cloud.google.com/run/docs/configuring/request-timeout";
const APP_GATEWAY: &str = "https://github.com/hashicorp/terraform-provider-azurerm/pull/17162";
const APP_GATEWAY_PORTAL: &str = "https://github.com/MicrosoftDocs/azure-docs/issues/27797";
const FRONT_DOOR: &str = "https://oneuptime.com/blog/post/2026-02-16-how-to-fix-504-gateway-timeout-errors-in-azure-front-door/view";
const FRONT_DOOR_30: &str =
    "https://learn.microsoft.com/azure/frontdoor/front-door-troubleshoot-routing";
const RAILWAY: &str = "https://github.com/robhunter/agentdeals/issues/1098";
const HTTPX: &str = "https://www.python-httpx.org/advanced/timeouts";
const TYPESCRIPT_SDK: &str =
    "https://github.com/modelcontextprotocol/typescript-sdk/blob/main/src/shared/protocol.ts";
const APP_SERVICE: &str = "https://azure-advice.com/2024/08/26/navigating-the-230-second-timeout-in-azure-app-service-technical-insights-and-developer-considerations";

#[rustfmt::skip]
pub(super) const SETTINGS: [Setting; 43] = [
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
    beside("httpx", "read timeout", 5.0, Counts::Idle, Place::Before, HTTPX),
    beside("MCP SDK for TypeScript", "request timeout", 60.0, Counts::Total, Place::Before, TYPESCRIPT_SDK),
    beside("AWS ALB", "idle timeout", 60.0, Counts::Idle, Place::Before, ALB),
    beside("AWS NLB", "TCP idle timeout", 350.0, Counts::Idle, Place::Before, NLB),
    beside("Cloudflare", "proxy read timeout", 120.0, Counts::Idle, Place::Before, CLOUDFLARE),
    beside("Cloudflare", "idle connection of the client", 400.0, Counts::Idle, Place::Before, CLOUDFLARE),
    beside("Heroku", "rolling window", 55.0, Counts::Idle, Place::Before, HEROKU),
    beside("AWS CloudFront", "origin response timeout", 30.0, Counts::Idle, Place::Before, CLOUDFRONT),
    beside("AWS API Gateway", "idle timeout, edge-optimized", 30.0, Counts::Idle, Place::Before, API_GATEWAY),
    beside("AWS API Gateway", "idle timeout, regional", 300.0, Counts::Idle, Place::Before, API_GATEWAY),
    beside("AWS API Gateway", "integration timeout, buffered", 29.0, Counts::Total, Place::Before, API_GATEWAY),
    beside("AWS API Gateway", "longest streamed response", 900.0, Counts::Total, Place::Before, API_GATEWAY),
    beside("Fly", "http_options.idle_timeout", 60.0, Counts::Idle, Place::Before, FLY),
    beside("Azure Load Balancer", "idle timeout", 240.0, Counts::Idle, Place::Before, AZURE_LB),
    beside("Azure Container Apps", "request idle timeout", 240.0, Counts::Idle, Place::Before, CONTAINER_APPS),
    beside("AWS NLB", "TCP idle timeout", 350.0, Counts::Idle, Place::Behind, NLB),
    beside("AWS ALB", "idle timeout", 60.0, Counts::Idle, Place::Behind, ALB),
    beside("Azure Container Apps", "request idle timeout", 240.0, Counts::Idle, Place::Behind, CONTAINER_APPS),
    beside("Vercel", "maximum duration", 300.0, Counts::Total, Place::Behind, VERCEL),
    beside("Google Cloud Run", "request timeout", 300.0, Counts::Total, Place::Behind, CLOUD_RUN),
    // It counts the client's messages, not the stream's: seen as silence where the server is silent, and as age
    // where its comments flow (measured on 3.8.0).
    beside("MCP SDK for Rust (rmcp)", "session keep-alive", 300.0, Counts::Idle, Place::Behind, RMCP),
    beside("MCP SDK for Rust (rmcp)", "session keep-alive", 300.0, Counts::Total, Place::Behind, RMCP),
    // Unconfirmed.
    beside("Google Cloud load balancer", "backend service timeout", 30.0, Counts::Total, Place::Before, GOOGLE),
    beside("Cloudflare", "proxy read timeout (100 s in older texts)", 100.0, Counts::Idle, Place::Before, ORANGE_CLOUD),
    beside("Cloudflare", "proxy read timeout (125 s measured)", 125.0, Counts::Idle, Place::Before, RAILWAY),
    beside("Cloudflare", "proxy write timeout", 30.0, Counts::Idle, Place::Before, CLOUDFLARE),
    beside("Azure Application Gateway", "request time-out", 30.0, Counts::Idle, Place::Before, APP_GATEWAY),
    beside("Azure Application Gateway", "request time-out, set by the portal", 20.0, Counts::Idle, Place::Before, APP_GATEWAY_PORTAL),
    beside("Azure Front Door", "origin response timeout", 60.0, Counts::Idle, Place::Before, FRONT_DOOR),
    beside("Azure Front Door", "origin response timeout, classic", 30.0, Counts::Idle, Place::Before, FRONT_DOOR_30),
    beside("Railway", "edge timeout (300 s measured)", 300.0, Counts::Idle, Place::Before, RAILWAY),
    beside("Azure App Service", "request timeout", 230.0, Counts::Idle, Place::Behind, APP_SERVICE),
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
