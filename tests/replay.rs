//! `holter replay` as it is run: on the logs of a real nginx, packed, plain and piped, cut into files, and on
//! input that is none. Whether what it says is true, for every proxy: `tests/report.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use holter::access_log::nginx;
use serde_json::Value;
use tempfile::TempDir;

const NGINX: &str = "tests/golden/access_log/nginx";

const KV: &str = r#"time=$time_iso8601 msec=$msec conn=$connection creq=$connection_requests client=$remote_addr cport=$remote_port method=$request_method uri="$request_uri" proto=$server_protocol host=$host status=$status completion="$request_completion" bytes_sent=$bytes_sent body_bytes=$body_bytes_sent rt=$request_time us="$upstream_addr" us_status="$upstream_status" uct="$upstream_connect_time" uht="$upstream_header_time" urt="$upstream_response_time" ubytes="$upstream_bytes_received" sid="$http_mcp_session_id" up_sid="$upstream_http_mcp_session_id" req_id="$http_x_request_id" ua="$http_user_agent""#;

/// Short lines for logs made up here.
const SHORT: &str =
    r#"$time_iso8601 $connection "$request" $status "$request_completion" $request_time"#;

/// Runs `holter replay`, by default `--format nginx`, in a folder, with this on standard input.
fn holter(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_holter"))
        .args(["replay"])
        .args(match arguments.contains(&"--format") {
            true => &[][..],
            false => &["--format", "nginx"],
        })
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // It may end without reading all of it.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// What a run that must go well prints.
fn printed(folder: &Path, arguments: &[&str], input: &[u8]) -> String {
    let output = holter(folder, arguments, input);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), &*errors),
        (Some(0), ""),
        "{arguments:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}

fn answers(folder: &Path, arguments: &[&str], input: &[u8]) -> Vec<Value> {
    let printed = printed(folder, &[&["--each"], arguments].concat(), input);
    let object = |line| serde_json::from_str(line).unwrap();
    printed.lines().map(object).collect()
}

fn unpacked(name: &str) -> Vec<u8> {
    let file = std::fs::File::open(format!("{NGINX}/{name}.gz")).unwrap();
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn text<'a>(answer: &'a Value, key: &str) -> Option<&'a str> {
    answer.get(key).and_then(Value::as_str)
}

/// The answers without the file and the line, and with sessions numbered as they come: the key that
/// they are hashed with is each run's own.
fn comparable(answers: &[Value]) -> Vec<Value> {
    let mut sessions = BTreeMap::new();
    let plain = |answer: &Value| {
        let mut plain = answer.as_object().unwrap().clone();
        plain.retain(|key, _| key != "file" && key != "line");
        if let Some(hash) = text(answer, "session") {
            assert_eq!(hash.len(), 12);
            let next = sessions.len();
            let number = *sessions.entry(hash.to_owned()).or_insert(next);
            plain.insert("session".to_owned(), number.into());
        }
        Value::Object(plain)
    };
    answers.iter().map(plain).collect()
}

#[test]
fn packed_plain_and_piped_say_the_same() {
    let (access, errors) = (unpacked("kv.log"), unpacked("error_info.log"));
    let two_members = {
        let (a, b) = access.split_at(access.len() / 3);
        [packed(a), packed(b)].concat()
    };
    let folder = folder(&[
        ("plain.log", &access),
        ("packed", &packed(&access)),
        ("members.gz", &two_members),
        ("error.log", &errors),
    ]);
    let run = |file: &str, input: &[u8]| {
        let arguments = ["--log-format", KV, "--error-log", "error.log", file];
        let answers = answers(folder.path(), &arguments, input);
        assert!(
            answers
                .iter()
                .all(|answer| text(answer, "file") == Some(file))
        );
        comparable(&answers)
    };
    let plain = run("plain.log", b"");
    assert_eq!(plain.len(), 355);
    assert!(run("packed", b"") == plain, "gzip by its first bytes");
    assert!(run("members.gz", b"") == plain, "gzip of two members");
    assert!(run("-", &access) == plain, "standard input");
    assert!(
        run("-", &packed(&access)) == plain,
        "gzip on standard input"
    );
}

