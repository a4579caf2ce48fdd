//! The corpus as other installations would have written it: the same answers for other addresses (IPv6
//! too), hosts and ports, other times and zones, and for formats whose fields stand in another order.
//!
//! What marks a scenario in the corpus (ports, hosts, the order of fields) must not be what is read.

#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod scoring;

use std::collections::BTreeMap;

use holter::access_log::event::LineKind;
use holter::access_log::{Format, Kind, Written};
use scoring::{First, Said, Timed};

const NGINX: &str = r#"time=$time_iso8601 msec=$msec conn=$connection creq=$connection_requests client=$remote_addr cport=$remote_port method=$request_method uri="$request_uri" proto=$server_protocol host=$host status=$status completion="$request_completion" bytes_sent=$bytes_sent body_bytes=$body_bytes_sent rt=$request_time us="$upstream_addr" us_status="$upstream_status" uct="$upstream_connect_time" uht="$upstream_header_time" urt="$upstream_response_time" ubytes="$upstream_bytes_received" sid="$http_mcp_session_id" up_sid="$upstream_http_mcp_session_id" req_id="$http_x_request_id" ua="$http_user_agent""#;
const APACHE: &str = r#"time=%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{%z}t client=%a cport=%{remote}p method=%m uri="%U%q" proto=%H status=%>s us=%D conn=%X keepalive=%k bytes_out=%O bytes_in=%I worker="%{BALANCER_WORKER_NAME}e" route="%{BALANCER_WORKER_ROUTE}e" sid="%{Mcp-Session-Id}i" up_sid="%{Mcp-Session-Id}o" req_id="%{X-Request-Id}i" logid="%L" ua="%{User-Agent}i""#;

const NGINX_JSON: &str = r#"log_format json escape=json '{"time":"$time_iso8601","msec":$msec,"connection":$connection,"connection_requests":$connection_requests,'
    '"remote_addr":"$remote_addr","remote_port":"$remote_port","request_method":"$request_method","request_uri":"$request_uri",'
    '"server_protocol":"$server_protocol","host":"$host","status":$status,"request_completion":"$request_completion",'
    '"bytes_sent":$bytes_sent,"body_bytes_sent":$body_bytes_sent,"request_time":$request_time,"upstream_addr":"$upstream_addr",'
    '"upstream_status":"$upstream_status","upstream_connect_time":"$upstream_connect_time","upstream_header_time":"$upstream_header_time",'
    '"upstream_response_time":"$upstream_response_time","upstream_bytes_received":"$upstream_bytes_received",'
    '"mcp_session_id":"$http_mcp_session_id","upstream_mcp_session_id":"$upstream_http_mcp_session_id",'
    '"sent_content_type":"$sent_http_content_type","request_id":"$request_id","http_user_agent":"$http_user_agent"}';"#;
const APACHE_JSON: &str = r#"{"time":"%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{%z}t","client":"%a","cport":%{remote}p,"method":"%m","uri":"%U%q","proto":"%H","status":%>s,"duration_us":%D,"conn_status":"%X","keepalive_n":%k,"bytes_out":%O,"bytes_in":%I,"worker":"%{BALANCER_WORKER_NAME}e","mcp_session_id":"%{Mcp-Session-Id}i","resp_mcp_session_id":"%{Mcp-Session-Id}o","request_id":"%{X-Request-Id}i","log_id":"%L","ua":"%{User-Agent}i"}"#;
const HAPROXY_JSON: &str = r#"log-format '{"time":"%tr","ci":"%ci","cp":%cp,"fe":"%f","be":"%b","srv":"%s","srv_addr":"%si:%sp","TR":%TR,"Tw":%Tw,"Tc":%Tc,"Tr":%Tr,"Td":%Td,"Ta":%Ta,"status":%ST,"bytes_read":%B,"bytes_uploaded":%U,"term":"%tsc","actconn":%ac,"srvconn":%sc,"retries":"%rc","srv_queue":%sq,"be_queue":%bq,"method":"%HM","path":"%HP","query":"%HQ","ver":"%HV","mcp_session_id":"%[capture.req.hdr(0),json(utf8s)]","resp_mcp_session_id":"%[capture.res.hdr(0),json(utf8s)]","req_id":"%[capture.req.hdr(1),json(utf8s)]","ua":"%[capture.req.hdr(2),json(utf8s)]"}'"#;

