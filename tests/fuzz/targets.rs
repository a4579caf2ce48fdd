//! What is fuzzed: each target takes any bytes and must neither panic nor break its promise.
//!
//! Shared by `tests/fuzz_seeds.rs` (a short deterministic run in every `cargo test`) and the crate under
//! `fuzz/` (coverage-guided). To add a format, add a row to [`TARGETS`]. It does not know where inputs come from.

use std::hash::RandomState;
use std::sync::LazyLock;
use std::time::Instant;

use holter::access_log::marks::Marks;
use holter::access_log::reader::Reader;
use holter::access_log::rules::{Preset, Rules};
use holter::access_log::streams::StreamRule;
use holter::access_log::{Format, Kind, Parsed};
use holter::affinity::{DEFAULT_IDLE, Table};
use holter::config::Config;
use holter::lab::proxy::LOG_FORMAT;
use holter::sse::{Frame, Tap};
use holter::tail::lines::{Lines, Piece};

#[path = "seeds.rs"]
mod seeds;

use seeds::{
    APACHE_DIRECTIVE, APACHE_SEEDS, ENVOY_JSON, ENVOY_TEXT, ENVOY_YAML, HAPROXY_SEEDS,
    HAPROXY_SETUP, NGINX_DIRECTIVE, NGINX_SEEDS, RULES_SEEDS, SSE_SEEDS, TRAEFIK_SEEDS,
};

/// One thing to fuzz.
pub(crate) struct Target {
    /// Its name: of its corpus, and in `scripts/fuzz`.
    pub(crate) name: &'static str,
    /// The golden files that its seeds come from: a path under `tests/golden`, `*` at its end for a
    /// folder, and what is put before each seed.
    pub(crate) seeds: &'static [(&'static str, &'static str)],
    /// Seeds beside those: what the golden files hold none of.
    pub(crate) own: &'static [&'static str],
    /// What is done with an input.
    pub(crate) job: Job,
}

/// What is done with an input.
pub(crate) enum Job {
    /// The wire tap: any chunking gives the same frames.
    Sse,
    /// The line splitter: any chunking gives the same lines.
    Tail,
    /// A configuration file.
    Config,
    /// A format string or directive.
    Compile(Compile),
    /// The first line is a format, or a preset's number; the others are read by it.
    Lines(Compile, &'static [&'static str]),
    /// Lines of the second log of a proxy that writes this format.
    ErrorLog(Compile, &'static str),
}

type Compile = fn(&str) -> Option<Format>;

fn nginx(text: &str) -> Option<Format> {
    Format::compile(Kind::Nginx, text).ok()
}

fn apache(text: &str) -> Option<Format> {
    Format::compile(Kind::Apache, text).ok()
}

fn caddy(text: &str) -> Option<Format> {
    Format::compile(Kind::Caddy, text).ok()
}

fn traefik(text: &str) -> Option<Format> {
    Format::compile(Kind::Traefik, text).ok()
}

fn haproxy(text: &str) -> Option<Format> {
    Format::compile(Kind::HaProxy, text).ok()
}

fn envoy(text: &str) -> Option<Format> {
    Format::compile(Kind::Envoy, text).ok()
}

/// Every preset, whatever the text: compiled once, for that takes longer than a run.
fn rules(_: &str) -> Option<Format> {
    static RULES: LazyLock<Rules> =
        LazyLock::new(|| Rules::new(Vec::new(), &[Preset::Spring, Preset::Sdk]));
    Some(Format::Rules(RULES.clone()))
}

/// `escape=json`, short.
const NGINX_JSON: &str = r#"{"msec":$msec,"connection":$connection,"request_method":"$request_method","request_uri":"$request_uri","status":$status,"request_completion":"$request_completion","request_time":$request_time,"upstream_addr":"$upstream_addr","upstream_header_time":"$upstream_header_time","mcp_session_id":"$http_mcp_session_id","upstream_mcp_session_id":"$upstream_http_mcp_session_id","http_user_agent":"$http_user_agent"}"#;
const NGINX: [&str; 5] = ["combined", "upstreaminfo", LOG_FORMAT, NGINX_JSON, "json"];

/// Apache's own values in every place that a target knows.
const APACHE_KV: &str = r#"time=%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{%z}t client=%a cport=%{remote}p method=%m uri=\"%U%q\" status=%>s us=%D conn=%X worker=\"%{BALANCER_WORKER_NAME}e\" sid=\"%{Mcp-Session-Id}i\" up_sid=\"%{Mcp-Session-Id}o\" logid=\"%L\" ua=\"%{User-Agent}i\""#;
const APACHE: [&str; 3] = ["combined", APACHE_KV, "json"];