/// A container's file: each line of these logs as its process printed it, to which output, by time. Every
/// tenth line is in two pieces.
fn in_a_container(logs: &[(&str, &[u8])], time: impl Fn(&str) -> i64) -> Vec<u8> {
    let mut lines: Vec<(i64, &str, &str)> = Vec::new();
    for (output, log) in logs {
        let text = std::str::from_utf8(log).unwrap();
        lines.extend(text.lines().map(|line| (time(line), *output, line)));
    }
    lines.sort_by_key(|(at, ..)| *at);
    let mut file = String::new();
    for (at, (_, output, line)) in lines.into_iter().enumerate() {
        let (first, rest) = match at % 10 {
            0 => line.split_at(line.len() / 2),
            _ => ("", line),
        };
        let stamp = "2026-11-20T09:59:41.361000061Z";
        if !first.is_empty() {
            file.push_str(&format!("{stamp} {output} P {first}\n"));
        }
        file.push_str(&format!("{stamp} {output} F {rest}\n"));
    }
    file.into_bytes()
}

/// The second in which nginx wrote a line of either log.
fn second(line: &str) -> i64 {
    let parsed = nginx::error::parse(line.as_bytes()).map(|entry| entry.at);
    parsed.unwrap_or_else(|_| {
        let format = nginx::Format::compile(KV).unwrap();
        let record = format.parse(line.as_bytes()).unwrap();
        record.ended.unwrap().unix_ms.div_euclid(1000)
    })
}

#[test]
fn a_container_s_error_output_is_its_error_log() {
    let (access, errors) = (unpacked("kv.log"), unpacked("error_info.log"));
    let both = in_a_container(&[("stdout", &access), ("stderr", &errors)], second);
    let alone = in_a_container(&[("stdout", &access)], second);
    let folder = folder(&[
        ("access", &access),
        ("error", &errors),
        ("empty", b""),
        ("both", &both),
        ("packed", &packed(&both)),
        ("alone", &alone),
    ]);
    let run = |arguments: &[&str], input: &[u8]| {
        let arguments = [&["--log-format", KV], arguments].concat();
        comparable(&answers(folder.path(), &arguments, input))
    };
    let joined = run(&["--error-log", "error", "access"], b"");
    assert!(run(&["both"], b"") == joined, "one file");
    assert!(run(&["packed"], b"") == joined, "packed");
    let unjoined = run(&["access"], b"");
    assert!(joined != unjoined);
    assert!(
        run(&["alone"], b"") == unjoined,
        "nothing on the other output"
    );
    let given = run(&["--error-log", "empty", "both"], b"");
    assert_eq!(given.len(), 355 + 377, "the error log is elsewhere");
    let summary = |file, input| printed(folder.path(), &["--log-format", KV, file], input);
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let gap = "377 lines of a container's standard error left out";
    assert!(words(summary("-", &both)).contains(gap));
    let told = words(summary("both", b""));
    assert!(told.contains("both (stderr): error log, 377 lines") && !told.contains(gap));
    assert!(words(summary("alone", b"")).contains("no error log was given"));
}

#[test]
fn caddys_lines_are_known_on_any_output() {
    let caddy = |name: &str| {
        let file = std::fs::File::open(format!("{NGINX}/../caddy/{name}.log.gz")).unwrap();
        let mut bytes = Vec::new();
        GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        bytes
    };
    let (access, runtime) = (caddy("json"), caddy("runtime"));
    let moment = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        (line["ts"].as_f64().unwrap() * 1e6) as i64
    };
    let both = in_a_container(&[("stderr", &access), ("stderr", &runtime)], moment);
    let folder = folder(&[("access", &access), ("runtime", &runtime), ("both", &both)]);
    let run = |arguments: &[&str]| {
        let arguments = [&["--format", "caddy"], arguments].concat();
        let answers = answers(folder.path(), &arguments, b"");
        let requests = answers
            .iter()
            .filter(|answer| text(answer, "kind") != Some("ignored"));
        comparable(&requests.cloned().collect::<Vec<_>>())
    };
    assert!(run(&["both"]) == run(&["--error-log", "runtime", "access"]));
}

/// The lines' reasons, by the file and the line.
fn reasons(answers: &[Value]) -> BTreeMap<(String, u64), Option<String>> {
    let place = |answer: &Value| {
        let file = text(answer, "file").unwrap().to_owned();
        (file, answer["line"].as_u64().unwrap())
    };
    let reason = |answer: &Value| text(answer, "reason").map(str::to_owned);
    answers
        .iter()
        .map(|answer| (place(answer), reason(answer)))
        .collect()
}

