//! A log source on real files: what a container runtime wrote counts as what nginx wrote.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;
use holter::access_log::nginx::error;
use holter::config::{Config, Input};
use holter::metrics::Metrics;
use holter::status::journal::SharedJournal;
use holter::tasks::log::LogTask;
use holter::tasks::reading::Reading;
use holter::tasks::record::SourceRecorder;
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

const FORMAT: &str = r#"time=$time_iso8601 msec=$msec conn=$connection creq=$connection_requests client=$remote_addr cport=$remote_port method=$request_method uri="$request_uri" proto=$server_protocol host=$host status=$status completion="$request_completion" bytes_sent=$bytes_sent body_bytes=$body_bytes_sent rt=$request_time us="$upstream_addr" us_status="$upstream_status" uct="$upstream_connect_time" uht="$upstream_header_time" urt="$upstream_response_time" ubytes="$upstream_bytes_received" sid="$http_mcp_session_id" up_sid="$upstream_http_mcp_session_id" req_id="$http_x_request_id" ua="$http_user_agent""#;

fn golden(name: &str) -> String {
    let path = format!("tests/golden/access_log/nginx/{name}.gz");
    let file = fs::File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

/// What a source counts.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    unparsed: u64,
    ends: BTreeMap<&'static str, u64>,
    affinity: (u64, u64),
}

