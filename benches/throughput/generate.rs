//! An access log as a site writes whose nginx serves MCP beside everything else.
//!
//! The same seed gives the same bytes. Of the requests 2 % are streams (`GET /mcp`), 18 % carry or open
//! an MCP session (`POST /mcp`), the rest is ordinary: pages, scripts, images, an API, health checks.
//! It does not know who reads the log.

use std::fmt::Write as _;
use std::io::{self, Write};

use fastrand::Rng;
use holter::lab::proxy::LOG_FORMAT;

/// The requests' own variables as `escape=json`, as issue trackers and blogs recommend it.
pub(crate) const JSON_FORMAT: &str = r#"escape=json '{"time":"$time_iso8601","msec":$msec,"connection":$connection,"remote_addr":"$remote_addr","request_method":"$request_method","request_uri":"$request_uri","server_protocol":"$server_protocol","status":$status,"request_completion":"$request_completion","body_bytes_sent":$body_bytes_sent,"request_time":$request_time,"upstream_addr":"$upstream_addr","upstream_status":"$upstream_status","upstream_header_time":"$upstream_header_time","mcp_session_id":"$http_mcp_session_id","upstream_mcp_session_id":"$upstream_http_mcp_session_id","http_referer":"$http_referer","http_user_agent":"$http_user_agent"}'"#;

/// A format, and how its lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The format that the README recommends.
    Recommended,
    /// nginx's own.
    Combined,
    /// [`JSON_FORMAT`].
    Json,
}

impl Kind {
    /// Each of them.
    pub(crate) const ALL: [Self; 3] = [Self::Recommended, Self::Combined, Self::Json];

    /// Its name in the table and on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Recommended => "recommended",
            Self::Combined => "combined",
            Self::Json => "json",
        }
    }

    /// What to give to Holter.
    pub(crate) fn format(self) -> &'static str {
        match self {
            Self::Recommended => LOG_FORMAT,
            Self::Combined => "combined",
            Self::Json => JSON_FORMAT,
        }
    }

    /// What `grep` is asked to count: requests that the client gave up.
    pub(crate) fn needle(self) -> &'static str {
        match self {
            Self::Json => "\"status\":499",
            _ => "\" 499 ",
        }
    }
}

const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "kube-probe/1.31",
    "curl/8.11.0",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
];
const CLIENTS: [&str; 4] = [
    "claude-code/1.0.43",
    "python-httpx/0.27.2",
    "node",
    "Cursor/0.45.11",
];
const PATHS: [&str; 9] = [
    "/",
    "/healthz",
    "/assets/index-4f1c2d9a.js",
    "/assets/index-88e0b7.css",
    "/images/products/large/204517.webp",
    "/api/v2/search?q=session+affinity&page=",
    "/api/v2/orders/5c1d7e90-5f0a-4f8e-9a44-0f1fbe1d7c55?expand=items,customer&trace=",
    "/api/v2/users/me",
    "/favicon.ico",
];
const UPSTREAMS: [&str; 3] = ["10.42.0.17:8080", "10.42.1.9:8080", "10.42.2.31:8080"];

/// One request's variables.
struct Request {
    millis: u64,
    took: u64,
    connection: u64,
    client: [u8; 4],
    method: &'static str,
    uri: String,
    status: u16,
    complete: bool,
    bytes: u64,
    referer: &'static str,
    agent: &'static str,
    upstream: &'static str,
    sent: String,
    minted: String,
}

/// Writes about so many bytes; gives the number of lines.
pub(crate) fn write(kind: Kind, size: u64, seed: u64, to: &mut impl Write) -> io::Result<u64> {
    let (mut rng, mut line) = (Rng::with_seed(seed), String::new());
    let (mut lines, mut written, mut millis) = (0, 0, 1_795_168_781_360);
    while written < size {
        millis += rng.u64(0..3);
        let request = request(&mut rng, lines, millis);
        line.clear();
        render(kind, &request, &mut line).map_err(io::Error::other)?;
        to.write_all(line.as_bytes())?;
        written += line.len() as u64;
        lines += 1;
    }
    Ok(lines)
}

fn request(rng: &mut Rng, lines: u64, millis: u64) -> Request {
    let mut request = ordinary(rng, lines, millis);
    let session = rng.u64(0..4096);
    let home = UPSTREAMS[(session % 3) as usize];
    match rng.u32(0..100) {
        0..2 => {
            request.method = "GET";
            request.uri = "/mcp".to_owned();
            request.took = rng.u64(0..300_000);
            request.status = [200, 200, 200, 200, 499, 504][rng.usize(0..6)];
            request.complete = rng.bool();
            request.sent = uuid(session);
        }
        2..4 => {
            request.minted = uuid(session);
        }
        4..20 => request.sent = uuid(session),
        _ => return request,
    }
    if request.method != "GET" || request.uri != "/mcp" {
        request.method = "POST";
        request.uri = "/mcp".to_owned();
        request.status = [202, 200][rng.usize(0..2)];
    }
    (request.upstream, request.referer) = (home, "-");
    request.agent = CLIENTS[rng.usize(0..CLIENTS.len())];
    request
}

