//! The configuration against golden files: each bad file gives exactly its text, each good one is accepted.
//!
//! `UPDATE_GOLDEN=1 cargo test --test config` rewrites the texts; read the difference before committing.

#![allow(clippy::expect_used, reason = "helpers of a test fail the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use holter::access_log::rules::{EventKind, Preset, Rule, Rules};
use holter::access_log::streams::StreamRule;
use holter::access_log::wrapping::Wrapping;
use holter::access_log::{Format, nginx};
use holter::canary::Transport;
use holter::config::{Affinity, Canary, Config, Heartbeat, Input, Problem};
use holter::reason::Reason;
use proptest::prelude::*;

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/config");
    let mut files: Vec<_> = fs::read_dir(root.join(folder))
        .expect("golden folder")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| format!("{problem}\n"))
        .collect()
}

#[test]
fn a_source_says_what_it_cannot_tell() {
    let limits = |format: &str, error_files: &str| {
        let text = format!(
            "logs:\n- name: a\n  format: {format}\n  log_format: json\n  files: [/a]\n{error_files}"
        );
        let mut config = Config::parse(&text, "holter.yaml").expect("accepted");
        config.logs.remove(0).limits()
    };
    let [no_error_log] = &*limits("nginx", "") else {
        panic!("{:?}", limits("nginx", ""));
    };
    assert!(no_error_log.starts_with("no error log: "), "{no_error_log}");
    assert_eq!(limits("nginx", "  error_files: [/e]\n"), [""; 0]);
    assert_eq!(limits("envoy", ""), [""; 0]);
}

