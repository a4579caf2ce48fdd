//! What `holter replay --each` tells of every proxy and format of the corpus, and what was true:
//! `docs/scores.md` is what this test prints. `UPDATE_GOLDEN=1` writes it anew.
//!
//! The command is run as a user runs it, and every true stream counts, whether it was called one or not.
//! What a log cannot tell apart, and why, stands in `tests/scoring/alike.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scoring;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use holter::access_log::{Format, Kind};
use holter::label::Label;
use holter::reason::Reason;
use scoring::alike::{Knows, alike};
use serde::Deserialize;

const NGINX: &str = r#"time=$time_iso8601 msec=$msec conn=$connection creq=$connection_requests client=$remote_addr cport=$remote_port method=$request_method uri="$request_uri" proto=$server_protocol host=$host status=$status completion="$request_completion" bytes_sent=$bytes_sent body_bytes=$body_bytes_sent rt=$request_time us="$upstream_addr" us_status="$upstream_status" uct="$upstream_connect_time" uht="$upstream_header_time" urt="$upstream_response_time" ubytes="$upstream_bytes_received" sid="$http_mcp_session_id" up_sid="$upstream_http_mcp_session_id" req_id="$http_x_request_id" ua="$http_user_agent""#;
const NGINX_JSON: &str = r#"log_format json escape=json '{"time":"$time_iso8601","msec":$msec,"connection":$connection,"connection_requests":$connection_requests,"remote_addr":"$remote_addr","remote_port":"$remote_port","request_method":"$request_method","request_uri":"$request_uri","server_protocol":"$server_protocol","host":"$host","status":$status,"request_completion":"$request_completion","bytes_sent":$bytes_sent,"body_bytes_sent":$body_bytes_sent,"request_time":$request_time,"upstream_addr":"$upstream_addr","upstream_status":"$upstream_status","upstream_connect_time":"$upstream_connect_time","upstream_header_time":"$upstream_header_time","upstream_response_time":"$upstream_response_time","upstream_bytes_received":"$upstream_bytes_received","mcp_session_id":"$http_mcp_session_id","upstream_mcp_session_id":"$upstream_http_mcp_session_id","sent_content_type":"$sent_http_content_type","request_id":"$request_id","http_user_agent":"$http_user_agent"}';"#;
const APACHE: &str = r#"time=%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{%z}t client=%a cport=%{remote}p method=%m uri="%U%q" proto=%H status=%>s us=%D conn=%X keepalive=%k bytes_out=%O bytes_in=%I worker="%{BALANCER_WORKER_NAME}e" route="%{BALANCER_WORKER_ROUTE}e" sid="%{Mcp-Session-Id}i" up_sid="%{Mcp-Session-Id}o" req_id="%{X-Request-Id}i" logid="%L" ua="%{User-Agent}i""#;
const APACHE_JSON: &str = r#"{\"time\":\"%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{%z}t\",\"client\":\"%a\",\"cport\":%{remote}p,\"method\":\"%m\",\"uri\":\"%U%q\",\"proto\":\"%H\",\"status\":%>s,\"duration_us\":%D,\"conn_status\":\"%X\",\"keepalive_n\":%k,\"bytes_out\":%O,\"bytes_in\":%I,\"worker\":\"%{BALANCER_WORKER_NAME}e\",\"mcp_session_id\":\"%{Mcp-Session-Id}i\",\"resp_mcp_session_id\":\"%{Mcp-Session-Id}o\",\"request_id\":\"%{X-Request-Id}i\",\"log_id\":\"%L\",\"ua\":\"%{User-Agent}i\"}"#;
const HAPROXY: &str = r#"log-format '{"time":"%tr","ci":"%ci","cp":%cp,"fe":"%f","be":"%b","srv":"%s","srv_addr":"%si:%sp","TR":%TR,"Tw":%Tw,"Tc":%Tc,"Tr":%Tr,"Td":%Td,"Ta":%Ta,"status":%ST,"bytes_read":%B,"bytes_uploaded":%U,"term":"%tsc","actconn":%ac,"srvconn":%sc,"retries":"%rc","srv_queue":%sq,"be_queue":%bq,"method":"%HM","path":"%HP","query":"%HQ","ver":"%HV","mcp_session_id":"%[capture.req.hdr(0),json(utf8s)]","resp_mcp_session_id":"%[capture.res.hdr(0),json(utf8s)]","req_id":"%[capture.req.hdr(1),json(utf8s)]","ua":"%[capture.req.hdr(2),json(utf8s)]"}'"#;

