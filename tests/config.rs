//! The configuration against golden files: each bad file gives exactly its text, each good one is accepted.
//!
//! `UPDATE_GOLDEN=1 cargo test --test config` rewrites the texts; read the difference before committing.

#![allow(clippy::expect_used, reason = "helpers of a test fail the test")]

use std::fs;
use std::path::{Path, PathBuf};

use holter::config::{Config, Problem};
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

const KEYS: [&str; 15] = [
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
