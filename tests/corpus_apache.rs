//! Logs of a real Apache (2.4.71) whose true reasons are known, replayed by time.
//!
//! `tests/golden/access_log/apache`: one run logged in three formats at once, its error log, and for
//! each access line what really happened.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scoring;

use holter::access_log::apache::error;
use holter::access_log::{Format, Kind};
use holter::reason::Reason;
use scoring::{First, Said, Score, Timed};

const KV: &str = r#"LogFormat "time=%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{%z}t client=%a cport=%{remote}p method=%m uri=\"%U%q\" proto=%H status=%>s us=%D conn=%X keepalive=%k bytes_out=%O bytes_in=%I worker=\"%{BALANCER_WORKER_NAME}e\" route=\"%{BALANCER_WORKER_ROUTE}e\" sid=\"%{Mcp-Session-Id}i\" up_sid=\"%{Mcp-Session-Id}o\" req_id=\"%{X-Request-Id}i\" logid=\"%L\" ua=\"%{User-Agent}i\"" kv"#;

const JSON: &str = r#"{\"time\":\"%{%Y-%m-%dT%H:%M:%S}t.%{msec_frac}t%{%z}t\",\"client\":\"%a\",\"cport\":%{remote}p,\"method\":\"%m\",\"uri\":\"%U%q\",\"proto\":\"%H\",\"status\":%>s,\"duration_us\":%D,\"conn_status\":\"%X\",\"keepalive_n\":%k,\"bytes_out\":%O,\"bytes_in\":%I,\"worker\":\"%{BALANCER_WORKER_NAME}e\",\"mcp_session_id\":\"%{Mcp-Session-Id}i\",\"resp_mcp_session_id\":\"%{Mcp-Session-Id}o\",\"request_id\":\"%{X-Request-Id}i\",\"log_id\":\"%L\",\"ua\":\"%{User-Agent}i\"}"#;

const FORMATS: [(&str, &str); 3] = [("combined", "combined"), ("kv", KV), ("json", JSON)];

/// What was not the truth and yet is what the logs say, with the reason why.
const ACCEPTABLE: &[(&str, Reason)] = &[
    // Without its entry in the error log, a 5xx is no more than that.
    ("connect_refused", Reason::Http5xx),
    ("connect_timeout", Reason::Http5xx),
    ("dns_error", Reason::Http5xx),
    ("no_upstream", Reason::Http5xx),
    ("idle_timeout", Reason::Http5xx),
    ("server_cut", Reason::Http5xx),
    ("server_reset", Reason::Http5xx),
    // `X` is a client's connection that broke, whether by FIN, RST or HTTP/2's reset.
    ("client_reset", Reason::ClientClose),
    // A client that does not read is dropped, and logged as one that left.
    ("send_timeout", Reason::ClientClose),
    // A client that left a silent stream is found out at ProxyTimeout, and logged as that.
    ("client_close", Reason::IdleTimeout),
    ("client_reset", Reason::IdleTimeout),
    // A body without length or chunks ends where the connection ends; a half-closed client is
    // answered to the end.
    ("server_cut", Reason::ServerClose),
    ("client_close", Reason::ServerClose),
];

/// Without the error log, nothing tells that the server was stopped, or that an upstream failed
/// under an HTTP/2 stream.
const ACCEPTABLE_ALONE: &[(&str, Reason)] = &[
    ("drain", Reason::ClientClose),
    ("server_reset", Reason::ClientClose),
];

fn errors(text: &str) -> Vec<Timed<'_>> {
    let timed = text.lines().map(|line| Timed {
        at_us: error::parse(line.as_bytes()).unwrap().at_us,
        is_access: false,
        line,
    });
    timed.collect()
}

fn replay(text: &str, name: &str, errors_text: &str, period_us: i64, first: First) -> Vec<Said> {
    let format = scoring::compile(Kind::Apache, text);
    let log = scoring::golden(&format!("apache/{name}.log"));
    let mut lines = scoring::access(&format, &log);
    lines.extend(errors(errors_text));
    let lines = scoring::in_turns(lines, period_us, first);
    let mut reader = scoring::reader(&format, !errors_text.is_empty());
    scoring::replay(&mut reader, &lines)
}

fn score(title: &str, said: &[Said], alone: bool) -> Score {
    let mut acceptable = ACCEPTABLE.to_vec();
    acceptable.extend(ACCEPTABLE_ALONE.iter().filter(|_| alone));
    scoring::score(
        title,
        &scoring::truth("apache/truth.jsonl"),
        said,
        &acceptable,
    )
}

#[test]
fn reasons_are_true_or_vague() {
    let errors = scoring::golden("apache/error.log");
    for (name, text) in FORMATS {
        score(
            &format!("{name} alone"),
            &replay(text, name, "", 1, First::Error),
            true,
        );
        for period_us in [1, 200_000] {
            for first in [First::Access, First::Error] {
                let title = format!("{name} + error log ({first:?} first, every {period_us} us)");
                let said = replay(text, name, &errors, period_us, first);
                score(&title, &said, false);
            }
        }
    }
}