/// A log of the corpus: its proxy, what it is called, the format, the access log, the second log, the truth,
/// and what must be reached in per cent of all streams: exact reason, right class.
struct Case(
    Kind,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    (f64, f64),
);

/// 97 % of what always saying the most frequent reason of a kind of line would reach, with knowledge of the
/// corpus' truth. nginx with its error log at `error`, and at `info`.
const NGINX_ERROR: (f64, f64) = (0.97 * 78.0, 0.97 * 89.0);
const NGINX_INFO: (f64, f64) = (0.97 * 97.5, 0.97 * 97.5);
const HAPROXY_2: (f64, f64) = (0.97 * 77.0, 0.97 * 92.0);
const ENVOY_DEFAULT: (f64, f64) = (0.97 * 73.0, 0.97 * 88.0);
const ENVOY_DETAILS: (f64, f64) = (0.97 * 85.0, 0.97 * 98.0);
const CADDY_RUNTIME: (f64, f64) = (0.97 * 83.0, 0.97 * 96.0);
const APACHE_ERROR: (f64, f64) = (0.97 * 77.0, 0.97 * 87.0);

/// Where that would be a guess (the same lines stand for several classes), or the figure is not known: what
/// is reached, as a floor.
const NGINX_COMBINED: (f64, f64) = (11.7, 25.3);
const NGINX_INGRESS: (f64, f64) = (13.5, 25.3);
const NGINX_ALONE: (f64, f64) = (38.8, 58.0);
const HAPROXY_3: (f64, f64) = (73.0, 90.5);
const HAPROXY_3_TOLD: (f64, f64) = (49.0, 57.0);
const CADDY_ALONE: (f64, f64) = (11.3, 29.5);
const APACHE_COMBINED: (f64, f64) = (11.3, 26.0);
const APACHE_COMBINED_ERROR: (f64, f64) = (33.3, 35.7);
const APACHE_ALONE: (f64, f64) = (43.0, 65.0);

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case(Kind::Nginx, "combined", "combined", "nginx/combined", "", "nginx/truth", NGINX_COMBINED),
    Case(Kind::Nginx, "combined, error log at info", "combined", "nginx/combined", "nginx/error_info", "nginx/truth", NGINX_COMBINED),
    Case(Kind::Nginx, "upstreaminfo", "upstreaminfo", "nginx/upstreaminfo", "", "nginx/truth", NGINX_INGRESS),
    Case(Kind::Nginx, "all variables", NGINX, "nginx/kv", "", "nginx/truth", NGINX_ALONE),
    Case(Kind::Nginx, "all variables, error log at error", NGINX, "nginx/kv", "nginx/error", "nginx/truth", NGINX_ERROR),
    Case(Kind::Nginx, "all variables, error log at info", NGINX, "nginx/kv", "nginx/error_info", "nginx/truth", NGINX_INFO),
    Case(Kind::Nginx, "JSON", NGINX_JSON, "nginx/json", "", "nginx/truth", NGINX_ALONE),
    Case(Kind::Nginx, "JSON, error log at error", NGINX_JSON, "nginx/json", "nginx/error", "nginx/truth", NGINX_ERROR),
    Case(Kind::Nginx, "JSON, error log at info", NGINX_JSON, "nginx/json", "nginx/error_info", "nginx/truth", NGINX_INFO),
    Case(Kind::Nginx, "1.26, combined", "combined", "nginx/1.26/combined", "", "nginx/1.26/truth", NGINX_COMBINED),
    Case(Kind::Nginx, "1.26, upstreaminfo", "upstreaminfo", "nginx/1.26/upstreaminfo", "", "nginx/1.26/truth", NGINX_INGRESS),
    Case(Kind::Nginx, "1.26, all variables", NGINX, "nginx/1.26/kv", "", "nginx/1.26/truth", NGINX_ALONE),
    Case(Kind::Nginx, "1.26, all variables, error log at error", NGINX, "nginx/1.26/kv", "nginx/1.26/error", "nginx/1.26/truth", NGINX_ERROR),
    Case(Kind::Nginx, "1.26, all variables, error log at info", NGINX, "nginx/1.26/kv", "nginx/1.26/error_info", "nginx/1.26/truth", NGINX_INFO),
    Case(Kind::Nginx, "1.26, JSON, error log at info", NGINX_JSON, "nginx/1.26/json", "nginx/1.26/error_info", "nginx/1.26/truth", NGINX_INFO),
    Case(Kind::HaProxy, "2.6, httplog", "httplog", "haproxy/httplog", "", "haproxy/httplog.truth", HAPROXY_2),
    Case(Kind::HaProxy, "2.6, httplog with captures", "httplog", "haproxy/httplogcap", "", "haproxy/httplogcap.truth", HAPROXY_2),
    Case(Kind::HaProxy, "2.6, JSON", HAPROXY, "haproxy/json", "", "haproxy/json.truth", HAPROXY_2),
    Case(Kind::HaProxy, "3.0, httplog", "httplog", "haproxy/3.0/httplog", "", "haproxy/3.0/httplog.truth", HAPROXY_3),
    Case(Kind::HaProxy, "3.0, httplog with captures", "httplog", "haproxy/3.0/httplogcap", "", "haproxy/3.0/httplogcap.truth", HAPROXY_3),
    Case(Kind::HaProxy, "3.0, JSON", HAPROXY, "haproxy/3.0/json", "", "haproxy/3.0/json.truth", HAPROXY_3),
    Case(Kind::HaProxy, "3.0, httplog, version given", "HAProxy version 3.0", "haproxy/3.0/httplog", "", "haproxy/3.0/httplog.truth", HAPROXY_3_TOLD),
    Case(Kind::Envoy, "default", "default", "envoy/default", "", "envoy/default.truth", ENVOY_DEFAULT),
    Case(Kind::Envoy, "istio", "istio", "envoy/istio", "", "envoy/istio.truth", ENVOY_DETAILS),
    Case(Kind::Envoy, "JSON", "json", "envoy/json", "", "envoy/json.truth", ENVOY_DETAILS),
    Case(Kind::Envoy, "1.36, default", "default", "envoy/1.36/default", "", "envoy/1.36/default.truth", ENVOY_DEFAULT),
    Case(Kind::Envoy, "1.36, istio", "istio", "envoy/1.36/istio", "", "envoy/1.36/istio.truth", ENVOY_DETAILS),
    Case(Kind::Envoy, "1.36, JSON", "json", "envoy/1.36/json", "", "envoy/1.36/json.truth", ENVOY_DETAILS),
    Case(Kind::Caddy, "access log", "json", "caddy/json", "", "caddy/json.truth", CADDY_ALONE),
    Case(Kind::Caddy, "access and runtime log", "json", "caddy/json", "caddy/runtime", "caddy/json.truth", CADDY_RUNTIME),
    Case(Kind::Caddy, "with upstream, access log", "json", "caddy/json_upstream", "", "caddy/json_upstream.truth", CADDY_ALONE),
    Case(Kind::Caddy, "with upstream, access and runtime log", "json", "caddy/json_upstream", "caddy/runtime", "caddy/json_upstream.truth", CADDY_RUNTIME),
    Case(Kind::Apache, "combined", "combined", "apache/combined", "", "apache/truth", APACHE_COMBINED),
    Case(Kind::Apache, "combined, error log", "combined", "apache/combined", "apache/error", "apache/truth", APACHE_COMBINED_ERROR),
    Case(Kind::Apache, "all directives", APACHE, "apache/kv", "", "apache/truth", APACHE_ALONE),
    Case(Kind::Apache, "all directives, error log", APACHE, "apache/kv", "apache/error", "apache/truth", APACHE_ERROR),
    Case(Kind::Apache, "JSON", APACHE_JSON, "apache/json", "", "apache/truth", APACHE_ALONE),
    Case(Kind::Apache, "JSON, error log", APACHE_JSON, "apache/json", "apache/error", "apache/truth", APACHE_ERROR),
];

