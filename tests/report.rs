//! What was told and what was true, for every proxy and format of the corpus: `docs/scores.md` is what
//! this test prints. `UPDATE_GOLDEN=1` writes it anew.
//!
//! It does not judge: which wrong answers are acceptable, and why, stands in `tests/corpus*.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scoring;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use holter::access_log::{Format, Kind, Written};
use holter::label::Label;
use holter::reason::Reason;
use scoring::{First, Said, Timed};
use serde::Deserialize;

const NGINX: &str = r#"time=$time_iso8601 msec=$msec conn=$connection creq=$connection_requests client=$remote_addr cport=$remote_port method=$request_method uri="$request_uri" proto=$server_protocol host=$host status=$status completion="$request_completion" bytes_sent=$bytes_sent body_bytes=$body_bytes_sent rt=$request_time us="$upstream_addr" us_status="$upstream_status" uct="$upstream_connect_time" uht="$upstream_header_time" urt="$upstream_response_time" ubytes="$upstream_bytes_received" sid="$http_mcp_session_id" up_sid="$upstream_http_mcp_session_id" req_id="$http_x_request_id" ua="$http_user_agent""#;
const APACHE: &str = r#"time=%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{%z}t client=%a cport=%{remote}p method=%m uri="%U%q" proto=%H status=%>s us=%D conn=%X keepalive=%k bytes_out=%O bytes_in=%I worker="%{BALANCER_WORKER_NAME}e" route="%{BALANCER_WORKER_ROUTE}e" sid="%{Mcp-Session-Id}i" up_sid="%{Mcp-Session-Id}o" req_id="%{X-Request-Id}i" logid="%L" ua="%{User-Agent}i""#;
const HAPROXY: &str = r#"log-format '{"time":"%tr","ci":"%ci","cp":%cp,"fe":"%f","be":"%b","srv":"%s","srv_addr":"%si:%sp","TR":%TR,"Tw":%Tw,"Tc":%Tc,"Tr":%Tr,"Td":%Td,"Ta":%Ta,"status":%ST,"bytes_read":%B,"bytes_uploaded":%U,"term":"%tsc","actconn":%ac,"srvconn":%sc,"retries":"%rc","srv_queue":%sq,"be_queue":%bq,"method":"%HM","path":"%HP","query":"%HQ","ver":"%HV","mcp_session_id":"%[capture.req.hdr(0),json(utf8s)]","resp_mcp_session_id":"%[capture.res.hdr(0),json(utf8s)]","req_id":"%[capture.req.hdr(1),json(utf8s)]","ua":"%[capture.req.hdr(2),json(utf8s)]"}'"#;

/// A log of the corpus: its proxy, what it is called, the format, the access log, the second log, the truth.
type Case = (
    Kind,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

#[rustfmt::skip]
const CASES: &[Case] = &[
    (Kind::Nginx, "combined", "combined", "nginx/combined", "", "nginx/truth"),
    (Kind::Nginx, "combined, error log at info", "combined", "nginx/combined", "nginx/error_info", "nginx/truth"),
    (Kind::Nginx, "upstreaminfo", "upstreaminfo", "nginx/upstreaminfo", "", "nginx/truth"),
    (Kind::Nginx, "all variables", NGINX, "nginx/kv", "", "nginx/truth"),
    (Kind::Nginx, "all variables, error log at error", NGINX, "nginx/kv", "nginx/error", "nginx/truth"),
    (Kind::Nginx, "all variables, error log at info", NGINX, "nginx/kv", "nginx/error_info", "nginx/truth"),
    (Kind::Nginx, "1.26, all variables", NGINX, "nginx/1.26/kv", "", "nginx/1.26/truth"),
    (Kind::Nginx, "1.26, all variables, error log at error", NGINX, "nginx/1.26/kv", "nginx/1.26/error", "nginx/1.26/truth"),
    (Kind::Nginx, "1.26, all variables, error log at info", NGINX, "nginx/1.26/kv", "nginx/1.26/error_info", "nginx/1.26/truth"),
    (Kind::HaProxy, "2.6, httplog", "httplog", "haproxy/httplog", "", "haproxy/httplog.truth"),
    (Kind::HaProxy, "2.6, JSON", HAPROXY, "haproxy/json", "", "haproxy/json.truth"),
    (Kind::HaProxy, "3.0, httplog", "httplog", "haproxy/3.0/httplog", "", "haproxy/3.0/httplog.truth"),
    (Kind::HaProxy, "3.0, JSON", HAPROXY, "haproxy/3.0/json", "", "haproxy/3.0/json.truth"),
    (Kind::HaProxy, "3.0, httplog, version given", "HAProxy version 3.0", "haproxy/3.0/httplog", "", "haproxy/3.0/httplog.truth"),
    (Kind::Envoy, "default", "default", "envoy/default", "", "envoy/default.truth"),
    (Kind::Envoy, "istio", "istio", "envoy/istio", "", "envoy/istio.truth"),
    (Kind::Envoy, "json", "json", "envoy/json", "", "envoy/json.truth"),
    (Kind::Envoy, "1.36, default", "default", "envoy/1.36/default", "", "envoy/1.36/default.truth"),
    (Kind::Envoy, "1.36, json", "json", "envoy/1.36/json", "", "envoy/1.36/json.truth"),
    (Kind::Caddy, "access log", "json", "caddy/json", "", "caddy/json.truth"),
    (Kind::Caddy, "access and runtime log", "json", "caddy/json", "caddy/runtime", "caddy/json.truth"),
    (Kind::Apache, "combined", "combined", "apache/combined", "", "apache/truth"),
    (Kind::Apache, "combined, error log", "combined", "apache/combined", "apache/error", "apache/truth"),
    (Kind::Apache, "all directives", APACHE, "apache/kv", "", "apache/truth"),
    (Kind::Apache, "all directives, error log", APACHE, "apache/kv", "apache/error", "apache/truth"),
];

#[derive(Deserialize)]
struct Truth {
    line: usize,
    kind: String,
    reason: Option<String>,
}

/// When each line was written; a line without a time (a message of the proxy's own) goes with the one
/// before. Apache stamps the beginning: of `combined`, the same run's other log tells the end.
fn times(kind: Kind, format: &Format, text: &str) -> Vec<i64> {
    if kind == Kind::Apache {
        let all = scoring::golden("apache/kv.log");
        let all = scoring::access(&scoring::compile(kind, APACHE), &all);
        return all.iter().map(|line| line.at_us).collect();
    }
    let mut latest = i64::MIN;
    let times = text.lines().map(|line| {
        let record = format.parse(line.as_bytes()).unwrap();
        let ended = record
            .ended
            .or(record.started)
            .map(|stamp| stamp.unix_ms * 1000);
        latest = latest.max(record.ended_us.or(ended).unwrap_or(latest));
        latest
    });
    times.collect()
}

fn said((kind, _, format, access, second, _): &Case) -> Vec<Said> {
    let format = scoring::compile(*kind, format);
    let text = scoring::golden(&format!("{access}.log"));
    let times = times(*kind, &format, &text);
    let mut lines: Vec<Timed<'_>> = (text.lines().zip(times))
        .map(|(line, at_us)| Timed {
            at_us,
            is_access: true,
            line,
        })
        .collect();
    let errors = match *second {
        "" => String::new(),
        second => scoring::golden(&format!("{second}.log")),
    };
    lines.extend(errors.lines().map(|line| {
        let (Written::Utc(ms) | Written::Local(ms)) = format.written(line.as_bytes()).unwrap();
        Timed {
            at_us: ms * 1000,
            is_access: false,
            line,
        }
    }));
    let lines = scoring::in_turns(lines, 1_000, First::Error);
    scoring::replay(&mut scoring::reader(&format, !errors.is_empty()), &lines)
}

fn class(reason: &str) -> &'static str {
    let known = Reason::ALL.iter().find(|known| known.as_str() == reason);
    known.unwrap().class().as_str()
}

