//! A real Prometheus that scrapes one target each second, and promtool's judgement of an exposition.
//!
//! Both are Debian's packages (2.42). It does not know what the target is.

use super::http::{self, Response};
use super::processes::Process;
use super::{eventually, free_address, tool};
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A running Prometheus.
pub(crate) struct Prometheus {
    address: SocketAddr,
    _folder: TempDir,
    _process: Process,
}

impl Prometheus {
    /// Starts one that scrapes `target` as job `holter`, or itself if there is none; waits until ready.
    pub(crate) fn start(target: Option<SocketAddr>) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let address = free_address();
        let target = target.unwrap_or(address);
        let text = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\n\
             scrape_configs: [{{ job_name: holter, static_configs: [{{ targets: ['{target}'] }}] }}]\n"
        );
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, text).expect("prometheus.yml");
        let mut command = Command::new(tool("prometheus"));
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"));
        let mut process = Process::start("prometheus", folder.path(), &mut command);
        process.wait_until("readiness", |_| get(address, "/-/ready").map(drop));
        Self {
            address,
            _folder: folder,
            _process: process,
        }
    }

    /// The values of an instant query, one per series, or what is wrong with the query.
    pub(crate) fn query(&self, promql: &str) -> Result<Vec<f64>, String> {
        let path = format!("/api/v1/query?query={}", percent_encode(promql));
        let answer = get(self.address, &path)?;
        let json: serde_json::Value =
            serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
        let series = json["data"]["result"].as_array().ok_or(answer.body)?;
        let values = series
            .iter()
            .map(|one| one["value"][1].as_str()?.parse().ok());
        values
            .collect::<Option<_>>()
            .ok_or_else(|| json.to_string())
    }

    /// Waits until a query gives at least one series, and `good` holds for each of them.
    pub(crate) fn wait_for(&self, promql: &str, good: impl Fn(f64) -> bool) {
        eventually(promql, || {
            let values = self.query(promql)?;
            let all_good = !values.is_empty() && values.iter().all(|value| good(*value));
            all_good.then_some(()).ok_or_else(|| format!("{values:?}"))
        });
    }
}

/// What `promtool check metrics` finds wrong with an exposition; empty if nothing.
pub(crate) fn check_metrics(exposition: &str) -> String {
    let mut child = Command::new(tool("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool");
    let mut stdin = child.stdin.take().expect("promtool's stdin");
    stdin
        .write_all(exposition.as_bytes())
        .expect("promtool reads it");
    drop(stdin);
    let output = child.wait_with_output().expect("promtool's verdict");
    let found = [output.stdout, output.stderr].concat();
    match String::from_utf8_lossy(&found).trim() {
        "" if !output.status.success() => output.status.to_string(),
        text => text.to_owned(),
    }
}

/// GET of a page that must be there.
fn get(address: SocketAddr, path: &str) -> Result<Response, String> {
    let answer = http::get(address, path).map_err(|error| error.to_string())?;
    if answer.status == 200 {
        Ok(answer)
    } else {
        Err(format!("{}: {}", answer.status, answer.body))
    }
}

fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