#[derive(Deserialize)]
struct Truth {
    line: usize,
    kind: String,
    reason: Option<String>,
    affinity_broken: Option<bool>,
}

/// An answer of `holter replay --each`.
#[derive(Deserialize)]
struct Answer {
    line: usize,
    kind: String,
    reason: Option<String>,
    class: Option<String>,
    affinity: String,
}

impl Case {
    fn title(&self) -> String {
        format!("{}: {}", self.0, self.1)
    }

    /// What the command says of each line, in their order.
    fn answers(&self) -> Vec<Answer> {
        let Self(kind, _, format, access, second, ..) = self;
        let log = |name: &str| format!("tests/golden/access_log/{name}.log.gz");
        let mut command = Command::new(env!("CARGO_BIN_EXE_holter"));
        command.args([
            "replay",
            "--each",
            "--format",
            kind.as_str(),
            "--log-format",
            format,
        ]);
        if !second.is_empty() {
            command.args(["--error-log", &log(second)]);
        }
        let output = command.arg(log(access)).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), &*errors),
            (Some(0), ""),
            "{}",
            self.title()
        );
        let printed = String::from_utf8(output.stdout).unwrap();
        let answer = |line| serde_json::from_str::<Answer>(line).unwrap();
        let answers: Vec<Answer> = printed.lines().map(answer).collect();
        assert!(
            answers
                .iter()
                .map(|answer| answer.line)
                .eq(1..=answers.len())
        );
        answers
    }

    fn knows(&self) -> Knows {
        let joins = Format::compile(self.0, self.2).unwrap().joins() && !self.4.is_empty();
        Knows {
            errors: joins,
            loosely: self.3 == "apache/combined",
            clients: joins && self.4.ends_with("error_info"),
            details: !self.3.ends_with("default"),
            newer: self.3.contains("3.0/") && !self.2.contains("version"),
        }
    }

    fn score(&self) -> Score {
        let (answers, knows) = (self.answers(), self.knows());
        let mut score = Score::default();
        let truths = scoring::golden(&format!("{}.jsonl", self.5));
        for truth in truths.lines() {
            let truth: Truth = serde_json::from_str(truth).unwrap();
            let answer = &answers[truth.line - 1];
            let place = format!("{}: line {}", self.title(), truth.line);
            score.session(&place, &truth, answer);
            assert_eq!(answer.kind == "stream", answer.reason.is_some(), "{place}");
            if truth.kind == "stream" {
                score.stream(self.0, knows, &truth.reason.unwrap(), answer);
            } else {
                assert!(answer.kind != "stream", "{place} was {}", truth.kind);
            }
        }
        score
    }
}