#[test]
fn files_are_put_in_order_of_time() {
    let (access, errors) = (unpacked("kv.log"), unpacked("error_info.log"));
    let lines: Vec<&[u8]> = access.split_inclusive(|byte| *byte == b'\n').collect();
    let part = |from: usize, to: usize| lines[from..to].concat();
    let every = |of: usize, from: usize| {
        lines
            .iter()
            .skip(from)
            .step_by(of)
            .copied()
            .collect::<Vec<_>>()
            .concat()
    };
    let folder = folder(&[
        ("whole", &access),
        ("errors", &errors),
        ("old.gz", &packed(&part(0, 100))),
        ("mid", &part(100, 101)),
        ("new", &part(101, 355)),
        ("left", &every(2, 0)),
        ("right", &every(2, 1)),
    ]);
    let run = |files: &[&str], input: &[u8]| {
        let arguments = ["--log-format", KV, "--error-log", "errors"];
        answers(folder.path(), &[&arguments, files].concat(), input)
    };
    let whole = run(&["whole"], b"");
    let rotated = run(&["new", "old.gz", "mid"], b"");
    assert!(comparable(&rotated) == comparable(&whole), "rotated files");
    let piped = run(&["new", "-", "mid"], &part(0, 100));
    assert!(
        comparable(&piped) == comparable(&whole),
        "rotated files and a pipe"
    );
    // Two proxies' logs side by side: each line's reason is what it is in one log.
    let beside = reasons(&run(&["left", "right"], b""));
    for ((_, line), reason) in reasons(&whole) {
        let file = if line % 2 == 1 { "left" } else { "right" };
        assert_eq!(
            beside[&(file.to_owned(), line.div_ceil(2))],
            reason,
            "line {line}"
        );
    }
}

/// Compares with a file in `tests/golden/replay`; `UPDATE_GOLDEN=1` writes it.
fn golden(name: &str, text: &str) {
    let path = PathBuf::from("tests/golden/replay").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{name}: UPDATE_GOLDEN=1 writes it");
}

#[test]
fn summaries_are_as_they_were() {
    let kv = [
        "--log-format",
        KV,
        "--error-log",
        "error_info.log.gz",
        "kv.log.gz",
    ];
    golden("kv.txt", &printed(Path::new(NGINX), &kv, b""));
    let json = printed(
        Path::new(NGINX),
        &[&["--output", "json"], &kv[..]].concat(),
        b"",
    );
    golden("kv.json", &json);
    golden(
        "combined.txt",
        &printed(Path::new(NGINX), &["combined.log.gz"], b""),
    );
}

#[test]
fn metrics_count_what_the_summary_counts() {
    let arguments = [
        "--log-format",
        KV,
        "--error-log",
        "error.log.gz",
        "kv.log.gz",
        "--output",
    ];
    let run = |output| printed(Path::new(NGINX), &[&arguments[..], &[output]].concat(), b"");
    let (report, metrics): (Value, _) =
        (serde_json::from_str(&run("json")).unwrap(), run("metrics"));
    let has = |line: String| {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line}\n{metrics}"
        )
    };
    for share in report["reasons"].as_array().unwrap() {
        let (reason, class) = (
            text(share, "reason").unwrap(),
            text(share, "class").unwrap(),
        );
        has(format!(
            "holter_log_streams_closed_total{{class=\"{class}\",reason=\"{reason}\",source=\"nginx\"}} {}",
            share["count"]
        ));
    }
    has(format!(
        "holter_log_session_affinity_misses_total{{source=\"nginx\"}} {}",
        report["affinity"]["misses"]
    ));
    has(format!(
        "holter_log_lines_total{{source=\"nginx\"}} {}",
        355 + 62
    ));
    let foreign = |line: &&str| {
        !line.contains("holter_log_") && !line.contains("holter_series_dropped_total")
    };
    assert_eq!(metrics.lines().find(foreign), None);
}

#[test]
fn paths_say_what_a_stream_is() {
    let answers = answers(
        Path::new(NGINX),
        &["--streams.paths", "/elsewhere,/x/*", "combined.log.gz"],
        b"",
    );
    assert_eq!(answers.len(), 355);
    assert!(
        answers
            .iter()
            .all(|answer| text(answer, "kind") != Some("stream"))
    );
}

