//! The product before the same writer and rotators: `holter` with `--storage.path`, killed and scraped over HTTP.
//!
//! It does not tell line numbers, so each line is a stream that lasted as many seconds as its number: count, sum and buckets
//! of the lifetimes show which were counted. What is read from files is read again after a crash, and hides what was
//! shown before it was stored; so there is a second source, by syslog, that cannot be.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::run::{Shown, Written};
use super::writer::Signals;

const FORMAT: &str =
    "$msec $connection \"$request\" $status \"$request_completion\" $request_time $upstream_addr";

/// How long a process is given for what takes a moment.
const PATIENCE: Duration = Duration::from_secs(60);

/// Each as long as the others, as [`super::writer::line`]. Every second client went away.
pub(crate) fn line(number: u64) -> String {
    let status = if number.is_multiple_of(2) { 200 } else { 499 };
    format!(
        "1795168781.360 {number:09} \"GET /mcp HTTP/1.1\" {status} \"OK\" {number:09}.000 10.0.0.1:80\n"
    )
}

/// The same in two pieces, as a container's runtime cuts what is long.
pub(crate) fn pieces(number: u64) -> String {
    let line = line(number);
    let (begin, end) = line.split_at(40);
    let time = "2026-11-20T09:59:41.361000061Z stdout";
    format!("{time} P {begin}\n{time} F {end}")
}

/// Holter's processes, one after the other, and what their scrapes showed.
pub(crate) struct Readers {
    folder: PathBuf,
    /// Where the second source receives.
    to: SocketAddr,
    highest: BTreeMap<String, f64>,
    shown: Shown,
}

/// One that runs.
struct Holter {
    child: Child,
    log: PathBuf,
}

impl Readers {
    /// Starts it once: what is written from now on is to be counted.
    pub(crate) fn new(folder: &Path) -> Self {
        let free = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let to = free.local_addr().expect("its address");
        drop(free);
        let configuration = format!(
            "logs:\n- name: edge\n  format: nginx\n  log_format: '{FORMAT}'\n  files: [{}]\n\
             - name: told\n  format: nginx\n  log_format: '{FORMAT}'\n  syslog: 'udp://{to}'\n",
            folder.join("logs/access.log").display()
        );
        fs::write(folder.join("holter.yaml"), configuration).expect("a configuration");
        let readers = Self {
            folder: folder.to_owned(),
            to,
            highest: BTreeMap::new(),
            shown: Shown::default(),
        };
        let mut first = readers.start();
        first.address().expect("it listens");
        first.kill();
        readers
    }

    fn start(&self) -> Holter {
        let log = self.folder.join("holter.log");
        fs::remove_file(&log).ok();
        let child = Command::new(env!("CARGO_BIN_EXE_holter"))
            .arg("--config.file")
            .arg(self.folder.join("holter.yaml"))
            .args(["--web.listen-address", "127.0.0.1:0", "--storage.path"])
            .arg(self.folder.join("storage"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("a log"))
            .spawn()
            .expect("holter");
        Holter { child, log }
    }

    /// Runs one, kills it, and so on until all is written.
    pub(crate) fn read(&mut self, signals: &Signals, mut random: fastrand::Rng) {
        let to = self.to;
        thread::scope(|scope| {
            scope.spawn(move || tell(to, signals));
            while !signals.is_over() {
                self.live(&mut random);
                thread::sleep(Duration::from_millis(random.u64(..250)));
            }
        });
    }

    /// One life: killed on the way to its start, between two scrapes, while it answers one, or right after.
    fn live(&mut self, random: &mut fastrand::Rng) {
        let time = Duration::from_millis(random.u64(30..330));
        let mut holter = self.start();
        self.shown.kills += 1;
        if random.u8(..4) == 0 {
            thread::sleep(time);
            return holter.kill();
        }
        let address = holter.address().expect("it listens");
        let end = Instant::now() + time;
        while Instant::now() < end {
            thread::sleep(Duration::from_millis(random.u64(..80)));
            self.scrape(address);
        }
        match random.u8(..3) {
            0 => thread::sleep(Duration::from_millis(random.u64(..20))),
            1 => drop(ask(address)),
            _ => {}
        }
        holter.kill();
    }

    /// Takes what a scrape shows, if it is whole.
    fn scrape(&mut self, address: SocketAddr) -> Option<BTreeMap<String, f64>> {
        let text = answer(address).ok()?;
        let lines = text.lines().filter(|line| line.starts_with("holter_"));
        let values: BTreeMap<_, _> = lines
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(series, value)| Some((series.to_owned(), value.parse().ok()?)))
            .collect();
        self.shown.scrapes += 1;
        for (series, value) in values.iter().filter(|(series, _)| is_count(series)) {
            let highest = self.highest.entry(series.clone()).or_default();
            if *value < *highest {
                self.shown.fell += 1;
                let fell = format!("{series} fell from {highest} to {value}");
                self.shown.wrong.push(fell);
            }
            *highest = highest.max(*value);
        }
        Some(values)
    }