/// How many streams there were, and what was told of them.
#[derive(Default)]
struct Score {
    streams: usize,
    exact: usize,
    class: usize,
    unknown: usize,
    /// Not called a stream.
    missed: usize,
    /// Told as an end of another class, which nothing in the log tells from it.
    alike: usize,
    /// Told as another end although the log shows the difference.
    wrong: Vec<String>,
    /// Requests that did not reach their session's owner, and how many of them were found.
    broken: usize,
    found: usize,
    confusion: BTreeMap<(String, String), usize>,
}

fn class(reason: &str) -> &'static str {
    let known = Reason::ALL.iter().find(|known| known.as_str() == reason);
    known.unwrap().class().as_str()
}

impl Score {
    fn stream(&mut self, kind: Kind, knows: Knows, truth: &str, answer: &Answer) {
        self.streams += 1;
        let told = answer.reason.as_deref();
        let entry = (truth.to_owned(), told.unwrap_or("(no stream)").to_owned());
        *self.confusion.entry(entry).or_default() += 1;
        let Some(told) = told else {
            self.missed += 1;
            return;
        };
        let reason = *Reason::ALL
            .iter()
            .find(|known| known.as_str() == told)
            .unwrap();
        assert_eq!(answer.class.as_deref(), Some(reason.class().as_str()));
        let is_right = class(truth) == reason.class().as_str();
        self.exact += usize::from(truth == told);
        self.class += usize::from(is_right);
        if reason == Reason::Unknown {
            self.unknown += 1;
        } else if truth != told && !alike(kind, knows, truth, reason) {
            self.wrong
                .push(format!("line {} was {truth}, told {told}", answer.line));
        } else {
            self.alike += usize::from(!is_right);
        }
    }