#[test]
fn bad_files_give_their_text() {
    let files = yaml_files("bad");
    assert!(files.len() >= 20, "only {} bad files", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let found = match Config::parse(&read(&file), "holter.yaml") {
            Ok(_) => "accepted\n".to_owned(),
            Err(problems) => lines(&problems),
        };
        let golden = file.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &found).expect("golden text");
        }
        let expected = read(&golden);
        if found != expected {
            wrong.push(format!(
                "{}\nfound:    {found}expected: {expected}",
                file.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_problem_is_placed_and_on_one_line() {
    for file in yaml_files("bad") {
        for problem in Config::parse(&read(&file), "holter.yaml").expect_err("bad") {
            let line = problem.to_string();
            assert!(problem.place.line > 0 && problem.place.column > 0, "{line}");
            assert!(!line.contains(char::is_control), "{line:?}");
            assert!(!line.contains("s3cr3t"), "{line}");
            assert!(line.contains("expected"), "{}: {line}", file.display());
        }
    }
}

#[test]
fn good_files_are_accepted() {
    for file in yaml_files("good") {
        if let Err(problems) = Config::parse(&read(&file), "holter.yaml") {
            panic!("{}: {}", file.display(), lines(&problems));
        }
    }
}

const FULL: &str = "
canaries:
- name: a
  direct: http://127.0.0.1:3001/d
  proxy: https://mcp.example.com/p
  transport: http_sse
  streams: 3
  headers: { X-B: b, X-A: a }
  bearer_token_file: /run/token
  connect_timeout: 1500ms
  max_age: 2h
  heartbeat: { expected: 30s, tolerance: 1.5 }
  affinity: { interval: 90s, requests: 7 }
logs:
- name: b
  format: nginx
  log_format: '$request $status'
  files: [/f1, /f2]
  error_files: [/e]
  wrapping: cri
  streams: { paths: [/s], methods: [GET, POST] }";

/// The canary of [`FULL`].
fn full_canary() -> Canary {
    let url = |text: &str| Some(text.parse().expect("url"));
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Canary {
        name: "a".to_owned(),
        direct: url("http://127.0.0.1:3001/d"),
        proxy: url("https://mcp.example.com/p"),
        transport: Transport::HttpSse,
        streams: 3,
        headers: vec![header("X-A", "a"), header("X-B", "b")],
        bearer_token_file: Some("/run/token".into()),
        connect_timeout: Duration::from_millis(1500),
        max_age: Some(Duration::from_secs(7200)),
        heartbeat: Heartbeat {
            expected: Some(Duration::from_secs(30)),
            tolerance: 1.5,
        },
        affinity: Affinity {
            interval: Duration::from_secs(90),
            requests: 7,
        },
    }
}

#[test]
fn values_arrive_where_they_belong() {
    let config = Config::parse(FULL, "holter.yaml").expect("accepted");
    assert_eq!(config.canaries, [full_canary()]);
    let log = &config.logs[0];
    assert_eq!(log.name, "b");
    let format = nginx::Format::compile("$request $status").expect("compiled");
    assert_eq!(log.format, Format::Nginx(format));
    assert_eq!(
        log.input,
        Input::Files {
            access: vec!["/f1".into(), "/f2".into()],
            error: vec!["/e".into()],
        }
    );
    assert_eq!(log.wrapping, Some(Wrapping::Cri));
    let methods = ["GET", "POST"].map(String::from).to_vec();
    assert_eq!(log.streams, StreamRule::new(methods, &["/s".to_owned()]));
    let named: Vec<_> = config
        .named_files
        .iter()
        .map(|f| f.place.path.as_str())
        .collect();
    assert_eq!(
        named,
        [
            "canaries[0].bearer_token_file",
            "logs[0].files[0]",
            "logs[0].files[1]",
            "logs[0].error_files[0]"
        ]
    );
}

#[test]
fn the_schemes_of_a_websocket_are_those_of_http() {
    let text =
        "canaries: [{ name: a, direct: 'ws://h/ws', proxy: 'WSS://h/ws', transport: websocket }]";
    let config = Config::parse(text, "holter.yaml").expect("accepted");
    let Canary {
        direct,
        proxy,
        transport,
        ..
    } = &config.canaries[0];
    let urls = [direct, proxy].map(|url| url.as_ref().expect("a URL"));
    assert_eq!(
        urls.map(|url| url.as_str()),
        ["http://h/ws", "https://h/ws"]
    );
    assert_eq!(
        urls.map(|url| url.port_or_known_default()),
        [Some(80), Some(443)]
    );
    assert_eq!(*transport, Transport::WebSocket);
}

#[test]
fn rules_arrive_in_their_order_before_presets() {
    let text = "
logs:
- name: app
  format: rules
  files: [/f]
  presets: [spring]
  rules:
  - { contains: cancelled, pattern: 'cancelled by', event: closed, reason: drain }
  - { contains: hello, pattern: '^hello', event: opened }";
    let config = Config::parse(text, "holter.yaml").expect("accepted");
    let rule = |contains, pattern, event, reason| {
        Rule::new(contains, pattern, event, reason).expect("compiled")
    };
    let own = vec![
        rule(
            "cancelled",
            "cancelled by",
            EventKind::Closed,
            Reason::Drain,
        ),
        rule("hello", "^hello", EventKind::Opened, Reason::Unknown),
    ];
    let expected = Rules::new(own, &[Preset::Spring]);
    assert_eq!(config.logs[0].format, Format::Rules(expected));
    assert_eq!(config.logs[0].wrapping, None);
}

#[test]
fn words_that_switch_off() {
    let canary = |rest: &str| {
        let text = format!("canaries: [{{ name: a, direct: 'http://h/', {rest} }}]");
        Config::parse(&text, "holter.yaml")
            .expect(rest)
            .canaries
            .remove(0)
    };
    assert_eq!(canary("max_age: off").max_age, None);
    assert_eq!(
        canary("heartbeat: { expected: auto }").heartbeat.expected,
        None
    );
    for off in ["off", "0s", "0m"] {
        assert_eq!(
            canary(&format!("affinity: {{ interval: {off} }}"))
                .affinity
                .interval,
            Duration::ZERO
        );
    }
}

const EXAMPLE: &str = include_str!("../docs/holter.example.yaml");

#[test]
fn example_is_accepted_and_shows_the_defaults() {
    let example = Config::parse(EXAMPLE, "holter.yaml").expect("accepted");
    let least = "
canaries: [{ name: weather, direct: 'http://127.0.0.1:3001/mcp', proxy: 'https://mcp.example.com/mcp',
             headers: { X-Team: search }, bearer_token_file: /run/secrets/token }]
logs: [{ name: edge, format: nginx, files: ['/var/log/nginx/access*.log'], error_files: [/var/log/nginx/error.log] }]";
    let least = Config::parse(least, "holter.yaml").expect("accepted");
    assert_eq!(example.canaries, least.canaries);
    assert_eq!(example.logs[0].format, least.logs[0].format);
    assert_eq!(example.logs[0].streams, least.logs[0].streams);
    assert_eq!(example.logs[0].wrapping, least.logs[0].wrapping);
}

/// The keys that the message on an unknown key lists are the keys that exist.
#[test]
fn example_mentions_every_key() {
    let known = |text: &str| -> Vec<String> {
        let problems = Config::parse(text, "holter.yaml").expect_err("unknown key");
        let (_, keys) = problems[0]
            .message
            .split_once("expected one of: ")
            .expect(text);
        keys.split(", ").map(str::to_owned).collect()
    };
    let mut keys = Vec::new();
    for text in [
        "x_: 1",
        "canaries: [{ x_: 1 }]",
        "canaries: [{ heartbeat: { x_: 1, y_: 2 } }]",
        "canaries: [{ affinity: { x_: 1, y_: 2 } }]",
        "logs: [{ x_: 1 }]",
        "logs: [{ streams: { x_: 1, y_: 2 } }]",
        "logs: [{ rules: [{ x_: 1 }] }]",
        "logs: [{ samples: [{ x_: 1 }] }]",
    ] {
        keys.extend(known(text));
    }
    assert!(keys.len() >= 20, "{keys:?}");
    for key in keys {
        assert!(EXAMPLE.contains(&format!("{key}:")), "{key} is missing");
    }
}

/// Accepted, or refused with problems that are each on one line.
fn is_judged(text: &str) -> bool {
    Config::parse(text, "holter.yaml")
        .err()
        .is_none_or(|problems| {
            !problems.is_empty()
                && problems
                    .iter()
                    .all(|p| !p.to_string().contains(char::is_control))
        })
}

const KEYS: [&str; 22] = [
    "syslog",
    "error_syslog",
    "stdin",
    "wrapping",
    "rules",
    "presets",
    "samples",
    "name",
    "direct",
    "proxy",
    "transport",
    "streams",
    "headers",
    "bearer_token_file",
    "connect_timeout",
    "max_age",
    "heartbeat",
    "affinity",
    "format",
    "log_format",
    "files",
    "error_files",
];

proptest! {
    #[test]
    fn any_text_is_judged(text in any::<String>()) {
        prop_assert!(is_judged(&text));
    }

    #[test]
    fn any_value_is_judged(key in prop::sample::select(&KEYS[..]), value in any::<String>()) {
        let quoted = serde_json::to_string(&value)?;
        for list in ["canaries", "logs"] {
            for value in [&value, &quoted] {
                let scalar = format!("{list}:\n- {key}: {value}\n");
                prop_assert!(is_judged(&scalar));
                let sequence = format!("{list}:\n- {key}: [{value}]\n");
                prop_assert!(is_judged(&sequence));
                let mapping = format!("{list}: [{{ {key}: {{ a: {value} }} }}]");
                prop_assert!(is_judged(&mapping));
            }
        }
    }

    #[test]
    fn any_url_is_judged(rest in "[a-z0-9.:@/?#\\[\\]%\\\\ -]{0,30}") {
        let quoted = serde_json::to_string(&format!("http://{rest}"))?;
        let text = format!("canaries: [{{ name: a, direct: {quoted} }}]");
        prop_assert!(is_judged(&text));
    }
}
