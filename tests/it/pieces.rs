//! Lines that a container's runtime cuts into pieces, when Holter is killed between them, the file is rotated
//! between them, and the configuration is reloaded between them.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;

use crate::support::holter::Holter;
use crate::support::http;

const LINES: &str = "holter_log_lines_total";
const TIME: &str = "2026-11-20T09:59:41.361000061Z";
/// Where runtimes cut.
const PIECE: usize = 16 * 1024;

/// A piece as the runtime writes it: output, text, whether the line ends here.
type Wrap = fn(&str, &str, bool) -> String;

fn cri(output: &str, text: &str, ends: bool) -> String {
    format!("{TIME} {output} {} {text}\n", if ends { "F" } else { "P" })
}

fn docker(output: &str, text: &str, ends: bool) -> String {
    let log = format!("{text}{}", if ends { "\n" } else { "" });
    format!("{}\n", json!({"log": log, "stream": output, "time": TIME}))
}

/// When the log is rotated: while Holter is down, or while it runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rotated {
    Down,
    Running,
}

struct Stage {
    folder: TempDir,
}

impl Stage {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configuration(&self, files: &[&str]) -> String {
        let files: Vec<_> = files
            .iter()
            .map(|name| self.path(name).display().to_string())
            .collect();
        format!(
            "logs:\n- name: edge\n  format: nginx\n  files: [{}]\n  log_format: \
             '$msec $connection \"$request\" $status \"$request_completion\" $request_time $upstream_addr'\n",
            files.join(", ")
        )
    }

    fn start(&self, files: &[&str]) -> Holter {
        let storage = self.path("storage");
        let storage = storage.to_str().unwrap();
        let flags = ["--storage.path", storage, "--web.enable-lifecycle"];
        Holter::start_with(&self.configuration(files), &flags)
    }

    fn append(&self, text: &str) {
        let file = OpenOptions::new()
            .append(true)
            .open(self.path("access.log"));
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn rotate(&self) {
        fs::rename(self.path("access.log"), self.path("access.log.1")).unwrap();
        File::create(self.path("access.log")).unwrap();
    }
}

fn check(wrap: Wrap, rotated: Rotated) {
    let folder = TempDir::new().unwrap();
    let stage = Stage { folder };
    File::create(stage.path("access.log")).unwrap();
    let request = format!("GET /mcp?{} HTTP/1.1", "x".repeat(2 * PIECE));
    let access = format!("1795168781.360 1 \"{request}\" 200 \"OK\" 60.001 10.0.0.1:80");
    let (first, rest) = access.split_at(PIECE);
    let (second, last) = rest.split_at(PIECE);
    let (cause, stream) = (
        "2026/11/20 09:59:41 [error] 7#7: *1 upstream timed out (110: Connection timed out)",
        " while reading upstream, client: 10.9.9.9, server: _, request: \"GET /mcp HTTP/1.1\"",
    );

    let mut holter = stage.start(&["access.log"]);
    stage.append(&wrap("stdout", first, false));
    stage.append(&wrap("stderr", cause, false));
    holter.wait_for(LINES, |lines| lines == 2.0);
    holter.kill();

    if rotated == Rotated::Down {
        stage.rotate();
    }
    let mut holter = stage.start(&["access.log"]);
    if rotated == Rotated::Running {
        stage.rotate();
    }
    stage.append(&wrap("stdout", second, false));
    holter.wait_for(LINES, |lines| lines == 3.0);
    holter.kill();

    let mut holter = stage.start(&["access.log"]);
    fs::write(
        holter.file(),
        stage.configuration(&["access.log", "other.log"]),
    )
    .unwrap();
    let answer = http::request(holter.address, "POST /-/reload", &[], "").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    stage.append(&wrap("stderr", stream, true));
    stage.append(&wrap("stdout", last, true));
    holter.wait_for(LINES, |lines| lines == 5.0);
    holter.kill();

    let scrape = stage.start(&["access.log", "other.log"]).scrape();
    let size = |name: &str| fs::metadata(stage.path(name)).unwrap().len() as f64;
    for (selector, expected) in [
        (LINES, 5.0),
        ("holter_log_lines_unparsed_total", 0.0),
        ("holter_log_streams_closed_total", 1.0),
        (
            r#"holter_log_streams_closed_total{reason="idle_timeout"}"#,
            1.0,
        ),
        (
            "holter_log_bytes_total",
            size("access.log.1") + size("access.log"),
        ),
        ("holter_log_bytes_lost_total", 0.0),
    ] {
        assert_eq!(scrape.sum(selector), Ok(expected), "{selector}");
    }
}

#[test]
fn pieces_of_a_kubernetes_log_outlive_kills_rotation_and_reload() {
    check(cri, Rotated::Down);
    check(cri, Rotated::Running);
}

#[test]
fn pieces_of_a_docker_log_outlive_kills_rotation_and_reload() {
    check(docker, Rotated::Down);
    check(docker, Rotated::Running);
}
