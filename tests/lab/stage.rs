//! Replicas, a proxy and its logs for one test, and waiting for what they should show.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use holter::lab::proxy::{Balance, Proxy, Settings};
use holter::lab::replica::{self, Replica};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::wire::*;

pub(crate) const INITIALIZE: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#;
pub(crate) const PING: &str = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;
pub(crate) const NOTICE: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

pub(crate) fn initialize(addr: SocketAddr) -> String {
    let (status, head, body) = Wire::send(addr, "POST /mcp", "", INITIALIZE).answer();
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(r#""protocolVersion":"2025-06-18""#), "{body}");
    header(&head, "mcp-session-id")
        .expect("a session id")
        .to_owned()
}

pub(crate) fn status(addr: SocketAddr, method: &str, session: &str, body: &str) -> u16 {
    call(addr, method, session, body).answer().0
}

pub(crate) fn is_refused(addr: SocketAddr) -> bool {
    TcpStream::connect(addr).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..DEADLINE.as_millis() / POLL.as_millis() {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(POLL);
    }
    panic!("never came: {what}");
}

pub(crate) fn bind(runtime: &Runtime) -> Replica {
    let settings = replica::Settings { heartbeat: BEAT };
    runtime.block_on(Replica::bind(settings)).expect("a port")
}

/// Somebody may sit on the port for a moment: outgoing connections use the same range.
pub(crate) fn start(runtime: &Runtime, replica: &mut Replica) {
    eventually("the port", || runtime.block_on(replica.start()).ok());
}

/// A proxy, its logs and its runtime.
pub(crate) struct Stage {
    pub(crate) proxy: Proxy,
    pub(crate) dir: TempDir,
    pub(crate) runtime: Runtime,
}

impl Stage {
    pub(crate) fn before(
        replicas: &[SocketAddr],
        read_timeout: Duration,
        runtime: Runtime,
    ) -> Self {
        Self::balanced(replicas, read_timeout, Balance::RoundRobin, runtime)
    }

    pub(crate) fn balanced(
        replicas: &[SocketAddr],
        read_timeout: Duration,
        balance: Balance,
        runtime: Runtime,
    ) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let settings = Settings {
            replicas: replicas.to_vec(),
            balance,
            read_timeout,
        };
        let (access, error) = (dir.path().join("access.log"), dir.path().join("error.log"));
        let proxy = runtime
            .block_on(Proxy::start(settings, &access, &error))
            .expect("a proxy");
        Self {
            proxy,
            dir,
            runtime,
        }
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The first line of the log with all of these in it.
    pub(crate) fn line(&self, log: &str, parts: &[&str]) -> String {
        eventually(&format!("{parts:?} in {log}"), || {
            let text = std::fs::read_to_string(self.log(log)).expect("log");
            text.lines()
                .find(|line| parts.iter().all(|part| line.contains(part)))
                .map(str::to_owned)
        })
    }

    /// The access line with these parts, and an error line of the same connection, level and text.
    pub(crate) fn pair(&self, access: &[&str], level: &str, text: &str) {
        let line = self.line("access.log", access);
        let connection = between(&line, "conn=", " ");
        self.line(
            "error.log",
            &[&format!("[{level}] "), &format!(": *{connection} {text}")],
        );
    }
}

pub(crate) fn between<'a>(line: &'a str, before: &str, after: &str) -> &'a str {
    line.split_once(before)
        .and_then(|(_, rest)| rest.split_once(after))
        .expect("field")
        .0
}

pub(crate) fn runtime() -> Runtime {
    Runtime::new().expect("a runtime")
}
