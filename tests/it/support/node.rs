//! Replicas of `tests/servers/typescript`: MCP servers on the official TypeScript SDK.
//!
//! It does not know what stands in front of them.

use super::processes::Process;
use super::{eventually, tool};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The pace of servers that beat in these tests.
pub(crate) const BEATING: Duration = Duration::from_millis(200);
/// Servers that never beat.
pub(crate) const SILENT: Duration = Duration::ZERO;

/// One replica, listening on loopback.
pub(crate) struct Replica {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    process: Process,
}

impl Replica {
    /// How many sessions clients opened here, on both transports.
    pub(crate) fn sessions_opened(&self) -> usize {
        self.count("session opened")
    }

    /// How many sessions clients ended by DELETE.
    pub(crate) fn sessions_deleted(&self) -> usize {
        self.count("session deleted")
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    fn count(&self, line: &str) -> usize {
        self.process.stdout().lines().filter(|l| *l == line).count()
    }
}

/// The three replicas `r1`, `r2` and `r3` that every scene has.
pub(crate) struct Replicas {
    replicas: Vec<Replica>,
    _folder: TempDir,
}

impl Replicas {
    /// Starts three that send a comment every `heartbeat`, and waits until all of them listen.
    pub(crate) fn start(heartbeat: Duration) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let started = ["r1", "r2", "r3"].map(|name| (name, spawn(name, heartbeat, folder.path())));
        let replicas = started.map(|(name, mut process)| {
            let address = process.wait_until("its port", |p| listening(&p.stdout()));
            Replica {
                name,
                address,
                process,
            }
        });
        Self {
            replicas: replicas.into(),
            _folder: folder,
        }
    }

    /// All of them, dead ones included.
    pub(crate) fn all(&self) -> &[Replica] {
        &self.replicas
    }

    /// The replica of that name.
    pub(crate) fn named(&mut self, name: &str) -> &mut Replica {
        let found = self
            .replicas
            .iter_mut()
            .find(|replica| replica.name == name);
        found.unwrap_or_else(|| panic!("no replica {name}"))
    }

    /// Waits until every session that was opened is deleted too, and gives their number.
    pub(crate) fn wait_until_all_sessions_are_deleted(&self) -> usize {
        eventually("a DELETE for each session", || {
            let opened: usize = self.replicas.iter().map(Replica::sessions_opened).sum();
            let deleted: usize = self.replicas.iter().map(Replica::sessions_deleted).sum();
            let seen = || format!("{opened} opened, {deleted} deleted");
            (opened == deleted).then_some(deleted).ok_or_else(seen)
        })
    }
}

fn spawn(name: &str, heartbeat: Duration, folder: &Path) -> Process {
    let mut command = Command::new(tool("node"));
    command
        .arg(server().join("server.mjs"))
        .args(["--port", "0", "--name", name, "--keepalive-ms"])
        .arg(heartbeat.as_millis().to_string());
    Process::start(name, folder, &mut command)
}

/// The server's folder, with its dependencies installed.
fn server() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/typescript");
    let sdk = folder.join("node_modules/@modelcontextprotocol/sdk/package.json");
    assert!(sdk.is_file(), "missing node_modules: run make setup");
    folder
}

fn listening(stdout: &str) -> Result<SocketAddr, String> {
    let port = stdout
        .lines()
        .find_map(|line| line.strip_prefix("listening "));
    let port = port.and_then(|port| port.parse().ok()).ok_or(stdout)?;
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}