#[test]
fn an_error_logs_silence_counts_only_where_it_speaks() {
    let line = |hour: u32, connection: u32| {
        format!(
            "2026-11-20T{hour:02}:00:00+01:00 {connection} \"GET /mcp HTTP/1.1\" 200 \"OK\" 60.000\n"
        )
    };
    // The error log's 09:00:00 is the access log's 09:00:00+01:00.
    let error = "2026/11/20 09:00:00 [error] 7#7: *2 upstream timed out (110: Connection timed out) while reading upstream, client: ::1, server: _, request: \"GET /mcp HTTP/1.1\", upstream: \"http://a:1/mcp\"\n";
    let access = [line(6, 1), line(9, 2), line(9, 3), line(12, 4)].concat();
    let folder = folder(&[
        ("access", access.as_bytes()),
        ("error", error.as_bytes()),
        ("empty", b""),
    ]);
    let run = |arguments: &[&str]| {
        let arguments = [&["--log-format", SHORT, "access"], arguments].concat();
        let answers = answers(folder.path(), &arguments, b"");
        let said: Vec<_> = answers
            .iter()
            .map(|answer| text(answer, "reason").unwrap().to_owned())
            .collect();
        (said, printed(folder.path(), &arguments, b""))
    };
    let (said, summary) = run(&["--error-log", "error"]);
    assert_eq!(said, ["unknown", "idle_timeout", "server_close", "unknown"]);
    let gap = "2 streams judged without the error log: it speaks from 2026-11-20T08:00:00Z to 2026-11-20T08:00:00Z";
    let flat = summary.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(gap), "{summary}");
    let (said, summary) = run(&["--error-log", "error", "--error-log-complete"]);
    assert_eq!(
        said,
        [
            "server_close",
            "idle_timeout",
            "server_close",
            "server_close"
        ]
    );
    assert!(!summary.contains("Gaps"), "{summary}");
    let (said, summary) = run(&["--error-log", "empty"]);
    assert_eq!(said, ["unknown"; 4]);
    assert!(summary.contains("- empty is empty"), "{summary}");
}

/// The reasons and the summary's words for an access log beside one error line about connection 2.
fn beside_an_error(format: &str, access: &str) -> (Vec<String>, String) {
    let error = "2026/11/20 09:00:00 [error] 7#7: *2 upstream timed out (110: Connection timed out) while reading upstream, client: ::1, server: _, request: \"GET /mcp HTTP/1.1\", upstream: \"http://a:1/mcp\"\n";
    let folder = folder(&[("access", access.as_bytes()), ("error", error.as_bytes())]);
    let arguments = ["--log-format", format, "--error-log", "error", "access"];
    let answers = answers(folder.path(), &arguments, b"");
    let said = |answer: &Value| text(answer, "reason").unwrap().to_owned();
    let summary = printed(folder.path(), &arguments, b"");
    let words: Vec<_> = summary.split_whitespace().collect();
    (answers.iter().map(said).collect(), words.join(" "))
}

#[test]
fn a_line_that_comes_late_is_not_judged_by_silence() {
    let line = |time: &str, connection: u32| {
        format!("2026-11-20T{time}Z {connection} \"GET /mcp HTTP/1.1\" 200 \"OK\" 60.000\n")
    };
    let access = [
        line("09:00:00", 1),
        line("09:00:09", 3),
        line("09:00:08", 4),
        line("09:00:00", 5),
    ];
    let (said, summary) = beside_an_error(SHORT, &access.concat());
    assert_eq!(
        said,
        ["server_close", "server_close", "server_close", "unknown"]
    );
    assert!(
        summary
            .contains("1 stream judged without the error log: their lines stand after later ones"),
        "{summary}"
    );
}

#[test]
fn without_a_zone_entries_count_and_silence_does_not() {
    let format = SHORT.replace("$time_iso8601", "$msec");
    let line = |second: u32, connection: u32| {
        format!("{second}.500 {connection} \"GET /mcp HTTP/1.1\" 200 \"OK\" 60.000\n")
    };
    let nine = 1_795_165_200;
    let (said, summary) = beside_an_error(&format, &[line(nine, 2), line(nine, 3)].concat());
    assert_eq!(said, ["idle_timeout", "unknown"]);
    assert!(
        summary.contains("the access log names no time zone"),
        "{summary}"
    );
}

