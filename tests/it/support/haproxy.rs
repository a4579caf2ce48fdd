//! A real HAProxy that answers by itself and logs by syslog, several ways at once.
//!
//! It runs as one process in the foreground (`-db`). The configuration holds for Debian 12's HAProxy 2.6. It does not
//! know Holter.

use super::processes::Process;
use super::{eventually, free_address, http, tool};
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use tempfile::TempDir;

/// A running HAProxy.
pub(crate) struct HaProxy {
    pub(crate) address: SocketAddr,
    _folder: TempDir,
    _process: Process,
}

impl HaProxy {
    /// Starts it with these `log` lines, and with `more` sections; waits until it answers.
    pub(crate) fn start(logs: &str, more: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let address = free_address();
        let text = format!(
            "global
{logs}
defaults
  mode http
  log global
  option httplog
  timeout client 30s
  timeout server 30s
  timeout connect 5s
frontend f
  bind {address}
  http-request return status 200 content-type text/event-stream string hello if {{ path /mcp }}
  http-request return status 204
{more}"
        );
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, text).expect("haproxy.cfg");
        let mut command = Command::new(tool("haproxy"));
        command.args(["-db", "-f"]).arg(&file);
        let mut process = Process::start("haproxy", folder.path(), &mut command);
        process.wait_until("a connection", |_| {
            std::net::TcpStream::connect(address).map_err(|error| error.to_string())
        });
        Self {
            address,
            _folder: folder,
            _process: process,
        }
    }

    /// One request.
    pub(crate) fn get(&self, path: &str) {
        eventually(path, || {
            http::get(self.address, path).map_err(|error| error.to_string())
        });
    }
}
