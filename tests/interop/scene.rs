//! One server watched: two replicas, nginx before them, Holter on both legs; held, then cut.
//!
//! One replica ends by SIGTERM, the other by SIGKILL, each with a direct leg of its own. Holter is a black box:
//! a configuration goes in, `/metrics` is read.

use crate::expected::Server;
use crate::folder;
use crate::nginx::Nginx;
use crate::reading::Reading;
use crate::support::holter::Holter;
use crate::support::processes::Process;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// How long the streams are held before they are cut: four beats of the slowest heartbeat, 30 s, for Holter learns
/// an interval from three gaps; and a beat before them, with which that server sends its head, and from which on
/// Holter waits 10 s for an `endpoint`. Silence for so long is told as silence.
pub(crate) const HOLD: Duration = Duration::from_secs(165);
/// How long a stream may outlive its server's SIGTERM before it counts as one that stays; Spring Boot alone waits
/// for 30 s.
pub(crate) const GRACE_SECONDS: u32 = 40;

/// What Holter said of one path of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) path: &'static str,
    pub(crate) found: String,
    pub(crate) heartbeat: String,
    pub(crate) sigterm: String,
    pub(crate) sigkill: String,
    pub(crate) affinity: String,
}

/// One replica of the server.
struct Replica {
    address: SocketAddr,
    process: Process,
}

impl Replica {
    fn start(server: &Server, name: &str, outputs: &Path) -> Self {
        let here = folder(server);
        let (program, arguments) = server.command.split_first().expect("a command");
        // A program of the folder is named with its path, one of the system by its name.
        let program = if program.contains('/') {
            here.join(program)
        } else {
            program.into()
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .arg("0")
            .current_dir(here)
            .env("PYTHONUNBUFFERED", "1");
        let mut process =
            Process::start(&format!("{}-{name}", server.folder), outputs, &mut command);
        let port = process.wait_until("its port", |p| {
            let stdout = p.stdout();
            let port = stdout
                .lines()
                .find_map(|line| line.strip_prefix("listening "));
            port.and_then(|port| port.parse().ok()).ok_or(stdout)
        });
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            process,
        }
    }
}

/// Everything that happens to a server.
pub(crate) fn watch(server: &Server) -> Vec<Row> {
    let outputs = TempDir::new().expect("a temporary folder");
    let terminated = Replica::start(server, "terminated", outputs.path());
    let mut killed = Replica::start(server, "killed", outputs.path());
    let nginx = Nginx::start(outputs.path(), [terminated.address, killed.address]);
    let holter = Holter::start(&configuration(server, &terminated, &killed, &nginx));

    thread::sleep(HOLD);
    let before = holter.metrics().expect("/metrics");
    let mut rows = held(server, &before);
    terminated.process.terminate();
    let after = wait_for_ends(&holter, server, name);
    for row in &mut rows {
        row.sigterm = end(&before, &after, &name(row.path));
    }
    killed.process.kill();
    let after = wait_for_ends(&holter, server, name_of_killed);
    for row in &mut rows {
        row.sigkill = end(&before, &after, &name_of_killed(row.path));
    }
    rows
}

/// The canary whose direct leg is the replica that gets SIGTERM; its proxy leg goes through nginx.
fn name(path: &str) -> String {
    path.trim_start_matches('/').to_owned()
}

/// The canary of the replica that gets SIGKILL.
fn name_of_killed(path: &str) -> String {
    format!("{}-killed", name(path))
}

fn configuration(server: &Server, terminated: &Replica, killed: &Replica, nginx: &Nginx) -> String {
    let canaries = server.paths.iter().map(|expected| {
        let path = expected.path;
        format!(
            "  - name: {}\n\
             \x20   direct: http://{}{path}\n\
             \x20   proxy: http://{}{path}\n\
             \x20   affinity: {{ interval: 5s, requests: 4 }}\n\
             \x20 - name: {}\n\
             \x20   direct: http://{}{path}\n",
            name(path),
            terminated.address,
            nginx.address,
            name_of_killed(path),
            killed.address
        )
    });
    format!("canaries:\n{}", canaries.collect::<String>())
}

/// The rows so far: what was negotiated, the heartbeat, the session's way through nginx.
fn held(server: &Server, metrics: &str) -> Vec<Row> {
    let row = |path: &'static str| {
        let name = name(path);
        let direct = Reading::new(metrics, &name, "direct");
        let proxy = Reading::new(metrics, &name, "proxy");
        let mut found = direct.found();
        if proxy.found() != found {
            found = format!("{found}, but {} through nginx", proxy.found());
        }
        let mut heartbeat = direct.heartbeat();
        if !direct.ends().is_empty() {
            heartbeat = format!("{heartbeat}, but ended uncut: {}", direct.ends());
        }
        let mut affinity = proxy.affinity();
        if direct.affinity() == "misses" {
            affinity += ", and on the direct leg"; // One replica is there: a false alarm.
        }
        Row {
            path,
            found,
            heartbeat,
            sigterm: String::new(),
            sigkill: String::new(),
            affinity,
        }
    };
    server
        .paths
        .iter()
        .map(|expected| row(expected.path))
        .collect()
}

/// `/metrics` once the direct leg of every named canary has ended, or when their time is over.
fn wait_for_ends(holter: &Holter, server: &Server, name: fn(&str) -> String) -> String {
    let mut metrics = holter.metrics().expect("/metrics");
    for _ in 0..GRACE_SECONDS {
        let is_over = |path| {
            !Reading::new(&metrics, &name(path), "direct")
                .ends()
                .is_empty()
        };
        if server.paths.iter().all(|expected| is_over(expected.path)) {
            break;
        }
        thread::sleep(Duration::from_secs(1));
        metrics = holter.metrics().expect("/metrics");
    }
    metrics
}

/// How the direct leg ended, from before the signal to after it.
fn end(before: &str, after: &str, canary: &str) -> String {
    let ends = Reading::new(after, canary, "direct").ends();
    if !Reading::new(before, canary, "direct").is_held() {
        "not held".to_owned()
    } else if ends.is_empty() {
        "stays open".to_owned()
    } else {
        ends
    }
}
