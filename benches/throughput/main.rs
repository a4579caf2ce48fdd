//! How fast a log is read, beside `grep`, `wc` and mtail on the same file, in one run:
//! `cargo bench --bench throughput -- [--size 200M] [--runs 3]`. See docs/speed.md.
//!
//! Each measured program is a process of its own, this one included (`--read`), all on one core, so that times and
//! memory compare. The programs run in turn, and times are each one's
//! best, of the wall clock.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench that cannot go on says so by a panic"
)]

mod generate;
mod peers;
mod read;

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;

use generate::Kind;
use peers::{Cost, measure};
use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};

/// Lines of the sample under callgrind; two sizes, so that what starting costs falls out.
const SAMPLE: [u64; 2] = [1 << 20, 3 << 20];
/// The same lines on every machine.
const SEED: u64 = 4;

struct Log {
    kind: Kind,
    path: PathBuf,
    lines: u64,
    bytes: u64,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = words.iter().position(|word| word == "--read") {
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.name() == words[at + 1]);
        return read::print(kind.expect("a kind of log"), Path::new(&words[at + 2]));
    }
    // `cargo test --benches` runs benches too: without cargo's `--bench` this is no measurement.
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    pin();
    let size = bytes(option(&words, "--size").unwrap_or("200M"));
    let runs = option(&words, "--runs").map_or(3, |runs| runs.parse().expect("a number of runs"));
    let folder = tempfile::tempdir().expect("a folder for the logs");
    println!(
        "{:<12} {:<22} {:>10} {:>8} {:>8} {:>10} {:>12}",
        "log", "reader", "M lines/s", "MB/s", "CPU s", "RSS MiB", "instr/line"
    );
    for kind in Kind::ALL {
        let log = write(kind, folder.path(), size);
        let commands = peers::commands(&log, folder.path());
        let there: Vec<&Command> = (commands.iter())
            .filter_map(|(_, command)| command.as_ref().ok())
            .collect();
        let mut costs = measure(&there, runs).into_iter();
        for (name, command) in &commands {
            match command {
                Err(why) => println!("{:<12} {name:<22} {why}", kind.name()),
                Ok(_) => {
                    let cost = costs.next().expect("a cost for each command");
                    row(&log, name, &cost, instructions(kind, name, folder.path()));
                }
            }
        }
        std::fs::remove_file(&log.path).expect("the log removed");
    }
    sessions(folder.path(), runs);
}

/// Keeps this process and all that it starts on the core that it is on: mtail would take several.
fn pin() {
    let mut core = CpuSet::new();
    core.set(sched_getcpu());
    sched_setaffinity(None, &core).expect("one core");
}

/// A million sessions, each with its own id: what the table's cap is for.
fn sessions(folder: &Path, runs: u32) {
    let path = folder.join("sessions.log");
    let file = BufWriter::new(File::create(&path).expect("a log"));
    let bytes = generate::write_sessions(1_000_000, file).expect("a log written");
    let log = Log {
        kind: Kind::Recommended,
        path,
        lines: 1_000_000,
        bytes,
    };
    for cost in measure(&[&peers::reader(&log)], runs) {
        row(&log, "a million session ids", &cost, None);
    }
}

fn write(kind: Kind, folder: &Path, size: u64) -> Log {
    let path = folder.join(format!("{}-{size}.log", kind.name()));
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&path).expect("a log"));
    let lines = generate::write(kind, size, SEED, &mut file).expect("a log written");
    drop(file);
    let bytes = path.metadata().expect("the log's size").len();
    Log {
        kind,
        path,
        lines,
        bytes,
    }
}

fn row(log: &Log, name: &str, cost: &Cost, instructions: Option<u64>) {
    let shown = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
    println!(
        "{:<12} {name:<22} {:>10.2} {:>8.0} {:>8} {:>10} {:>12}",
        log.kind.name(),
        log.lines as f64 / cost.wall / 1e6,
        log.bytes as f64 / cost.wall / 1e6,
        shown(cost.cpu),
        shown(cost.rss),
        instructions.map_or("-".to_owned(), |count| count.to_string()),
    );
}

/// Instructions a line, by callgrind, of Holter's own reader; `None` without valgrind.
fn instructions(kind: Kind, name: &str, folder: &Path) -> Option<u64> {
    if name != peers::READER {
        return None;
    }
    let [small, large] = SAMPLE.map(|size| {
        let log = write(kind, folder, size);
        let reader = peers::reader(&log);
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        valgrind.arg(reader.get_program()).args(reader.get_args());
        let output = valgrind.output().ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let count = text
            .lines()
            .find_map(|line| line.split_once("Collected : "))?
            .1;
        Some((count.trim().parse::<u64>().ok()?, log.lines))
    });
    let ((small, few), (large, many)) = (small?, large?);
    Some((large - small) / (many - few))
}

fn option<'a>(words: &'a [String], name: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| word == name)?;
    words.get(at + 1).map(String::as_str)
}

/// `200M` or `1G` as bytes.
fn bytes(text: &str) -> u64 {
    let (number, shift) = match (text.strip_suffix('G'), text.strip_suffix('M')) {
        (Some(number), _) => (number, 30),
        (_, Some(number)) => (number, 20),
        _ => (text, 0),
    };
    number.parse::<u64>().expect("a size such as 200M or 1G") << shift
}
