//! The programs that are measured, and how: wall time by this process, processor time and peak memory by
//! `/usr/bin/time`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::Log;
use super::generate::Kind;

/// The name of Holter's own reader in the table.
pub(crate) const READER: &str = "holter, in-process";

/// What a run took.
pub(crate) struct Cost {
    /// Seconds, the best run's.
    pub(crate) wall: f64,
    /// Seconds of all processors in that run.
    pub(crate) cpu: Option<f64>,
    /// Peak resident set in MiB.
    pub(crate) rss: Option<f64>,
}

/// Each reader of this log, or why there is none.
pub(crate) fn commands(log: &Log, folder: &Path) -> Vec<(&'static str, Result<Command, String>)> {
    let mut wc = Command::new("wc");
    wc.arg("-l").arg(&log.path);
    let mut grep = Command::new("grep");
    grep.env("LC_ALL", "C")
        .args(["-c", log.kind.needle()])
        .arg(&log.path);
    vec![
        (READER, Ok(reader(log))),
        ("holter replay", replay(log)),
        ("grep -c", Ok(grep)),
        ("wc -l", Ok(wc)),
        ("mtail", mtail(log, folder)),
    ]
}

/// This program again, as a reader.
pub(crate) fn reader(log: &Log) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--read", log.kind.name()]).arg(&log.path);
    command
}

fn replay(log: &Log) -> Result<Command, String> {
    let holter = env!("CARGO_BIN_EXE_holter");
    let help = Command::new(holter).args(["replay", "--help"]).output();
    if !help.is_ok_and(|help| help.status.success()) {
        return Err("not built in yet".to_owned());
    }
    let mut command = Command::new(holter);
    command
        .args(["replay", "--format", "nginx", "--log-format"])
        .arg(log.kind.format())
        .arg(&log.path);
    Ok(command)
}

/// The same counting for mtail: lines by status, streams by status, sessions.
fn mtail(log: &Log, folder: &Path) -> Result<Command, String> {
    if Command::new("mtail").arg("--version").output().is_err() {
        return Err("missing mtail: apt-get install mtail".to_owned());
    }
    let pattern = match log.kind {
        Kind::Json => {
            r#""request_method":"(?P<method>[A-Z]+)","request_uri":"(?P<path>[^"? ]*)[^"]*","server_protocol":"[^"]*","status":(?P<status>\d+)"#
        }
        _ => r#""(?P<method>[A-Z]+) (?P<path>[^"? ]*)[^"]*" (?P<status>\d+) "#,
    };
    let program = format!(
        "counter requests by status\ncounter streams by status\n/{}/ {{\n  requests[$status]++\n  $method == \"GET\" && $path == \"/mcp\" {{\n    streams[$status]++\n  }}\n}}\n",
        pattern.replace('/', "\\/")
    );
    let path = folder.join("count.mtail");
    fs::write(&path, program).map_err(|error| error.to_string())?;
    let mut command = Command::new("mtail");
    command
        .args(["--one_shot", "--logtostderr", "--progs"])
        .arg(path);
    command.arg("--logs").arg(&log.path);
    Ok(command)
}

/// Runs commands in turn, so many times, and keeps each one's best: a machine that is slow for a while is so for all.
pub(crate) fn measure(commands: &[&Command], runs: u32) -> Vec<Cost> {
    let round = || -> Vec<Cost> { commands.iter().map(|command| once(command)).collect() };
    let mut best = round();
    for _ in 1..runs {
        for (best, cost) in best.iter_mut().zip(round()) {
            if cost.wall < best.wall {
                *best = cost;
            }
        }
    }
    best
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn once(command: &Command) -> Cost {
    let notes = tempfile::NamedTempFile::new().expect("a file for the notes");
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["-f", "%U %S %M", "-o"]).arg(notes.path());
    timed.arg(command.get_program()).args(command.get_args());
    timed.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let begin = Instant::now();
    let ran = output(&mut timed).or_else(|_| output(&mut again(command)));
    let wall = begin.elapsed().as_secs_f64();
    ran.expect("a reader that runs");
    let notes = fs::read_to_string(notes.path()).unwrap_or_default();
    let numbers: Vec<f64> = notes
        .lines()
        .last()
        .unwrap_or_default()
        .split(' ')
        .flat_map(str::parse)
        .collect();
    match numbers[..] {
        [user, system, kib] => Cost {
            wall,
            cpu: Some(user + system),
            rss: Some(kib / 1024.0),
        },
        _ => Cost {
            wall,
            cpu: None,
            rss: None,
        },
    }
}

/// The same command without `/usr/bin/time`, where that is missing.
fn again(command: &Command) -> Command {
    let mut plain = Command::new(command.get_program());
    plain.args(command.get_args());
    plain
}

/// A pipe rather than `/dev/null`: to that, `grep -c` would stop at the first hit.
fn output(command: &mut Command) -> std::io::Result<()> {
    command.stdin(Stdio::null()).output().map(drop)
}