/// One proxy's logs, and how Holter is told to read them.
struct Logs {
    kind: Kind,
    format: String,
    access: String,
    errors: String,
}

impl Logs {
    fn of(kind: Kind, format: &str, access: &str, errors: &str) -> Self {
        let errors = match errors {
            "" => String::new(),
            name => scoring::golden(name),
        };
        Self {
            kind,
            format: format.to_owned(),
            access: scoring::golden(access),
            errors,
        }
    }

    fn all() -> Vec<Self> {
        vec![
            Self::of(Kind::Nginx, NGINX, "nginx/kv.log", "nginx/error_info.log"),
            Self::of(Kind::Nginx, NGINX, "nginx/kv.log", "nginx/error.log"),
            Self::of(Kind::Nginx, NGINX, "nginx/kv.log", ""),
            Self::of(
                Kind::Nginx,
                NGINX,
                "nginx/1.26/kv.log",
                "nginx/1.26/error_info.log",
            ),
            Self::of(Kind::Apache, APACHE, "apache/kv.log", "apache/error.log"),
            Self::of(
                Kind::Caddy,
                "json",
                "caddy/json_upstream.log",
                "caddy/runtime.log",
            ),
            Self::of(Kind::HaProxy, "httplog", "haproxy/httplogcap.log", ""),
            Self::of(
                Kind::HaProxy,
                "HAProxy version 3.0",
                "haproxy/3.0/httplogcap.log",
                "",
            ),
            Self::of(Kind::Envoy, "default", "envoy/default.log", ""),
            Self::of(Kind::Envoy, "istio", "envoy/istio.log", ""),
            Self::of(Kind::Envoy, "json", "envoy/json.log", ""),
        ]
    }

    /// Logs of JSON in members of people's own, and the strings that wrote them.
    fn json() -> Vec<Self> {
        let (nginx, haproxy) = (Kind::Nginx, Kind::HaProxy);
        let mut all = vec![
            Self::of(nginx, NGINX_JSON, "nginx/json.log", "nginx/error_info.log"),
            Self::of(nginx, NGINX_JSON, "nginx/1.26/json.log", ""),
            Self::of(
                Kind::Apache,
                APACHE_JSON,
                "apache/json.log",
                "apache/error.log",
            ),
            Self::of(haproxy, HAPROXY_JSON, "haproxy/json.log", ""),
            Self::of(haproxy, HAPROXY_JSON, "haproxy/3.0/json.log", ""),
        ];
        for logs in &mut all {
            // Without HAProxy's own messages, which have no time.
            let objects = logs.access.lines().filter(|line| line.ends_with('}'));
            logs.access = objects.collect::<Vec<_>>().join("\n");
        }
        all
    }

    /// The same logs with every one of these texts exchanged, in both.
    fn with(&self, exchanged: &[(&str, &str)]) -> Self {
        let exchange = |text: &str| {
            let text = text.to_owned();
            (exchanged.iter()).fold(text, |text, (from, to)| text.replace(from, to))
        };
        Self {
            kind: self.kind,
            format: self.format.clone(),
            access: exchange(&self.access),
            errors: exchange(&self.errors),
        }
    }

    fn said(&self) -> Vec<Said> {
        let format = scoring::compile(self.kind, &self.format);
        let mut lines = scoring::access(&format, &self.access);
        lines.extend(self.errors.lines().map(|line| second(&format, line)));
        let lines = scoring::in_turns(lines, 1_000, First::Error);
        let mut reader = scoring::reader(&format, !self.errors.is_empty());
        scoring::replay(&mut reader, &lines)
    }
}

