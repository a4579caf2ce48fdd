//! The same writer and rotators before `tail -F` and mtail, printed side by side: `make torture`.
//!
//! No reader is killed here: these two keep no state, and would lose all that is written meanwhile.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::reader::number;
use super::rotator::{Rotator, clear};
use super::writer::{Signals, Writer, line};

/// What a reader is given to come to the end.
const AFTER: Duration = Duration::from_secs(2);

/// How the log is rotated.
#[derive(Clone, Copy)]
enum By {
    Rename,
    Copy,
}

/// How many seconds of its rate are written.
const LENGTH: u64 = 5;

/// Prints the table.
pub(crate) fn print() {
    println!(
        "{:<28} {:<8} {:>9} {:>9} {:>9}",
        "rotation", "reader", "written", "counted", "missing"
    );
    let table = [
        ("rename, each second", By::Rename, 5_000, 1000..1001),
        ("rename, each 50 to 80 ms", By::Rename, 100_000, 50..80),
        ("copytruncate, each second", By::Copy, 5_000, 1000..1001),
        ("copytruncate, each 200 ms", By::Copy, 50_000, 200..201),
    ];
    for (name, by, rate, period) in table {
        for reader in [Peer::Holter, Peer::Tail, Peer::Mtail] {
            let (written, counted) = run(reader, by, rate, period.clone());
            let missing = i128::from(written) - i128::from(counted);
            println!(
                "{name:<28} {:<8} {written:>9} {counted:>9} {missing:>9}",
                reader.name()
            );
        }
    }
}

#[derive(Clone, Copy)]
enum Peer {
    Holter,
    Tail,
    Mtail,
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Self::Holter => "holter",
            Self::Tail => "tail -F",
            Self::Mtail => "mtail",
        }
    }
}

fn run(peer: Peer, by: By, rate: u64, period: Range<u64>) -> (u64, u64) {
    let folder = super::disk().join(format!("torture-{}-peers", std::process::id()));
    fs::create_dir_all(folder.join("logs")).expect("a folder");
    let log = folder.join("logs/access.log");
    fs::write(&log, "").expect("a log");
    let signals = Signals::default();
    let mut random = fastrand::Rng::with_seed(1);
    let writer = Writer {
        path: log.clone(),
        rate,
        lines: rate * LENGTH,
        line,
        header: String::new(),
        random: random.fork(),
        signals: &signals,
    };
    let mut rotator = Rotator::new(log.clone(), line, &signals);
    let reader = Reader::start(peer, &folder, &log);
    // Both start at the end of what there is.
    thread::sleep(Duration::from_secs(1));
    let written = thread::scope(|scope| {
        let written = scope.spawn(move || writer.run().0.count);
        while !signals.is_over() {
            thread::sleep(Duration::from_millis(random.u64(period.clone())));
            match by {
                By::Rename => {
                    if rotator.rename() {
                        rotator.reopen();
                    }
                }
                By::Copy => rotator.copytruncate(),
            }
        }
        written.join().expect("the writer")
    });
    thread::sleep(AFTER);
    let counted = reader.stop(&folder);
    clear(&folder);
    (written, counted)
}

/// A reader at work.
struct Reader {
    peer: Peer,
    child: Child,
    lines: Option<thread::JoinHandle<u64>>,
    port: u16,
}

impl Reader {
    fn start(peer: Peer, folder: &Path, log: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|bound| bound.local_addr());
        let port = port.expect("a port").port();
        let mut command = match peer {
            Peer::Holter => {
                let mut command = Command::new(std::env::current_exe().expect("this program"));
                command.arg("--reader").arg(folder);
                command
            }
            Peer::Tail => {
                let mut command = Command::new("tail");
                command.args(["-F", "-n", "+1", "-s", "0.25"]).arg(log);
                command
            }
            Peer::Mtail => mtail(folder, log, port),
        };
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a reader: mtail is installed by scripts/setup");
        let out = child.stdout.take().expect("its output");
        let lines = thread::spawn(move || match peer {
            Peer::Holter => last_shown(BufReader::new(out)),
            _ => numbered(BufReader::new(out)),
        });
        Self {
            peer,
            child,
            lines: Some(lines),
            port,
        }
    }

    /// Stops it; says what it counted.
    fn stop(mut self, folder: &Path) -> u64 {
        let shown = match self.peer {
            Peer::Mtail => Some(scrape(self.port)),
            Peer::Holter => {
                fs::write(folder.join("stop"), "").expect("asked to stop");
                self.child.wait().expect("stopped");
                None
            }
            Peer::Tail => None,
        };
        self.child.kill().ok();
        self.child.wait().expect("stopped");
        let lines = self
            .lines
            .take()
            .expect("a thread")
            .join()
            .expect("counted");
        shown.unwrap_or(lines)
    }
}

fn mtail(folder: &Path, log: &Path, port: u16) -> Command {
    let program = folder.join("lines.mtail");
    fs::write(
        &program,
        "counter lines\n/^\\d+ .* rt=0\\.004$/ {\n  lines++\n}\n",
    )
    .expect("written");
    let mut command = Command::new("mtail");
    command.args([
        "--logtostderr",
        "--poll_interval",
        "250ms",
        "--address",
        "127.0.0.1",
    ]);
    command.arg("--port").arg(port.to_string());
    command.arg("--progs").arg(program).arg("--logs").arg(log);
    command
}

fn numbered(lines: impl BufRead) -> u64 {
    let lines = lines.split(b'\n').map_while(Result::ok);
    lines.filter(|line| number(line).is_some()).count() as u64
}

/// The count of the last scrape.
fn last_shown(lines: impl BufRead) -> u64 {
    let shown = lines
        .lines()
        .map_while(Result::ok)
        .last()
        .unwrap_or_default();
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("a scrape");
    shown["sums"]["count"].as_u64().expect("a count")
}

fn scrape(port: u16) -> u64 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("mtail listens");
    let asked =
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: mtail\r\nConnection: close\r\n\r\n");
    asked.expect("asked");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("answered");
    let line = text
        .lines()
        .find(|line| line.starts_with("lines{"))
        .expect("the counter");
    line.rsplit(' ')
        .next()
        .and_then(|value| value.parse().ok())
        .expect("a number")
}
