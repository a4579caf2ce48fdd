//! The formats called `json`: what the documentation tells to paste is what Holter reads, a line of it
//! says everything that Holter asks for, and nginx accepts it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::process::Command;

use holter::access_log::streams::StreamRule;
use holter::access_log::{Format, Kind, Record, apache, haproxy, nginx};

const DOCS: &str = include_str!("../docs/formats.md");

/// Lines that a real nginx and a real HAProxy wrote in these formats, and one as Apache's manual has it.
const NGINX: &str = r#"{"time":"2026-11-20T14:29:15+00:00","msec":1795184955.453,"connection":3,"remote_addr":"127.0.0.1","request_method":"POST","request_uri":"/mcp?a=\"b","status":200,"request_completion":"OK","request_time":0.010,"body_bytes_sent":9,"upstream_addr":"127.0.0.1:8082","upstream_status":"200","upstream_connect_time":"0.000","upstream_header_time":"0.000","mcp_session_id":"abc","upstream_mcp_session_id":"srv-1","mcp_method":"subscriptions/listen","content_type":"text/event-stream","user_agent":"curl/7.88.1"}"#;
const HAPROXY: &str = r#"{"time":"20/Nov/2026:14:29:15.411","client":"127.0.0.1","client_port":36948,"frontend":"f","backend":"b","server":"s1","server_addr":"127.0.0.1:8082","duration_ms":10,"status":200,"bytes":179,"term":"----","retries":"0","method":"POST","path":"/mcp","query":"?a=%22b","mcp_session_id":"abc","user_agent":"node \"q\"","mcp_method":"subscriptions\/listen","resp_mcp_session_id":"srv-1","content_type":"text\/event-stream"}"#;
const APACHE: &str = r#"{"time":"2026-11-20T14:29:15.411+0000","client":"127.0.0.1","client_port":36948,"method":"POST","uri":"/mcp?a=%22b","status":200,"duration_us":10000,"connection":"+","bytes":9,"worker":"http://127.0.0.1:8082","mcp_session_id":"abc","resp_mcp_session_id":"srv-1","mcp_method":"subscriptions/listen","content_type":"text/event-stream","log_id":"-","user_agent":"node \"q\""}"#;
const ENVOY: &str = r#"{"start_time":"2026-11-20T14:29:15.411Z","method":"POST","path":"/mcp?a=%22b","response_code":200,"response_flags":"-","response_code_details":"via_upstream","duration":10,"upstream_host":"127.0.0.1:8082","upstream_request_attempt_count":1,"mcp_session_id":"abc","resp_mcp_session_id":"srv-1","mcp_method":"subscriptions/listen","content_type":"text/event-stream","user_agent":"node"}"#;

fn json_of(presets: &[(&str, &'static str)]) -> &'static str {
    let json = presets.iter().find(|(name, _)| *name == "json");
    json.expect("a preset called json").1
}

/// The text of the block in this language, in the section on `json`.
fn block(language: &str) -> &'static str {
    let (_, section) = DOCS.split_once("## `json`").expect("the section");
    let (_, block) = section
        .split_once(&format!("```{language}\n"))
        .expect(language);
    block.split_once("\n```").expect("the block's end").0
}

fn check(record: &Record<'_>, title: &str) {
    let text = |raw: Option<&[u8]>| String::from_utf8_lossy(raw.expect(title)).into_owned();
    let ids = (text(record.session_sent), text(record.session_minted));
    assert_eq!(ids, ("abc".to_owned(), "srv-1".to_owned()), "{title}");
    assert_eq!(text(record.upstream), "127.0.0.1:8082", "{title}");
    assert_eq!(
        (text(record.path), record.status),
        ("/mcp".to_owned(), Some(200)),
        "{title}"
    );
    let took = record.duration.map(|took| took.as_millis());
    assert_eq!((took, record.ended.is_some()), (Some(10), true), "{title}");
    assert!(
        record.user_agent.is_some() && record.content_type.is_some(),
        "{title}"
    );
    // By what it asks for and by what it was answered: either alone would do.
    let asked = Record {
        content_type: None,
        ..record.clone()
    };
    let answered = Record {
        mcp_method: None,
        ..record.clone()
    };
    for record in [asked, answered] {
        assert!(StreamRule::default().holds(&record), "{title}");
    }
}

#[test]
fn what_the_documentation_tells_to_paste_is_what_is_read() {
    assert_eq!(block("nginx"), json_of(&nginx::PRESETS));
    assert_eq!(block("haproxy"), haproxy::JSON);
    assert_eq!(block("apache"), json_of(&apache::PRESETS));
    for (kind, language, line) in [
        (Kind::Nginx, "nginx", NGINX),
        (Kind::HaProxy, "haproxy", HAPROXY),
        (Kind::Apache, "apache", APACHE),
        (Kind::Envoy, "json", ENVOY),
    ] {
        let pasted = Format::compile(kind, block(language)).unwrap();
        for format in [&pasted, &Format::compile(kind, "json").unwrap()] {
            check(&format.parse(line.as_bytes()).unwrap(), language);
        }
        // HAProxy's own version is no field of a line.
        let limits = pasted.limits();
        assert_eq!(
            limits.len(),
            usize::from(kind == Kind::HaProxy),
            "{limits:?}"
        );
    }
}

#[test]
fn nginx_accepts_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nginx.conf");
    let at = folder.path().display();
    let config = format!(
        "pid {at}/pid; error_log {at}/error.log info; events {{}} http {{ {} access_log {at}/access.log holter_json; }}",
        block("nginx")
    );
    std::fs::write(&path, config).unwrap();
    let mut nginx = Command::new("nginx");
    nginx.args(["-t", "-c"]).arg(&path).env(
        "PATH",
        format!("{}:/usr/sbin", std::env::var("PATH").unwrap()),
    );
    let output = nginx.output().expect("nginx, which scripts/setup installs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