/// A row of the table, and the confusion behind it.
fn report(case: &Case) -> (String, String) {
    let (said, (kind, title, ..)) = (said(case), case);
    let truths = scoring::golden(&format!("{}.jsonl", case.5));
    let mut confusion = BTreeMap::<(String, &str), usize>::new();
    let [mut streams, mut exact, mut right, mut unknown] = [0; 4];
    for truth in truths
        .lines()
        .map(|line| serde_json::from_str::<Truth>(line).unwrap())
    {
        let Some(told) = said[truth.line - 1].reason else {
            continue;
        };
        assert_eq!(truth.kind, "stream", "{kind} {title}: line {}", truth.line);
        let truth = truth.reason.unwrap();
        streams += 1;
        exact += usize::from(truth == told.as_str());
        right += usize::from(class(&truth) == told.class().as_str());
        unknown += usize::from(told == Reason::Unknown);
        *confusion.entry((truth, told.as_str())).or_default() += 1;
    }
    let wrong = streams - right - unknown;
    let percent = |count: usize| format!("{:.0} %", 100.0 * count as f64 / streams as f64);
    let row = format!(
        "| {kind} | {title} | {streams} | {} | {} | {} | {} |\n",
        percent(exact),
        percent(right),
        percent(unknown),
        percent(wrong)
    );
    let mut table = format!(
        "\n## {kind}: {title}\n\n```\n{:<16} {:<16}\n",
        "true", "told"
    );
    for ((truth, told), count) in confusion {
        let mark = if truth == told { "" } else { "  *" };
        writeln!(table, "{truth:<16} {told:<16} {count:>4}{mark}").unwrap();
    }
    (row, table + "```\n")
}

#[test]
fn the_documented_scores_are_those_of_the_corpus() {
    let (rows, tables): (String, String) = CASES.iter().map(report).unzip();
    let report = format!(
        "# What was told, and what was true\n\nOf logs of real proxies for which the true end of each stream is known: `tests/report.rs` writes this.\n*Right class*: planned, client or abnormal, exact or coarser. *Wrong class*: neither that nor `unknown`; why each of these\nis what the log says stands in `tests/corpus*.rs`. Traefik was not there to be run: its formats are read by their\ndocumentation, and have no score.\n\n| proxy | log | streams | exact | right class | unknown | wrong class |\n|---|---|---|---|---|---|---|\n{rows}\nBelow: what was true, what was told, how often; `*` where they differ.\n{tables}"
    );
    println!("{report}");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write("docs/scores.md", &report).unwrap();
    }
    let documented = std::fs::read_to_string("docs/scores.md").unwrap_or_default();
    assert!(
        documented == report,
        "docs/scores.md: UPDATE_GOLDEN=1 writes it anew"
    );
}