const HAPROXY_JSON: &str = r#"log-format '{"time":"%tr","ci":"%ci","cp":%cp,"fe":"%f","srv":"%s","srv_addr":"%si:%sp","Ta":%Ta,"status":%ST,"term":"%tsc","retries":"%rc","method":"%HM","path":"%HP","query":"%HQ","sid":"%[capture.req.hdr(0),json(utf8s)]","up_sid":"%[capture.res.hdr(0),json(utf8s)]"}'"#;
const HAPROXY_NAMED: &str = "%{+json}o %(time)tr %(srv)s %(Ta:sint)Ta %(ST)ST %(term)tsc %(line){+Q}r %(sid)[capture.req.hdr(0)]";
const HAPROXY: [&str; 3] = ["httplog", HAPROXY_JSON, "json"];

const ENVOY: [&str; 3] = ["default", "istio", "json"];

/// Every target.
#[rustfmt::skip]
pub(crate) const TARGETS: &[Target] = &[
    Target { name: "sse", seeds: &[], own: &SSE_SEEDS, job: Job::Sse },
    Target { name: "tail", seeds: &[("access_log/nginx/combined.log.gz", "7")], own: &[], job: Job::Tail },
    Target { name: "config", seeds: &[("config/good/*", ""), ("config/bad/*", "")], own: &[], job: Job::Config },
    Target { name: "nginx-format", seeds: &[], own: &["combined", LOG_FORMAT, NGINX_DIRECTIVE], job: Job::Compile(nginx) },
    Target { name: "nginx", seeds: &[("access_log/nginx/combined.log.gz", "0\n"), ("access_log/nginx/upstreaminfo.log.gz", "1\n"), ("access_log/nginx/json.log.gz", "4\n")], own: &NGINX_SEEDS, job: Job::Lines(nginx, &NGINX) },
    Target { name: "nginx-error", seeds: &[("access_log/nginx/error_info.log.gz", "")], own: &[], job: Job::ErrorLog(nginx, "combined") },
    Target { name: "apache-format", seeds: &[], own: &["vhost_combined", APACHE_KV, APACHE_DIRECTIVE], job: Job::Compile(apache) },
    Target { name: "apache", seeds: &[("access_log/apache/combined.log.gz", "0\n"), ("access_log/apache/json.log.gz", "2\n")], own: &APACHE_SEEDS, job: Job::Lines(apache, &APACHE) },
    Target { name: "apache-error", seeds: &[("access_log/apache/error.log.gz", "")], own: &[], job: Job::ErrorLog(apache, "combined") },
    Target { name: "caddy", seeds: &[("access_log/caddy/json.log.gz", "0\n"), ("access_log/caddy/json_upstream.log.gz", "0\n")], own: &[], job: Job::Lines(caddy, &["json"]) },
    Target { name: "caddy-error", seeds: &[("access_log/caddy/runtime.log.gz", "")], own: &[], job: Job::ErrorLog(caddy, "json") },
    Target { name: "traefik", seeds: &[], own: &TRAEFIK_SEEDS, job: Job::Lines(traefik, &["common", "json"]) },
    Target { name: "haproxy-format", seeds: &[], own: &["httpslog", HAPROXY_JSON, HAPROXY_NAMED, HAPROXY_SETUP], job: Job::Compile(haproxy) },
    Target { name: "haproxy", seeds: &[("access_log/haproxy/httplogcap.log.gz", "0\n"), ("access_log/haproxy/json.log.gz", "2\n")], own: &HAPROXY_SEEDS, job: Job::Lines(haproxy, &HAPROXY) },
    Target { name: "envoy-format", seeds: &[], own: &["istio", ENVOY_TEXT, ENVOY_JSON, ENVOY_YAML], job: Job::Compile(envoy) },
    Target { name: "envoy", seeds: &[("access_log/envoy/default.log.gz", "0\n"), ("access_log/envoy/istio.log.gz", "1\n"), ("access_log/envoy/json.log.gz", "2\n")], own: &[], job: Job::Lines(envoy, &ENVOY) },
    Target { name: "rules", seeds: &[], own: &RULES_SEEDS, job: Job::Lines(rules, &[]) },
];

