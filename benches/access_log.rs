//! Lines a second for two formats, against the `regex` crate reading the same lines in the same run.

#![allow(missing_docs, reason = "criterion's macros write undocumented items")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holter::access_log::nginx::Format;
use regex::bytes::Regex;
use std::hint::black_box;

const COMBINED: &str = r#"10.0.0.9 - - [20/Nov/2026:09:59:41 +0000] "GET /mcp HTTP/1.1" 200 137 "-" "python-httpx/0.27.2""#;

const KV_FORMAT: &str = r#"time=$time_iso8601 msec=$msec conn=$connection creq=$connection_requests client=$remote_addr cport=$remote_port method=$request_method uri="$request_uri" proto=$server_protocol host=$host status=$status completion="$request_completion" bytes_sent=$bytes_sent body_bytes=$body_bytes_sent rt=$request_time us="$upstream_addr" us_status="$upstream_status" uct="$upstream_connect_time" uht="$upstream_header_time" urt="$upstream_response_time" ubytes="$upstream_bytes_received" sid="$http_mcp_session_id" up_sid="$upstream_http_mcp_session_id" req_id="$http_x_request_id" ua="$http_user_agent""#;

const KV: &str = r#"time=2026-11-20T09:59:41+00:00 msec=1795168781.383 conn=7 creq=1 client=10.0.4.71 cport=54169 method=POST uri="/mcp" proto=HTTP/1.1 host=mcp.example.test status=200 completion="OK" bytes_sent=346 body_bytes=137 rt=0.001 us="10.0.0.1:20211" us_status="200" uct="0.000" uht="0.000" urt="0.000" ubytes="263" sid="-" up_sid="3fea7da4-f551-4e18-9dfc-46c7d4131023" req_id="f3376109843370ef4801d996ff4359e2" ua="claude-code/1.0.43""#;

const COMBINED_REGEX: &str =
    r#"^(\S+) - (.*?) \[([^\]]*)\] "([^"]*)" (\d+) (\d+) "([^"]*)" "([^"]*)"$"#;

/// The peer: what one writes by hand for the format, each variable a group.
fn kv_regex() -> String {
    let mut pattern = String::from("^");
    for (at, piece) in KV_FORMAT.split('$').enumerate() {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (_, literal) = piece.split_at(piece.find(|c| !is_name(c)).unwrap_or(piece.len()));
        match at {
            0 => pattern.push_str(&regex::escape(piece)),
            _ if literal.starts_with('"') => pattern.push_str(r#"([^"]*)"#),
            _ => pattern.push_str(r"(\S*)"),
        }
        if at > 0 {
            pattern.push_str(&regex::escape(literal));
        }
    }
    pattern + "$"
}

fn compare(criterion: &mut Criterion, name: &str, format: &str, regex: &str, line: &str) {
    let (Ok(format), Ok(regex)) = (Format::compile(format), Regex::new(regex)) else {
        panic!("{name} does not compile");
    };
    let line = line.as_bytes();
    assert!(format.parse(line).is_ok() && regex.is_match(line), "{name}");
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(1));
    group.bench_function("holter", |bencher| {
        bencher.iter(|| format.parse(black_box(line)).is_ok());
    });
    let mut places = regex.capture_locations();
    group.bench_function("regex", |bencher| {
        bencher.iter(|| regex.captures_read(&mut places, black_box(line)).is_some());
    });
    group.finish();
}

fn parse(criterion: &mut Criterion) {
    compare(criterion, "combined", "combined", COMBINED_REGEX, COMBINED);
    compare(criterion, "kv", KV_FORMAT, &kv_regex(), KV);
}

criterion_group!(benches, parse);
criterion_main!(benches);