fn ordinary(rng: &mut Rng, lines: u64, millis: u64) -> Request {
    let path = PATHS[rng.usize(0..PATHS.len())];
    let uri = match path.ends_with('=') {
        true => format!("{path}{}", rng.u32(..)),
        false => path.to_owned(),
    };
    let status = [200, 200, 200, 200, 200, 200, 304, 304, 301, 404, 499, 502][rng.usize(0..12)];
    Request {
        millis,
        took: rng.u64(0..900),
        connection: lines / 5 + 1,
        client: [10, rng.u8(..), rng.u8(..), rng.u8(1..255)],
        method: ["GET", "GET", "GET", "GET", "POST", "HEAD"][rng.usize(0..6)],
        uri,
        status,
        complete: status != 499,
        bytes: rng.u64(0..90_000),
        referer: ["-", "https://shop.example.com/category/42?sort=price"][rng.usize(0..2)],
        agent: AGENTS[rng.usize(0..AGENTS.len())],
        upstream: UPSTREAMS[rng.usize(0..UPSTREAMS.len())],
        sent: String::new(),
        minted: String::new(),
    }
}

/// An id that looks like a UUID; different numbers give different ids.
pub(crate) fn uuid(number: u64) -> String {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (high, low) = (mixed >> 32, mixed & 0xffff_ffff);
    format!(
        "{high:08x}-{:04x}-4a8e-9dfc-{low:08x}{:04x}",
        low >> 16,
        high & 0xffff
    )
}

fn render(kind: Kind, request: &Request, line: &mut String) -> std::fmt::Result {
    let Request {
        millis,
        took,
        connection,
        client: [a, b, c, d],
        method,
        uri,
        status,
        bytes,
        referer,
        agent,
        upstream,
        ..
    } = request;
    let (seconds, fraction) = (millis / 1000, millis % 1000);
    let clock = clock(seconds % 86_400);
    let (took, took_fraction) = (took / 1000, took % 1000);
    let ok = if request.complete { "OK" } else { "" };
    if kind == Kind::Json {
        let (sent, minted) = (&request.sent, &request.minted);
        return writeln!(
            line,
            r#"{{"time":"2026-11-20T{clock}+00:00","msec":{seconds}.{fraction:03},"connection":{connection},"remote_addr":"{a}.{b}.{c}.{d}","request_method":"{method}","request_uri":"{uri}","server_protocol":"HTTP/1.1","status":{status},"request_completion":"{ok}","body_bytes_sent":{bytes},"request_time":{took}.{took_fraction:03},"upstream_addr":"{upstream}","upstream_status":"{status}","upstream_header_time":"0.004","mcp_session_id":"{sent}","upstream_mcp_session_id":"{minted}","http_referer":"{referer}","http_user_agent":"{agent}"}}"#
        );
    }
    write!(
        line,
        r#"{a}.{b}.{c}.{d} - - [20/Nov/2026:{clock} +0000] "{method} {uri} HTTP/1.1" {status} {bytes} "{referer}" "{agent}""#
    )?;
    if kind == Kind::Recommended {
        let (sent, minted) = (or_dash(&request.sent), or_dash(&request.minted));
        let content_type = match (*method, &**uri, status) {
            ("GET", "/mcp", 200) => "text/event-stream",
            ("POST", ..) => "application/json",
            _ => "text/html",
        };
        write!(
            line,
            r#" conn={connection} completion="{ok}" rt={took}.{took_fraction:03} upstream="{upstream}" us_status="{status}" uht="0.004" sid="{sent}" up_sid="{minted}" mcp="-" ct="{content_type}" uct="0.000""#
        )?;
    }
    line.write_char('\n')
}

fn clock(second: u64) -> String {
    format!(
        "{:02}:{:02}:{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// Writes requests in the recommended format that open a session each; gives the number of bytes.
pub(crate) fn write_sessions(count: u64, mut to: impl Write) -> io::Result<u64> {
    let (mut rng, mut line, mut bytes) = (Rng::with_seed(1), String::new(), 0);
    for number in 0..count {
        let mut request = ordinary(&mut rng, number, 1_795_168_781_360 + number);
        (request.method, request.uri, request.status) = ("POST", "/mcp".to_owned(), 200);
        request.minted = uuid(number);
        line.clear();
        render(Kind::Recommended, &request, &mut line).map_err(io::Error::other)?;
        to.write_all(line.as_bytes())?;
        bytes += line.len() as u64;
    }
    to.flush()?;
    Ok(bytes)
}
