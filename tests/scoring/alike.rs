//! What a log cannot tell apart, and why: the only wrong answers that are no defect.
//!
//! Found by ending streams of real proxies in known ways and reading what they wrote. Whatever is not
//! listed here a log can tell, and to be told wrongly then is an error.

use holter::access_log::Kind;
use holter::reason::Reason;

/// What a log knows beside its access lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Knows {
    /// A second log is joined, and shows errors.
    pub errors: bool,
    /// What a line and its entry there have in common is too little to find every entry (Apache: neither
    /// the client's port, nor `%L`, nor the request's end).
    pub loosely: bool,
    /// It shows messages about clients, too (nginx: level `info`).
    pub clients: bool,
    /// Each line says how an answer ended in the proxy's own words (Envoy: `RESPONSE_CODE_DETAILS`).
    pub details: bool,
    /// Its proxy's version writes states that an older one does not, and Holter was not told it
    /// (HAProxy 3.x).
    pub newer: bool,
}

/// Whether an end that was truly this is told as that because nothing in the log shows the difference.
pub fn alike(kind: Kind, knows: Knows, truth: &str, told: Reason) -> bool {
    match kind {
        Kind::Nginx => nginx(knows, truth, told),
        Kind::Apache => apache(knows, truth, told),
        Kind::Caddy => caddy(knows, truth, told),
        Kind::HaProxy => haproxy(knows, truth, told),
        Kind::Envoy => envoy(knows, truth, told),
        Kind::Traefik => false,
    }
}

/// Without its entry in the second log, a 5xx of the proxy's own is no more than that.
fn own_error(truth: &str, told: Reason) -> bool {
    let failures = [
        "connect_refused",
        "connect_timeout",
        "dns_error",
        "no_upstream",
        "idle_timeout",
        "server_cut",
        "server_reset",
    ];
    told == Reason::Http5xx && failures.contains(&truth)
}

fn nginx(knows: Knows, truth: &str, told: Reason) -> bool {
    match (truth, told) {
        // A body without length or chunks ends where the connection ends: a killed server and one
        // that is done write the same log (proxy_http_version 1.0, EOF framing).
        ("server_cut", Reason::ServerClose) => true,
        // Without client messages, everything that left an answer incomplete is the client's side: the
        // coarser reason (a drain is told from it where the notices allow).
        ("client_reset" | "send_timeout" | "drain", Reason::ClientClose) => !knows.clients,
        _ => !knows.errors && own_error(truth, told),
    }
}

fn apache(knows: Knows, truth: &str, told: Reason) -> bool {
    match (truth, told) {
        // `X` is a client's connection that broke, whether by FIN, RST or HTTP/2's reset; one that does
        // not read is dropped, and logged as one that left.
        ("client_reset" | "send_timeout", Reason::ClientClose) => true,
        // A client that left a silent stream is found out at ProxyTimeout, and logged as that.
        ("client_close" | "client_reset", Reason::IdleTimeout) => knows.errors,
        // A body without length or chunks ends where the connection ends; a half-closed client is
        // answered to the end.
        ("server_cut" | "client_close", Reason::ServerClose) => true,
        // Without the error log, nothing tells that the server was stopped, or that an upstream failed
        // under an HTTP/2 stream.
        ("drain" | "server_reset", Reason::ClientClose) => !knows.errors,
        _ => (!knows.errors || knows.loosely) && own_error(truth, told),
    }
}

fn caddy(knows: Knows, truth: &str, told: Reason) -> bool {
    match (truth, told) {
        // Go knows only that the client is gone (`context canceled`), whether by FIN, RST, HTTP/2's reset,
        // by vanishing, or because the server's own write timeout closed its connection.
        ("client_reset" | "send_timeout" | "max_duration", Reason::ClientClose) => true,
        // A body without length or chunks ends where the connection ends.
        ("server_cut", Reason::ServerClose) => true,
        // Go tries again when a reused connection ends before headers; the killed server then refuses.
        ("server_cut", Reason::ConnectRefused) => true,
        _ => !knows.errors && own_error(truth, told),
    }
}

/// What HAProxy and Envoy have in common.
fn alone(truth: &str, told: Reason) -> bool {
    match (truth, told) {
        // A client's connection that broke or vanished ends as one that was closed: the coarser reason.
        ("client_reset" | "send_timeout", Reason::ClientClose) => true,
        // Likewise a server's: it ended without the last chunk.
        ("server_reset", Reason::ServerCut) => true,
        // A body without length or chunks ends where the connection ends.
        ("server_cut" | "server_reset", Reason::ServerClose) => true,
        // A name that does not resolve leaves a backend without servers.
        ("dns_error", Reason::NoUpstream) => true,
        _ => false,
    }
}

fn haproxy(knows: Knows, truth: &str, told: Reason) -> bool {
    match (truth, told) {
        // HAProxy goes on serving a client that closed its half.
        ("client_close", Reason::ServerClose) => true,
        // 2.x: a client that left a silent stream is noticed by nobody, until the silence is cut.
        ("client_close" | "client_reset", Reason::IdleTimeout) => true,
        // 3.x, and the version was not given: the manual's "client aborted" stands for the cut too.
        ("idle_timeout", Reason::ClientClose) => knows.newer,
        _ => alone(truth, told),
    }
}

fn envoy(knows: Knows, truth: &str, told: Reason) -> bool {
    match (truth, told) {
        // Silence and a client that does not read are one timer.
        ("send_timeout", Reason::IdleTimeout) => true,
        // Without details: a drain is `DC`, max_stream_duration `-`, and a failed connection `UF`.
        ("drain", Reason::ClientClose)
        | ("max_duration", Reason::ServerClose | Reason::Http5xx)
        | ("connect_refused" | "connect_timeout", Reason::Http5xx) => !knows.details,
        _ => alone(truth, told),
    }
}