fn second<'a>(format: &Format, line: &'a str) -> Timed<'a> {
    let (Written::Utc(ms) | Written::Local(ms)) = format.written(line.as_bytes()).unwrap();
    Timed {
        at_us: ms * 1000,
        is_access: false,
        line,
    }
}

fn check(logs: &Logs, other: &Logs, title: &str) {
    assert!(
        logs.access != other.access,
        "{title}: {} has nothing of it",
        logs.kind
    );
    let (expected, got) = (logs.said(), other.said());
    let lines = other.access.lines().zip(expected.iter().zip(&got));
    for (line, (expected, got)) in lines {
        assert_eq!(expected, got, "{title}: {} {line}", logs.kind);
    }
    assert_eq!(expected.len(), got.len(), "{title}");
}

#[test]
fn addresses_and_ports_do_not_matter() {
    for logs in Logs::all() {
        let other = logs.with(&[("127.0.0.1:2", "10.42.7.19:3"), ("127.0.", "192.168.")]);
        check(&logs, &other, "other addresses");
    }
}

#[test]
fn ipv6_addresses_do_not_matter() {
    for logs in Logs::all() {
        // HAProxy logs no server's address in this format; its clients' stand bare.
        let exchanged: &[(&str, &str)] = match logs.kind {
            Kind::HaProxy => &[("127.0.", "2001:db8::")],
            _ => &[("127.0.0.1:2", "[2001:db8::7]:3")],
        };
        check(&logs, &logs.with(exchanged), "IPv6");
    }
}

#[test]
fn names_do_not_matter() {
    for logs in Logs::all() {
        let exchanged = [
            ("mcp.example.test", "tools.internal"),
            ("mcp_fe", "edge"),
            ("mcp_be", "pool"),
            ("mcp_a", "cluster"),
            ("mcp-", "replica"),
            ("claude-code/1.0.43", "agent (x; y)"),
        ];
        let (logs, other) = (&logs, logs.with(&exchanged));
        check(logs, &other, "names");
    }
}

#[test]
fn the_day_does_not_matter() {
    for logs in Logs::all() {
        let days = [
            ("20/Nov/2026", "29/Feb/2028"),
            ("2026-11-20", "2028-02-29"),
            ("2026/11/20", "2028/02/29"),
            ("Fri Nov 20", "Tue Feb 29"),
            (" 2026] [", " 2028] ["),
        ];
        // Moments counted in seconds go with no day here: nginx's $msec and Caddy's ts.
        if !matches!(logs.kind, Kind::Nginx | Kind::Caddy) {
            check(&logs, &logs.with(&days), "another day");
        }
    }
}

