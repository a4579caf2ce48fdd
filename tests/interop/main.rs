//! `make interop`: Holter before servers that others' SDKs make, with their own heartbeats and their own ends.
//!
//! Starts the servers of `expected` side by side, prints what Holter said of each and what was expected of it,
//! and writes `docs/interop.md` when all of them ran. Not part of `cargo test`: it takes minutes, and toolchains
//! that nothing else here needs. Names after `--` choose folders: `cargo test --test interop -- go rmcp`.
//!
//! Fails when an expectation does not hold; a server that could not run is told, and fails under `CI=true` only.

#![allow(
    clippy::expect_used,
    reason = "a server that cannot be watched is told by a panic; the others go on"
)]

mod expected;
mod matrix;
mod nginx;
mod reading;
mod scene;
#[path = "../it/support/mod.rs"]
#[allow(dead_code, reason = "shared with tests/it, which needs more of it")]
mod support;

use expected::{SERVERS, Server};
use scene::Row;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

/// What became of a server.
enum Outcome {
    /// One row a path.
    Seen(Vec<Row>),
    /// It could not be started here, and why.
    NotRun(String),
    /// Watching it panicked; the panic is on stderr.
    Broken,
}

fn main() -> ExitCode {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let is_chosen =
        |server: &&Server| chosen.is_empty() || chosen.iter().any(|c| c == server.folder);
    let servers: Vec<&Server> = SERVERS.iter().filter(is_chosen).collect();
    println!("holding {} servers for {:?}", servers.len(), scene::HOLD);
    let outcomes = watch(&servers);

    print!("{}", matrix::text(&outcomes));
    let mismatches = matrix::mismatches(&outcomes);
    mismatches
        .iter()
        .for_each(|line| println!("UNEXPECTED {line}"));
    let all_seen = outcomes
        .iter()
        .all(|(_, outcome)| matches!(outcome, Outcome::Seen(_)));
    if all_seen && mismatches.is_empty() && servers.len() == SERVERS.len() {
        std::fs::write(root("docs/interop.md"), matrix::page(&outcomes)).expect("docs/interop.md");
    }
    let broken = outcomes
        .iter()
        .any(|(_, outcome)| matches!(outcome, Outcome::Broken));
    let incomplete = !all_seen && std::env::var_os("CI").is_some_and(|ci| ci == "true");
    ExitCode::from(u8::from(broken || incomplete || !mismatches.is_empty()))
}

/// Watches all of them at once: each takes minutes of waiting and next to no work.
fn watch<'a>(servers: &[&'a Server]) -> Vec<(&'a Server, Outcome)> {
    thread::scope(|scope| {
        let watched: Vec<_> = servers
            .iter()
            .map(|server| (*server, scope.spawn(|| outcome(server))))
            .collect();
        let join = |(server, handle): (_, thread::ScopedJoinHandle<'_, Outcome>)| {
            (server, handle.join().unwrap_or(Outcome::Broken))
        };
        watched.into_iter().map(join).collect()
    })
}

fn outcome(server: &Server) -> Outcome {
    if folder(server).join(".ready").is_file() {
        Outcome::Seen(scene::watch(server))
    } else {
        Outcome::NotRun(format!(
            "tests/interop/setup made nothing of it: is {} there?",
            server.tool
        ))
    }
}

/// Where a server is.
fn folder(server: &Server) -> PathBuf {
    root("tests/interop").join(server.folder)
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
