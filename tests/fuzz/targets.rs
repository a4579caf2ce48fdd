//! What is fuzzed: each target takes any bytes and must neither panic nor break its promise.
//!
//! Shared by `tests/fuzz_seeds.rs` (a short deterministic run in every `cargo test`) and the crate under
//! `fuzz/` (coverage-guided). To add a format, add a row to [`TARGETS`]. It does not know where inputs come from.

use std::hash::RandomState;
use std::time::Instant;

use holter::access_log::reader::Reader;
use holter::access_log::streams::StreamRule;
use holter::access_log::{Format, nginx};
use holter::affinity::{DEFAULT_IDLE, Table};
use holter::config::Config;
use holter::lab::proxy::LOG_FORMAT;
use holter::sse::{Frame, Tap};
use holter::tail::lines::{Lines, Piece};

/// One thing to fuzz.
pub(crate) struct Target {
    /// Its name: of its corpus, and in `scripts/fuzz`.
    pub(crate) name: &'static str,
    /// The golden files that its seeds come from: a path under `tests/golden`, `*` at its end for a
    /// folder, and what is put before each seed.
    pub(crate) seeds: &'static [(&'static str, &'static str)],
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
    /// Lines of nginx's error log.
    ErrorLog,
}

type Compile = fn(&str) -> Option<Format>;

fn nginx(text: &str) -> Option<Format> {
    nginx::Format::compile(text).map(Format::Nginx).ok()
}

/// `escape=json`, short.
const NGINX_JSON: &str = r#"{"msec":$msec,"connection":$connection,"request_method":"$request_method","request_uri":"$request_uri","status":$status,"request_completion":"$request_completion","request_time":$request_time,"upstream_addr":"$upstream_addr","upstream_header_time":"$upstream_header_time","mcp_session_id":"$http_mcp_session_id","upstream_mcp_session_id":"$upstream_http_mcp_session_id","http_user_agent":"$http_user_agent"}"#;
const NGINX: [&str; 4] = ["combined", "upstreaminfo", LOG_FORMAT, NGINX_JSON];

/// Every target.
#[rustfmt::skip]
pub(crate) const TARGETS: &[Target] = &[
    Target { name: "sse", seeds: &[], job: Job::Sse },
    Target { name: "tail", seeds: &[("access_log/nginx/combined.log.gz", "7")], job: Job::Tail },
    Target { name: "config", seeds: &[("config/good/*", ""), ("config/bad/*", "")], job: Job::Config },
    Target { name: "nginx-format", seeds: &[], job: Job::Compile(nginx) },
    Target { name: "nginx", seeds: &[("access_log/nginx/combined.log.gz", "0\n"), ("access_log/nginx/upstreaminfo.log.gz", "1\n")], job: Job::Lines(nginx, &NGINX) },
    Target { name: "nginx-error", seeds: &[("access_log/nginx/error_info.log.gz", "")], job: Job::ErrorLog },
];

impl Target {
    /// Seeds beside those of the golden files: what these hold none of.
    pub(crate) fn own_seeds(&self) -> Vec<Vec<u8>> {
        let texts: &[&str] = match self.job {
            Job::Sse => &[
                "3: ping\n\nevent: endpoint\ndata: /messages?session_id=1\n\n",
                "1\u{feff}id: 1\r\nretry: 3000\r\ndata: {\"jsonrpc\":\"2.0\"}\r\n\r\n:\r\r",
            ],
            Job::Compile(_) => &[
                "combined",
                LOG_FORMAT,
                "log_format x escape=json '{\"t\":$msec,' \"\\\"r\\\":\\\"${request}\\\"}\"; # end\n",
            ],
            Job::Lines(..) => &[
                "$request_method $uri $args $upstream_addr $msec\nPOST /m sessionId=s a:1, b:1 : c:1 1.5\n",
                "3\n{\"msec\":1795168781.541,\"connection\":23,\"request_method\":\"GET\",\"request_uri\":\"/mcp\",\"status\":502,\"request_completion\":\"OK\",\"request_time\":0.000,\"upstream_addr\":\"a:1\",\"upstream_header_time\":\"-\",\"mcp_session_id\":\"e4\",\"upstream_mcp_session_id\":\"\",\"http_user_agent\":\"no\\\"de\"}\n",
                "2\n1.1.1.1 - - [20/Nov/2026:09:59:41 +0000] \"GET /mcp HTTP/1.1\" 200 1 \"-\" \"node\" conn=1 completion=\"\" rt=147.081 upstream=\"10.42.1.9:8080\" us_status=\"200\" uht=\"0.004\" sid=\"17\" up_sid=\"-\"\n",
            ],
            _ => &[],
        };
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

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
            Job::ErrorLog => read_errors(input),
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
    let mut reader = reader(format.clone());
    let (now, mut events) = (start(), Vec::new());
    for line in input.split(|byte| *byte == b'\n').skip(1) {
        if let Ok(whole) = format.parse(line) {
            let sketch = format
                .parse_if(line, |_| false)
                .expect("less is asked of it");
            assert_eq!((sketch.method, sketch.path), (whole.method, whole.path));
        }
        reader.access(now, line, &mut events);
    }
    reader.finish(&mut events);
}

fn read_errors(input: &[u8]) {
    let Some(format) = nginx("combined") else {
        return;
    };
    let (mut reader, now, mut events) = (reader(format), start(), Vec::new());
    for line in input.split(|byte| *byte == b'\n') {
        reader.error(now, line, &mut events);
    }
    reader.finish(&mut events);
}

fn reader(format: Format) -> Reader {
    let sessions = Table::new(RandomState::new(), 16, DEFAULT_IDLE);
    Reader::new(format, StreamRule::default(), true, sessions)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a run needs some moment to begin"
)]
fn start() -> Instant {
    Instant::now()
}
