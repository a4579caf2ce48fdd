//! The scenery of the tests: processes, clients, and how to wait.
//!
//! Everything here is blocking and small. It does not know what the tests want to prove.

pub(crate) mod client;
pub(crate) mod haproxy;
pub(crate) mod holter;
pub(crate) mod http;
pub(crate) mod nginx;
pub(crate) mod node;
pub(crate) mod processes;
pub(crate) mod prometheus;
pub(crate) mod relay;
pub(crate) mod scrape;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a condition may take on a machine that is busy with all tests at once; the demo's users come and go
/// at random, so its faults may miss them the first times.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// The pause between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(20);

/// The moment when [`PATIENCE`] ends.
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The one that starts to run now.
    pub(crate) fn start() -> Self {
        Self(clock() + PATIENCE)
    }

    /// Whether time is up.
    pub(crate) fn is_over(&self) -> bool {
        clock() > self.0
    }
}

/// Looks until `look` gives a value; its error is what was seen instead, shown when time is up.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Deadline::start();
    loop {
        match look() {
            Ok(value) => return value,
            Err(seen) if deadline.is_over() => {
                panic!("waited {PATIENCE:?} in vain for {what}; seen: {seen}")
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "real processes take real time; the only reading of the clock in the tests"
)]
fn clock() -> Instant {
    Instant::now()
}

/// A port that was free a moment ago, for servers that cannot pick one themselves.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free loopback port")
}

/// The path of `name` from PATH or the directories where Debian puts daemons.
pub(crate) fn tool(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("missing {name}: run make setup"))
}

#[test]
#[should_panic(expected = "missing no-such-tool: run make setup")]
fn a_missing_tool_names_the_remedy() {
    tool("no-such-tool");
}