    /// Lets the last one read all there is, and compares; then shows that it is guarded.
    pub(crate) fn finish(mut self, written: &Written) -> Shown {
        let mut holter = self.start();
        let address = holter.address().expect("it listens");
        let values = self.read_out(address, written);
        compare(written, &values, &mut self.shown);
        let second = self.start().said();
        let is_refused = second.contains("in use by another holter");
        self.shown
            .check(is_refused, || format!("a second one: {second}"));
        holter.kill();
        self.believes_no_damage();
        self.shown
    }

    /// Scrapes until everything is counted, or nothing more for a while.
    fn read_out(&mut self, address: SocketAddr, written: &Written) -> BTreeMap<String, f64> {
        let end = Instant::now() + PATIENCE;
        let (mut values, mut since) = (BTreeMap::new(), Instant::now());
        loop {
            let new = self.scrape(address).expect("an answer");
            let counted = sum(&new, "holter_log_stream_duration_seconds_count");
            let lag = sum(&new, "holter_log_lag_bytes");
            if counted != sum(&values, "holter_log_stream_duration_seconds_count") {
                since = Instant::now();
            }
            values = new;
            let is_quiet = lag == 0.0 && since.elapsed() > Duration::from_secs(2);
            if counted >= written.sums.count as f64 || is_quiet || Instant::now() > end {
                return values;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// One digit of a stored count is changed: what is left is no snapshot.
    fn believes_no_damage(&mut self) {
        let snapshot = self.folder.join("storage/snapshot");
        let mut text = fs::read_to_string(&snapshot).expect("a snapshot");
        let (before, rest) = text.split_once("\"counter\":").expect("a count");
        let digit = before.len() + "\"counter\":".len();
        let other = if rest.starts_with('1') { "2" } else { "1" };
        text.replace_range(digit..=digit, other);
        fs::write(&snapshot, text).expect("damaged");
        self.highest.clear();
        let mut holter = self.start();
        let address = holter.address().expect("it listens");
        let values = self.scrape(address).expect("an answer");
        let rejected = "holter_snapshot_rejected_total{cause=\"corrupt\"}";
        let rejected = values.get(rejected).copied();
        self.shown.check(rejected == Some(1.0), || {
            "a damaged snapshot was believed".to_owned()
        });
        holter.kill();
    }
}

impl Holter {
    /// Where it listens, as soon as it says so.
    fn address(&mut self) -> Option<SocketAddr> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && self.child.try_wait().ok()?.is_none() {
            let said = fs::read_to_string(&self.log).unwrap_or_default();
            let address = said
                .lines()
                .find_map(|line| line.split_once("listening address="));
            if let Some((_, address)) = address {
                return address.trim().parse().ok();
            }
            thread::sleep(Duration::from_millis(2));
        }
        None
    }

    fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("waited for");
    }

    /// What it said by its end, or until it listens.
    fn said(mut self) -> String {
        if self.address().is_some() {
            self.kill();
        }
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// Sends what is received once or never.
fn tell(to: SocketAddr, signals: &Signals) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let message = format!("<190>Nov 20 09:59:41 host nginx: {}", line(1));
    while !signals.is_over() {
        // Nobody may be there.
        socket.send_to(message.as_bytes(), to).ok();
        thread::sleep(Duration::from_millis(1));
    }
}

fn ask(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: holter\r\nConnection: close\r\n\r\n")?;
    Ok(stream)
}

/// The body of an answer that came whole.
fn answer(address: SocketAddr) -> io::Result<String> {
    let mut text = String::new();
    ask(address)?.read_to_string(&mut text)?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let length = head.to_ascii_lowercase();
    let length = length
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let is_whole = length.and_then(|length| length.parse().ok()) == Some(body.len());
    let body = is_whole.then(|| body.to_owned());
    body.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn is_count(series: &str) -> bool {
    let name = series.split('{').next().unwrap_or_default();
    let ends = ["_total", "_bucket", "_sum", "_count"];
    ends.iter().any(|end| name.ends_with(end))
}

/// The sum of the first source's series of this metric.
fn sum(values: &BTreeMap<String, f64>, metric: &str) -> f64 {
    let of_edge = |series: &&String| {
        let rest = series.strip_prefix(metric).unwrap_or_default();
        rest.starts_with('{') && rest.contains("source=\"edge\"")
    };
    let found = values.iter().filter(|(series, _)| of_edge(series));
    found.map(|(_, value)| value).sum()
}

/// Whether each line was counted once, but for those that copytruncate cut.
fn compare(written: &Written, values: &BTreeMap<String, f64>, shown: &mut Shown) {
    let of = |metric: &str| sum(values, metric) as u64;
    let (count, cut) = (written.sums.count, &written.cut);
    let ends = of("holter_log_stream_duration_seconds_count");
    let all = of("holter_log_stream_duration_seconds_sum");
    shown.missing = count.saturating_sub(ends);
    shown.lost = of("holter_log_bytes_lost_total");
    let missing = shown.missing as usize;
    let is_possible = ends <= count && missing <= cut.lines.len();
    shown.check(is_possible, || format!("{ends} ends of {count} lines"));
    // Whichever were not counted, their sum is no smaller than that of the first, and no larger than that of the last.
    let least: u64 = cut.lines.iter().take(missing).sum();
    let most: u64 = cut.lines.iter().rev().take(missing).sum();
    let is_sum = (written.sums.sum - most..=written.sums.sum - least).contains(&all);
    shown.check(is_sum, || {
        format!("lifetimes of {all} s, not {}", written.sums.sum)
    });
    let unparsed = of("holter_log_lines_unparsed_total");
    let may_be_unparsed = if cut.lines.is_empty() {
        0
    } else {
        2 * written.rotations
    };
    shown.check(unparsed <= may_be_unparsed, || {
        format!("{unparsed} unparsed")
    });
    let lines = of("holter_log_lines_total");
    let pieces = (written.line)(1).lines().count() as u64;
    shown.check(lines == ends * pieces + unparsed, || {
        format!("{lines} lines")
    });
    let lost = shown.lost;
    shown.check(lost <= cut.bytes, || {
        format!("{lost} bytes lost of {} cut", cut.bytes)
    });
    if cut.lines.is_empty() {
        compare_wholly(written, values, shown);
    }
}

/// Where all is to be counted: bytes, reasons, and each bucket.
fn compare_wholly(written: &Written, values: &BTreeMap<String, f64>, shown: &mut Shown) {
    let count = written.sums.count;
    let mut expected = vec![
        (
            "holter_log_bytes_total{source=\"edge\"}".to_owned(),
            count * (written.line)(1).len() as u64,
        ),
        (closed("client_close", "client"), count.div_ceil(2)),
        // Without an error log, why the others ended is not known.
        (closed("unknown", "unknown"), count / 2),
    ];
    for bound in [1, 5, 60, 600, 3600, 14_400, 43_200, 86_400] {
        let bucket = "holter_log_stream_duration_seconds_bucket";
        let series = format!("{bucket}{{source=\"edge\",le=\"{bound}\"}}");
        expected.push((series, count.min(bound)));
    }
    for (series, expected) in expected {
        let value = values.get(&series).copied();
        shown.check(value == Some(expected as f64), || {
            format!("{series}: {value:?}, not {expected}")
        });
    }
}

fn closed(reason: &str, class: &str) -> String {
    format!(
        "holter_log_streams_closed_total{{class=\"{class}\",reason=\"{reason}\",source=\"edge\"}}"
    )
}
