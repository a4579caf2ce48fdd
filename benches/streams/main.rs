//! What it costs to hold a thousand streams in one process, beside a plain reqwest client and bare sockets, in one run:
//! `cargo bench --bench streams -- [--streams 1000]`. See docs/scale.md.
//!
//! The server is a process of its own, and so is each client that is measured: memory and processor time are
//! the client's alone, and none finds the heap of another.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a bench that cannot go on says so by a panic, and measures time"
)]

mod clients;
mod measure;
mod server;

use std::process::Command;

/// Who holds the streams, over what: `holter`, `reqwest`, `sockets` or `epoll`, and what [`server::Speaks`] knows.
const ROWS: [[&str; 2]; 7] = [
    ["holter", "http/1.1"],
    ["reqwest", "http/1.1"],
    ["sockets", "http/1.1"],
    ["epoll", "http/1.1"],
    ["holter", "http/1.1+tls"],
    ["reqwest", "http/1.1+tls"],
    ["holter", "http/2+tls"],
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1).map(String::as_str)
    };
    if let Some(speaks) = after("--serve") {
        return server::serve(speaks);
    }
    let streams = after("--streams").map_or(1000, |count| count.parse().expect("a number"));
    if let (Some(client), Some(speaks)) = (after("--client"), after("--over")) {
        return measure::measure(client, speaks, streams);
    }
    // `cargo test --benches` runs benches too: without cargo's `--bench` this is no measurement.
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    println!(
        "client   over          streams  KiB/stream  after 1 MiB  CPU us/beat  cut noticed  rightly"
    );
    let this = std::env::current_exe().expect("this program");
    for [client, speaks] in ROWS {
        let status = Command::new(&this)
            .args(["--client", client, "--over", speaks])
            .args(["--streams", &streams.to_string()])
            .status();
        assert!(status.expect("a client").success(), "{client} {speaks}");
    }
}