    /// No verdict on a session may be wrong.
    fn session(&mut self, place: &str, truth: &Truth, answer: &Answer) {
        let broken = truth.affinity_broken == Some(true);
        let wrong = match &*answer.affinity {
            "moved" => !broken,
            "kept" | "opened" => broken,
            _ => false,
        };
        assert!(!wrong, "{place}: {}", answer.affinity);
        self.broken += usize::from(broken);
        self.found += usize::from(answer.affinity == "moved");
    }

    fn percent(&self, count: usize) -> f64 {
        100.0 * count as f64 / self.streams as f64
    }
}

/// A row of the table, and the confusion behind it.
fn report(case: &Case) -> (String, String) {
    let (score, title, goal) = (case.score(), case.title(), case.6);
    assert!(score.wrong.is_empty(), "{title}: {:?}", score.wrong);
    let reached = (score.percent(score.exact), score.percent(score.class));
    assert!(
        reached.0 >= goal.0 && reached.1 >= goal.1,
        "{title}: {reached:?}, not {goal:?}"
    );
    let percent = |count: usize| format!("{:.1} %", score.percent(count));
    let row = format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} of {} |\n",
        case.0,
        case.1,
        score.streams,
        percent(score.exact),
        percent(score.class),
        percent(score.unknown),
        score.missed,
        score.alike,
        score.wrong.len(),
        score.found,
        score.broken
    );
    let mut table = format!("\n## {title}\n\n```\n{:<16} {:<16}\n", "true", "told");
    for ((truth, told), count) in &score.confusion {
        let mark = if truth == told { "" } else { "  *" };
        writeln!(table, "{truth:<16} {told:<16} {count:>4}{mark}").unwrap();
    }
    (row, table + "```\n")
}

const INTRODUCTION: &str = "# What was told, and what was true

Of logs of real proxies for which the true end of each stream is known, what `holter replay --each` says of them:
`tests/report.rs` runs it, and writes this. Every stream counts, whether it was called one or not.

- *Exact*: the true reason. *Right class*: planned, client or abnormal, by the exact reason or a coarser one.
- *Missed*: streams that were called requests: a GET that is answered 405 in each log
  ([why](log-sources.md#which-requests-are-streams)), and four POSTs where neither the content type nor what came
  after the headers is logged (nginx `combined` and `upstreaminfo`, Apache). Of requests that were none, none is called a
  stream.
- *Alike*: told as an end of another class that the log does not tell from the true one; what and why:
  `tests/scoring/alike.rs`.
- *Wrong*: told as another end though the log tells them apart. The test fails where there is one.
- *Misses*: requests that went past their session's owner, found of all. None was called so that was none. Fewer are
  found where ids, upstreams or clients are not all logged.

Traefik was not there to be run: its formats are read by their documentation, and have no score.

Where a second log is joined, and for HAProxy and Envoy, at least 97 % is reached of what would be got by always saying the
most frequent reason of a kind of line with knowledge of this corpus' truth. Three logs stay far below that, and shall:
nginx `combined` (40 % exact, 59 % right class, if guessed so), all of nginx's variables without its error log (57, 81), and
Apache `combined` (42, 62). There the same line stands for ends of all classes, and the most frequent one is that of this
corpus, not of anybody's traffic: `unknown` is all that the evidence supports.

| proxy | log | streams | exact | right class | unknown | missed | alike | wrong | misses |
|---|---|---|---|---|---|---|---|---|---|
";

#[test]
fn the_documented_scores_are_those_of_the_corpus() {
    let (rows, tables): (String, String) = CASES.iter().map(report).unzip();
    let report = format!(
        "{INTRODUCTION}{rows}\nBelow: what was true, what was told, how often; `*` where they differ.\n{tables}"
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