#[test]
fn any_line_has_an_answer() {
    let long = vec![b'x'; 1 << 20];
    let stream = b"2026-11-20T06:00:00Z 1 \"GET /mcp HTTP/1.1\" 499 \"\" 60.000";
    let own =
        br#"1.1.1.1 - - [20/Nov/2026:09:59:41 +0000] "GET /mcp HTTP/1.1" 200 1 "-" "holter/0.1.0""#;
    let input = [
        &b"\0\0\0"[..],
        stream,
        b"\n\n",
        &long,
        b"\n\xff\xfe\0\x80\n",
        stream,
    ]
    .concat();
    let kinds = |answers: Vec<Value>| -> Vec<String> {
        answers
            .iter()
            .map(|answer| text(answer, "kind").unwrap().to_owned())
            .collect()
    };
    let found = answers(Path::new("."), &["--log-format", SHORT, "-"], &input);
    assert_eq!(
        kinds(found),
        ["stream", "unparsed", "unparsed", "unparsed", "stream"]
    );
    assert_eq!(kinds(answers(Path::new("."), &["-"], own)), ["ignored"]);
    let report: Value = serde_json::from_str(&printed(
        Path::new("."),
        &["--log-format", SHORT, "--output", "json", "-"],
        &input,
    ))
    .unwrap();
    let unparsed: Vec<_> = report["lines"]["unparsed_by_kind"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| text(kind, "kind").unwrap())
        .collect();
    assert_eq!(unparsed, ["empty", "too_long", "binary"]);
    let hole = "- has 3 NUL bytes where lines should be: a log that was truncated under its writer";
    assert_eq!(report["gaps"], serde_json::json!([hole]));
}

/// Lines of one moment are counted without a look at what is due.
#[test]
fn lines_of_one_moment_are_counted_by_kind() {
    let line = |agent: &str| {
        format!(
            "::1 - - [20/Nov/2026:09:59:41 +0000] \"GET /page HTTP/1.1\" 200 1 \"-\" \"{agent}\"\n"
        )
    };
    let input = [
        "curl",
        "holter/0.1.0",
        "curl",
        "holter/0.1.0",
        "holter/0.1.0",
    ]
    .map(line);
    let report: Value = serde_json::from_str(&printed(
        Path::new("."),
        &["--output", "json", "-"],
        input.concat().as_bytes(),
    ))
    .unwrap();
    let lines = &report["lines"];
    assert_eq!(
        (&lines["request"], &lines["ignored"]),
        (&2.into(), &3.into())
    );
}

#[test]
fn a_wrong_format_is_no_log_without_streams() {
    let line = |at: u32| format!("{at} \"GET /mcp HTTP/1.1\" 200\n");
    let access = format!(
        "2026-11-20T06:00:00Z 1 \"GET /mcp HTTP/1.1\" 200 \"\" 60.000\n{0}{0}",
        line(1)
    );
    let folder = folder(&[("access", access.as_bytes())]);
    let summary = printed(folder.path(), &["--log-format", SHORT, "access"], b"");
    let said = "  Most of these lines are not in the format that was given; the first is line 2 of access.";
    assert!(summary.contains(said), "{summary}");
    let half = access.repeat(2) + &access;
    let understood = half.replace(
        &line(1),
        "2026-11-20T06:00:00Z 1 \"GET / HTTP/1.1\" 200 \"OK\" 1.000\n",
    );
    let fine = printed(
        folder.path(),
        &["--log-format", SHORT, "-"],
        understood.as_bytes(),
    );
    assert!(!fine.contains("Most of these lines"), "{fine}");
}

#[test]
fn the_queue_is_bounded_and_says_so() {
    let line = |connection: u32, path: &str| {
        format!("2026-11-20T09:00:00Z {connection} \"GET {path} HTTP/1.1\" 200 \"OK\" 1.000\n")
    };
    let lines = 70_000;
    let access = line(1, "/mcp") + &line(2, "/").repeat(lines - 1);
    let error = "2026/11/20 09:00:00 [notice] 7#7: start\n";
    let folder = folder(&[("access", access.as_bytes()), ("error", error.as_bytes())]);
    let arguments = [
        "--each",
        "--log-format",
        SHORT,
        "--error-log",
        "error",
        "access",
    ];
    let output = holter(folder.path(), &arguments, b"");
    let answers = String::from_utf8(output.stdout).unwrap();
    let first: Value = serde_json::from_str(answers.lines().next().unwrap()).unwrap();
    assert_eq!(
        (text(&first, "reason"), answers.lines().count()),
        (Some("unknown"), lines)
    );
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.starts_with("holter: streams decided") && errors.ends_with(": 1\n"),
        "{errors}"
    );
}