impl Target {
    /// Does the target's job with an input.
    pub(crate) fn run(&self, input: &[u8]) {
        match &self.job {
            Job::Sse => in_chunks(input, frames),
            Job::Tail => in_chunks(input, lines),
            Job::Config => drop(Config::parse(
                &String::from_utf8_lossy(input),
                "holter.yaml",
            )),
            Job::Compile(compile) => drop(compile(&String::from_utf8_lossy(input))),
            Job::Lines(compile, presets) => read(*compile, presets, input),
            Job::ErrorLog(compile, format) => read_errors(*compile, format, input),
        }
    }
}

/// The first byte says how long chunks are; the rest, in such chunks and whole, must give the same.
fn in_chunks<T: PartialEq + std::fmt::Debug>(input: &[u8], run: impl Fn(&[&[u8]]) -> T) {
    let Some((length, bytes)) = input.split_first() else {
        return;
    };
    let chunks: Vec<&[u8]> = bytes.chunks(usize::from(length % 16) + 1).collect();
    assert_eq!(run(&chunks), run(&[bytes]), "chunks make a difference");
}

fn frames(chunks: &[&[u8]]) -> (Vec<Frame>, holter::sse::Tail) {
    let (mut tap, mut frames) = (Tap::default(), Vec::new());
    for chunk in chunks {
        tap.feed(chunk, &mut |frame| frames.push(frame));
    }
    (frames, tap.finish())
}

/// Each line as text, each loss as its size.
fn lines(chunks: &[&[u8]]) -> Vec<Result<Vec<u8>, u64>> {
    let (mut lines, mut found) = (Lines::default(), Vec::new());
    let mut on = |piece: Piece<'_>| match piece {
        Piece::Line(line) => found.push(Ok(line.to_vec())),
        Piece::Lost { bytes, .. } => found.push(Err(bytes)),
    };
    for chunk in chunks {
        lines.feed(chunk, &mut on);
    }
    lines.finish(&mut on);
    found
}

fn read(compile: Compile, presets: &[&str], input: &[u8]) {
    let text = input
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    let preset = text
        .parse()
        .ok()
        .and_then(|number: usize| presets.get(number));
    let Some(format) = compile(preset.unwrap_or(&&*text)) else {
        return;
    };
    compare(&format, input);
    let (mut all, now, mut events) = (reader(format, RandomState::new()), start(), Vec::new());
    for line in input.split(|byte| *byte == b'\n').skip(1) {
        all.access(now, line, &mut events);
    }
    all.finish(&mut events);
}

/// Lines that can be read whole say the same whether they are or not, alone and among others.
fn compare(format: &Format, input: &[u8]) {
    let key = RandomState::new();
    let [mut short, mut among, mut whole] = [(); 3].map(|()| reader(format.clone(), key.clone()));
    let (now, [mut events, mut others, mut expected]) = (start(), [const { Vec::new() }; 3]);
    let mut marks = Marks::new(among.marked());
    marks.add(input, 0);
    marks.end(input.len());
    for line in input.split(|byte| *byte == b'\n').skip(1) {
        marks.take();
        if let Ok(record) = whole.parse(line)
            && !whole.is_aside(line)
        {
            let kind = short.access(now, line, &mut events);
            let (marked, mut parsed) = (marks.line(line, input), Parsed::default());
            let read = among.read(&marked, &mut parsed);
            assert_eq!(among.record(now, &parsed, read, &mut others), kind);
            let parsed = Parsed {
                record: Some(record),
                ..Parsed::default()
            };
            let expected = whole.record(now, &parsed, Ok(()), &mut expected);
            assert_eq!(kind, expected);
        }
    }
    short.finish(&mut events);
    among.finish(&mut others);
    whole.finish(&mut expected);
    assert_eq!(events, others, "other lines make a difference");
    assert_eq!(events, expected, "what is left out makes a difference");
}

fn read_errors(compile: Compile, format: &str, input: &[u8]) {
    let Some(format) = compile(format) else {
        return;
    };
    let (mut reader, now, mut events) = (reader(format, RandomState::new()), start(), Vec::new());
    for line in input.split(|byte| *byte == b'\n') {
        reader.error(now, line, &mut events);
    }
    reader.finish(&mut events);
}

fn reader(format: Format, key: RandomState) -> Reader {
    let sessions = Table::new(key, 16, DEFAULT_IDLE);
    Reader::new(format, StreamRule::default(), true, sessions)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a run needs some moment to begin"
)]
fn start() -> Instant {
    Instant::now()
}