/// `key=value` or `key="value"` pairs, in the order of a line.
fn pairs(line: &str) -> Vec<&str> {
    let (mut quoted, mut pairs, mut start) = (false, Vec::new(), 0);
    for (at, char) in line.char_indices() {
        match char {
            '"' if !line[..at].ends_with('\\') => quoted = !quoted,
            ' ' if !quoted => {
                pairs.push(&line[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    pairs.push(&line[start..]);
    pairs
}

#[test]
fn the_order_of_fields_does_not_matter() {
    for logs in Logs::all() {
        if !matches!(logs.kind, Kind::Nginx | Kind::Apache) {
            continue;
        }
        let count = pairs(&logs.format).len();
        // 25 and 19 fields: each step visits all of them, in another order.
        for step in [2, 7, 11, 13] {
            let shuffle = |line: &str| {
                let pairs = pairs(line);
                assert_eq!(pairs.len(), count, "{line}");
                let order = (0..count).map(|at| pairs[at * step % count]);
                order.collect::<Vec<_>>().join(" ")
            };
            let lines: Vec<String> = logs.access.lines().map(shuffle).collect();
            let other = Logs {
                kind: logs.kind,
                format: shuffle(&logs.format),
                access: lines.join("\n"),
                errors: logs.errors.clone(),
            };
            check(&logs, &other, "another order");
        }
    }
}

#[test]
fn fields_that_nobody_needs_may_be_missing() {
    const SPARE: [&str; 13] = [
        "creq=",
        "proto=",
        "host=",
        "bytes_sent=",
        "body_bytes=",
        "us_status=",
        "ubytes=",
        "req_id=",
        "keepalive=",
        "bytes_out=",
        "bytes_in=",
        "route=",
        "time=$",
    ];
    for logs in Logs::all() {
        if !matches!(logs.kind, Kind::Nginx | Kind::Apache) {
            continue;
        }
        let format = pairs(&logs.format);
        let spare = |at: &usize| SPARE.iter().any(|name| format[*at].starts_with(name));
        let without = |line: &str| {
            let pairs = pairs(line);
            let kept = (0..format.len())
                .filter(|at| !spare(at))
                .map(|at| pairs[at]);
            kept.collect::<Vec<_>>().join(" ")
        };
        let lines: Vec<String> = logs.access.lines().map(without).collect();
        let other = Logs {
            format: without(&logs.format),
            access: lines.join("\n"),
            ..logs.with(&[])
        };
        check(&logs, &other, "fewer fields");
    }
}

/// The members of a JSON line the other way round.
#[test]
fn the_order_of_members_does_not_matter() {
    for logs in Logs::all().into_iter().chain(Logs::json()) {
        let turn = |line: &str| {
            // Behind what syslog puts before it.
            let (prefix, object) = line.split_at(line.find('{').unwrap());
            let members: BTreeMap<String, serde_json::Value> =
                serde_json::from_str(object).unwrap_or_else(|error| panic!("{line}: {error}"));
            let members = members.iter().rev();
            let members = members.map(|(key, value)| format!("{:?}: {value}", key));
            format!("{prefix}{{ {} }}", members.collect::<Vec<_>>().join(" , "))
        };
        if logs.access.lines().all(|line| line.ends_with('}')) {
            let lines: Vec<String> = logs.access.lines().map(turn).collect();
            let other = Logs {
                access: lines.join("\n"),
                ..logs.with(&[])
            };
            check(&logs, &other, "another order of members");
        }
    }
}

#[test]
fn members_that_the_format_does_not_have_are_passed_over() {
    for logs in Logs::json() {
        let behind_session = match logs.kind {
            Kind::Nginx => ",\"upstream_mcp_session_id\"",
            _ => ",\"resp_mcp_session_id\"",
        };
        for (from, to) in [
            (behind_session, &*format!(",\"zone\":\"b\"{behind_session}")),
            (",\"status\"", ",\"zone\":\"a,b\",\"status\""),
            ("\"}", "\",\"zone\":\"b\"}"),
            ("{\"time", "{\"x\":{\"status\":1},\"time"),
        ] {
            check(&logs, &logs.with(&[(from, to)]), "a member more");
        }
    }
}

#[test]
fn the_preset_reads_members_of_peoples_own() {
    for logs in Logs::json() {
        let preset = Logs {
            format: "json".to_owned(),
            ..logs.with(&[])
        };
        let (expected, got) = (logs.said(), preset.said());
        for (line, (expected, got)) in logs.access.lines().zip(expected.iter().zip(&got)) {
            assert_eq!(expected, got, "{}: {line}", logs.kind);
        }
        let is_unparsed = |said: &&Said| said.kind == Some(LineKind::Unparsed);
        assert_eq!(got.iter().find(is_unparsed), None, "{}", logs.kind);
        assert!(
            got.len() > 200 && got.len() == expected.len(),
            "{}",
            logs.kind
        );
    }
}
