//! What following logs costs, beside mtail: ten quiet files, then one of them at 100,000 lines a second.
//! `cargo bench --bench tail`. Both poll every 250 ms; processor time is that of the whole process, from
//! `/proc`, in percent of one core. See docs/tailing.md.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a bench that cannot go on says so by a panic, and reads the clock"
)]

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long each measurement takes.
const LENGTH: Duration = Duration::from_secs(10);
/// Lines a second.
const RATE: u64 = 100_000;
const LINE: &str = "10.0.0.1 - - [20/Nov/2026:09:59:41 +0000] \"GET /health HTTP/1.1\" 200 512 \"-\" \"curl/8.5.0\"\n";

fn main() {
    // `cargo test --benches` runs benches too: without cargo's `--bench` this is no measurement.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    println!(
        "{:<8} {:>20} {:>26} {:>12}",
        "reader", "10 idle files", "100,000 lines/s", "lines read"
    );
    for name in ["holter", "mtail"] {
        let folder = tempfile::tempdir().expect("a folder");
        let logs: Vec<_> = (0..10)
            .map(|n| folder.path().join(format!("{n}.log")))
            .collect();
        for log in &logs {
            fs::write(log, "").expect("a log");
        }
        let bound = TcpListener::bind("127.0.0.1:0").and_then(|bound| bound.local_addr());
        let address = bound.expect("a port").to_string();
        let command = match name {
            "holter" => holter(folder.path(), &address),
            _ => mtail(folder.path(), &address),
        };
        let mut child = start(command);
        thread::sleep(Duration::from_secs(2));
        let idle = cost(&child, || thread::sleep(LENGTH));
        let busy = cost(&child, || write(&logs[0]));
        thread::sleep(Duration::from_secs(1));
        let read = lines(
            &address,
            if name == "holter" {
                "holter_log_lines_total{"
            } else {
                "lines{"
            },
        );
        println!("{name:<8} {idle:>18.2} % {busy:>24.2} % {read:>12}");
        child.kill().expect("stopped");
        child.wait().expect("stopped");
    }
}

fn holter(folder: &Path, address: &str) -> Command {
    let config = folder.join("holter.yaml");
    let text = format!(
        "logs:\n- name: edge\n  format: nginx\n  log_format: combined\n  files: [{}/*.log]\n",
        folder.display()
    );
    fs::write(&config, text).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_holter"));
    command.arg("--config.file").arg(config);
    command.args(["--web.listen-address", address]);
    command
}

fn mtail(folder: &Path, address: &str) -> Command {
    let program = folder.join("lines.mtail");
    let text = "counter lines\ncounter requests by status\n/\"(?P<method>[A-Z]+) (?P<path>[^\"? ]*)[^\"]*\" (?P<status>\\d+) / {\n  requests[$status]++\n  lines++\n}\n";
    fs::write(&program, text).expect("written");
    let (host, port) = address.split_once(':').expect("an address");
    let mut command = Command::new("mtail");
    command.args([
        "--logtostderr",
        "--poll_interval",
        "250ms",
        "--address",
        host,
        "--port",
        port,
    ]);
    command
        .arg("--progs")
        .arg(program)
        .arg("--logs")
        .arg(folder.join("*.log"));
    command
}

fn start(mut command: Command) -> Child {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    child.expect("a reader: mtail is installed by scripts/setup")
}

/// Percent of a core that a process takes while `during` runs.
fn cost(child: &Child, during: impl FnOnce()) -> f64 {
    let (before, begin) = (seconds(child), Instant::now());
    during();
    (seconds(child) - before) / begin.elapsed().as_secs_f64() * 100.0
}

/// Processor time so far, of all threads, to the nanosecond: the first number of the kernel's `schedstat`
/// (sched-stats.rst). The clock ticks of `stat` are too coarse for a process that is idle.
fn seconds(child: &Child) -> f64 {
    let threads = fs::read_dir(format!("/proc/{}/task", child.id())).expect("it runs");
    let nanoseconds = threads.map(|thread| {
        let path = thread.expect("a thread").path().join("schedstat");
        let stat = fs::read_to_string(path).expect("read");
        let first = stat.split(' ').next().map(str::parse::<u64>);
        first.expect("a number").expect("a number")
    });
    Duration::from_nanos(nanoseconds.sum()).as_secs_f64()
}

fn write(log: &Path) {
    let mut file = OpenOptions::new().append(true).open(log).expect("the log");
    let batch = LINE.repeat(usize::try_from(RATE / 100).expect("a batch"));
    let begin = Instant::now();
    for n in 1..=LENGTH.as_secs() * 100 {
        file.write_all(batch.as_bytes()).expect("written");
        let due = begin + Duration::from_millis(n * 10);
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

/// The value of the first series that begins so; mtail writes a million as `1e+06`.
fn lines(address: &str, series: &str) -> f64 {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let asked = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(asked.as_bytes()).expect("asked");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("answered");
    let line = text
        .lines()
        .find(|line| line.starts_with(series))
        .expect("the counter");
    line.rsplit(' ')
        .next()
        .and_then(|value| value.parse().ok())
        .expect("a number")
}