/// Runs a source whose files are empty at first and then hold `texts`.
async fn count(keys: &str, texts: &[(&str, &str)]) -> Counts {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    for (name, _) in texts {
        fs::write(path(name), "").unwrap();
    }
    let keys = keys.replace("@", &format!("{}/", folder.path().display()));
    let config = Config::parse(&format!("logs:\n- name: edge\n{keys}"), "holter.yaml").unwrap();
    let metrics = Metrics::new([], ["edge"]).source("edge").unwrap();
    let recorder = SourceRecorder {
        metrics: metrics.clone(),
        journal: SharedJournal::default(),
    };
    let Input::Files { access, error } = &config.logs[0].input else {
        panic!("no files: {keys}");
    };
    let reading = Arc::new(Mutex::new(Reading::new(&config.logs[0], recorder, None)));
    let task = LogTask::new(Arc::clone(&reading), &[&access[..], error].concat());
    for (name, text) in texts {
        append(&path(name), text);
    }
    let stop = CancellationToken::new();
    stop.cancel();
    task.run(stop).await;
    reading.lock().await.finish();
    Counts {
        unparsed: metrics.lines().1,
        ends: metrics
            .closed()
            .iter()
            .map(|(reason, n)| (holter::label::Label::as_str(*reason), *n))
            .collect(),
        affinity: metrics.affinity(),
    }
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Both logs as nginx's container prints them, in the order of time: its start, then the lines.
fn container() -> Vec<(&'static str, String)> {
    let (access, errors) = (golden("kv.log"), golden("error_info.log"));
    let second = |line: &str| -> i64 {
        let msec = line.split("msec=").nth(1).unwrap();
        msec.split('.').next().unwrap().parse().unwrap()
    };
    let written = |line: &str| error::parse(line.as_bytes()).unwrap().at;
    let mut lines: Vec<(i64, &str, &str)> = (errors.lines().map(|l| (written(l), "stderr", l)))
        .chain(access.lines().map(|l| (second(l), "stdout", l)))
        .collect();
    lines.sort_by_key(|(at, _, _)| *at);
    let start = "2026/11/20 00:00:00 [notice] 1#1: start worker processes";
    [("stderr", start.to_owned())]
        .into_iter()
        .chain(
            lines
                .into_iter()
                .map(|(_, output, line)| (output, line.to_owned())),
        )
        .collect()
}

const T: &str = "2026-11-20T09:59:41.361000061Z";

/// Every third line in two pieces, with lines of the other output between them where they come so.
fn cri(lines: &[(&str, String)]) -> String {
    let split = |(n, (output, line)): (usize, &(&str, String))| match n % 3 {
        0 => {
            let (head, tail) = line.split_at(line.len() / 2);
            format!("{T} {output} P {head}\n{T} {output} F {tail}\n")
        }
        _ => format!("{T} {output} F {line}\n"),
    };
    lines.iter().enumerate().map(split).collect()
}

fn docker(lines: &[(&str, String)]) -> String {
    let line = |(output, line): &(&str, String)| {
        let log = format!("{line}\n");
        format!(
            "{}\n",
            serde_json::json!({ "log": log, "stream": output, "time": T })
        )
    };
    lines.iter().map(line).collect()
}

#[tokio::test]
async fn one_container_file_counts_as_the_two_logs() {
    let keys = format!("  format: nginx\n  log_format: '{FORMAT}'\n");
    let (access, errors) = (golden("kv.log"), golden("error_info.log"));
    let two = format!("{keys}  files: [@access.log]\n  error_files: [@error.log]");
    let texts = [
        ("access.log", access.as_str()),
        ("error.log", errors.as_str()),
    ];
    let plain = count(&two, &texts).await;
    assert!(plain.unparsed == 0 && plain.ends.len() > 8, "{plain:?}");
    assert!(plain.affinity.1 > 40, "{plain:?}");

    let lines = container();
    for (wrapping, text) in [("cri", cri(&lines)), ("docker", docker(&lines))] {
        for wrapping in [wrapping, "auto"] {
            let one = format!("{keys}  files: [@0.log]\n  wrapping: {wrapping}");
            assert_eq!(count(&one, &[("0.log", &text)]).await, plain, "{wrapping}");
        }
    }
}

#[tokio::test]
async fn lines_of_stderr_are_access_lines_where_the_error_log_is_elsewhere() {
    let keys = format!(
        "  format: nginx\n  log_format: '{FORMAT}'\n  files: [@0.log]\n  error_files: [@error.log]"
    );
    let access = golden("kv.log");
    let lines: Vec<_> = access
        .lines()
        .map(|line| ("stderr", line.to_owned()))
        .collect();
    let counts = count(&keys, &[("0.log", &cri(&lines)), ("error.log", "")]).await;
    assert_eq!(counts.unparsed, 0);
    assert!(counts.ends.len() > 2, "{counts:?}");
}

/// Caddy prints both logs to its standard error, unless told otherwise.
#[tokio::test]
async fn caddys_lines_are_known_on_any_output() {
    let golden = |name: &str| golden(&format!("../caddy/{name}"));
    let (access, runtime) = (golden("json.log"), golden("runtime.log"));
    let moment = |line: &str| -> f64 {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["ts"].as_f64().unwrap()
    };
    let mut lines: Vec<(f64, String)> = (access.lines().chain(runtime.lines()))
        .map(|line| (moment(line), line.to_owned()))
        .collect();
    lines.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let printed = |output| -> Vec<(&str, String)> {
        let lines = lines.iter();
        lines.map(|(_, line)| (output, line.clone())).collect()
    };
    let keys = "  format: caddy\n  log_format: json\n  files: [@0.log]";
    let stdout = count(keys, &[("0.log", &cri(&printed("stdout")))]).await;
    let stderr = count(keys, &[("0.log", &cri(&printed("stderr")))]).await;
    assert!(stdout.unparsed == 0 && stdout.ends.len() > 8, "{stdout:?}");
    assert_eq!(stderr, stdout);
}

#[tokio::test]
async fn what_is_no_wrapped_line_is_counted() {
    let keys =
        format!("  format: nginx\n  log_format: '{FORMAT}'\n  files: [@0.log]\n  wrapping: cri");
    let counts = count(&keys, &[("0.log", "damage\n\n")]).await;
    assert_eq!(counts.unparsed, 2);
}

#[tokio::test]
async fn an_application_s_ends_are_counted_from_both_outputs() {
    let keys = "  format: rules\n  presets: [spring]\n  files: [@0.log]";
    let lines = [
        ("stderr", "SSE connection cancelled".to_owned()),
        ("stdout", "SSE connection completed".to_owned()),
        ("stdout", "anything".to_owned()),
    ];
    let counts = count(keys, &[("0.log", &cri(&lines))]).await;
    let ends = [("client_close", 1), ("server_close", 1)];
    assert_eq!((counts.unparsed, counts.ends), (0, ends.into()));
}