/// Kilobytes that a process holds.
fn resident(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Names and labels of the series, and the value of those whose name begins so.
fn series(metrics: &str, name: &str) -> (Vec<String>, u64) {
    let lines = || metrics.lines().filter(|line| !line.starts_with('#'));
    let split = |line: &str| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        (series.to_owned(), value.parse::<f64>().unwrap() as u64)
    };
    let all = lines().map(|line| split(line).0).collect();
    let found = lines()
        .map(split)
        .filter(|(series, _)| series.starts_with(name));
    (all, found.map(|(_, value)| value).sum())
}

#[test]
fn a_million_sessions_cost_no_memory_and_no_series() {
    /// Twice the sessions that are kept.
    const FULL: u64 = 131_072;
    const SESSIONS: u64 = 1_000_000;
    const FORMAT: &str = "$msec \"$request\" $status $upstream_addr $http_mcp_session_id $upstream_http_mcp_session_id";
    let line = |number: u64| {
        format!("1795168781.360 \"POST /mcp HTTP/1.1\" 200 10.0.0.1:80 - {number:032x}\n")
    };
    let arguments = [
        "replay",
        "--format",
        "nginx",
        "--output",
        "metrics",
        "--log-format",
        FORMAT,
        "-",
    ];
    let mut child = Command::new(env!("CARGO_BIN_EXE_holter"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = std::io::BufWriter::new(child.stdin.take().unwrap());
    let mut feed = |numbers: std::ops::Range<u64>| {
        for number in numbers {
            input.write_all(line(number).as_bytes()).unwrap();
        }
        input.flush().unwrap();
        // All but what the pipe and the reader's buffer hold is read.
        resident(child.id())
    };
    let full = feed(0..FULL);
    let after = feed(FULL..SESSIONS);
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let metrics = String::from_utf8(output.stdout).unwrap();
    // Exchanging sessions makes the table take room for as many again, once: 5 MiB. A hundred bytes for each
    // of those that were forgotten would be 80 MiB.
    assert!(after <= full + 16_384, "{full} kB, then {after} kB");
    let (of_million, evicted) = series(
        &metrics,
        "holter_series_dropped_total{metric=\"holter_log_session_requests_total\"",
    );
    assert_eq!(evicted, SESSIONS - 65_536, "{metrics}");
    let few = printed(
        Path::new("."),
        &["--output", "metrics", "--log-format", FORMAT, "-"],
        line(0).as_bytes(),
    );
    assert_eq!(of_million, series(&few, "").0);
    let (_, opened) = series(&metrics, "holter_log_sessions_opened_total");
    assert_eq!(opened, SESSIONS);
}

#[test]
fn refusals_are_one_line_with_code_2() {
    let folder = folder(&[("a", b"")]);
    std::fs::create_dir(folder.path().join("directory")).unwrap();
    for (arguments, expected) in [
        (
            &["missing"][..],
            "missing: cannot be read: No such file or directory (os error 2)",
        ),
        (
            &["a", "missing"],
            "missing: cannot be read: No such file or directory (os error 2)",
        ),
        (
            &["--error-log", "missing", "a"],
            "missing: cannot be read: No such file or directory (os error 2)",
        ),
        (
            &["directory"],
            "directory: cannot be read: Is a directory (os error 21)",
        ),
        (&["-", "-"], "standard input (-) can be read once only"),
        (
            &["--log-format", "$status", "a"],
            "--log-format: line 1, column 1: no request in the format; expected $request, or $request_method with $request_uri: without them no stream can be recognised",
        ),
    ] {
        let output = holter(folder.path(), arguments, b"");
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(errors, format!("holter: {expected}\n"), "{arguments:?}");
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(2), 0),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let access = unpacked("combined.log").repeat(20);
    let folder = folder(&[("access.log", &access)]);
    for arguments in [&["--each"][..], &[]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_holter"))
            .args(["replay", "--format", "nginx", "access.log"])
            .args(arguments)
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), output.stderr.len()),
            (Some(0), 0),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_packed_file_that_is_cut_is_named() {
    let cut = packed(&unpacked("combined.log"));
    let folder = folder(&[("cut.gz", &cut[..cut.len() / 2])]);
    let output = holter(folder.path(), &["cut.gz"], b"");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.starts_with("holter: cut.gz: cannot be read: ") && errors.lines().count() == 1,
        "{errors}"
    );
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
}
