//! `--storage.path` beside files: what is received, what waits for its other log, and that what is shown is what is
//! stored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::UdpSocket;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Barrier, Mutex};
use std::time::Duration;

use holter::snapshot::Snapshot;
use holter::snapshot::series::Value;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use crate::storage::{LINES, Seen, Stage, access, timed_out};
use crate::support::holter::Holter;
use crate::support::scrape::Scrape;
use crate::support::{eventually, http};

const FAILED: &str = "holter_snapshot_failed";
const CLOSED: &str = "holter_log_streams_closed_total";

/// Each line is a stream, counted in one family as a line and in the other as an end: a scrape that saw a half of what
/// was received would show two different numbers. What came after the last scrape goes with the process.
#[test]
fn received_lines_are_counted_whole_and_never_fall() {
    let configuration = "logs:
- name: edge
  format: nginx
  log_format: '$msec $connection \"$request\" $status \"$request_completion\" $request_time $upstream_addr'
  syslog: 'udp://127.0.0.1:0'
";
    let folder = TempDir::new().unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut seen = Seen::default();
    let mut before = 0.0;
    for _ in 0..5 {
        let mut holter = Holter::storing(configuration, &folder.path().join("storage"));
        let at = holter.receives_at("edge", "syslog");
        let (at, sender) = (at.strip_prefix("udp://").unwrap(), &sender);
        std::thread::scope(|scope| {
            let (stop, stopped) = channel::<()>();
            scope.spawn(move || {
                let message = format!("<190>Nov 20 09:59:41 host nginx: {}", access(1));
                while stopped.recv_timeout(Duration::from_millis(1))
                    == Err(RecvTimeoutError::Timeout)
                {
                    for _ in 0..100 {
                        sender.send_to(message.as_bytes(), at).unwrap();
                    }
                }
            });
            holter.wait_for(LINES, |lines| lines > before);
            for _ in 0..20 {
                let text = holter.metrics().unwrap();
                seen.take(&text);
                let scrape = Scrape::parse(&text).unwrap();
                assert_eq!(scrape.sum(LINES), scrape.sum(CLOSED));
                before = scrape.sum(LINES).unwrap();
            }
            holter.kill();
            drop(stop);
        });
    }
    assert_eq!(seen.fallen, Vec::<String>::new());
}

/// Asked to stop, it does not decide without its entry a stream that the next process can decide with it.
#[test]
fn what_waits_for_its_entry_waits_over_a_restart() {
    let stage = Stage::new();
    let mut holter = stage.start();
    stage.append("access.log", &access(1));
    holter.terminate();
    assert!(holter.wait_for_exit().success());
    stage.append("error.log", &timed_out(1));
    let holter = stage.start();
    holter.wait_for(CLOSED, |ends| ends == 1.0);
    let scrape = holter.scrape();
    assert_eq!(
        scrape.sum(&format!("{CLOSED}{{reason=\"idle_timeout\"}}")),
        Ok(1.0)
    );
    assert_eq!(scrape.sum(LINES), Ok(2.0));
}

/// A disk that hangs, played by a pipe that nobody reads: who opens it to write waits.
#[test]
fn a_disk_that_hangs_does_not_hang_the_scrape() {
    let stage = Stage::new();
    let holter = stage.start();
    let next = stage.storage().join("snapshot.next");
    mknodat(CWD, &next, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    assert_eq!(holter.wait_for(FAILED, |failed| failed == 1.0), 1.0);
    stage.append("access.log", &access(1));
    holter.wait_for(LINES, |lines| lines == 1.0);
    // The disk is back: what waited is written, and the next one is stored.
    let drained = std::thread::spawn(move || fs::read(next));
    holter.wait_for(FAILED, |failed| failed == 0.0);
    assert!(!drained.join().unwrap().unwrap().is_empty());
    assert_eq!(stored(&stage, LINES), Some(1));
}

/// What the snapshot on disk says of a counter.
fn stored(stage: &Stage, selector: &str) -> Option<u64> {
    let snapshot = Snapshot::decode(&fs::read(stage.storage().join("snapshot")).unwrap()).unwrap();
    shown(&snapshot).get(selector).copied()
}

/// The counters of a snapshot, as the exposition writes them.
fn shown(snapshot: &Snapshot) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for family in &snapshot.families {
        for series in &family.series {
            let labels: Vec<_> = series
                .labels
                .iter()
                .map(|(name, value)| format!("{name}=\"{value}\""))
                .collect();
            let labels = match labels.is_empty() {
                true => String::new(),
                false => format!("{{{}}}", labels.join(",")),
            };
            match &series.value {
                Value::Counter(count) => {
                    all.insert(format!("{}{labels}", family.name), *count);
                }
                Value::Histogram { buckets, .. } => {
                    let count = buckets.iter().map(|(_, count)| count).sum();
                    all.insert(format!("{}_count{labels}", family.name), count);
                }
            }
        }
    }
    all
}

/// The same of an answer: what is not 0.
fn answered(text: &str) -> BTreeMap<String, u64> {
    let lines = text.lines().filter(|line| line.starts_with("holter_"));
    let counts = lines.filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let name = series.split('{').next()?;
        let is_count = name.ends_with("_total") || name.ends_with("_count");
        let value: f64 = value.parse().ok()?;
        (is_count && value > 0.0).then(|| (series.to_owned(), value as u64))
    });
    counts.collect()
}

/// Nobody else scrapes, so the file is the one that was written for this answer.
#[test]
fn the_answer_is_what_is_stored() {
    let stage = Stage::new();
    let holter = stage.start();
    let (stop, stopped) = channel::<()>();
    std::thread::scope(|scope| {
        let stage = &stage;
        scope.spawn(move || {
            let mut number = 0;
            while stopped.recv_timeout(Duration::from_millis(1)) == Err(RecvTimeoutError::Timeout) {
                number += 1;
                stage.append("access.log", &access(number));
                stage.append("error.log", &timed_out(number));
            }
        });
        let mut values = BTreeSet::new();
        eventually("different answers", || {
            let text = holter.metrics()?;
            if Scrape::parse(&text)?.sum(FAILED)? != 0.0 {
                return Err("it could not be stored in time".to_owned());
            }
            let bytes = fs::read(stage.storage().join("snapshot")).unwrap();
            let snapshot = Snapshot::decode(&bytes).unwrap();
            assert_eq!(answered(&text), shown(&snapshot));
            values.insert(answered(&text).get(LINES).copied());
            (values.len() > 20)
                .then_some(())
                .ok_or_else(|| values.len().to_string())
        });
        drop(stop);
    });
}

/// The lines of the first source, as the page's own numbers have them.
fn status_lines(holter: &Holter) -> Result<u64, String> {
    let answer = http::get(holter.address, "/api/v1/status").map_err(|error| error.to_string())?;
    let status: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    Ok(status["sources"][0]["lines"].as_u64().unwrap())
}

/// What was received cannot be read again, so that nothing may show it that is not stored.
#[test]
fn the_status_shows_nothing_that_a_crash_takes_back() {
    let configuration =
        "logs:\n- { name: a, format: nginx, log_format: combined, syslog: 'udp://127.0.0.1:0' }\n";
    let folder = TempDir::new().unwrap();
    let mut holter = Holter::storing(configuration, &folder.path().join("storage"));
    let at = holter.receives_at("a", "syslog").replace("udp://", "");
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..100 {
        sender
            .send_to(b"<190>Nov 20 09:59:41 host nginx: ?", &at)
            .unwrap();
    }
    eventually("all lines on the page", || match status_lines(&holter)? {
        100 => Ok(()),
        lines => Err(lines.to_string()),
    });
    holter.kill();
    let holter = Holter::storing(configuration, &folder.path().join("storage"));
    assert_eq!(status_lines(&holter), Ok(100));
}

/// A hundred at a time, as after a network's recovery: they share what is written. A snapshot is a new file each time.
#[test]
fn a_storm_of_scrapes_shares_its_snapshots() {
    const STORM: usize = 100;
    let stage = Stage::new();
    let holter = stage.start();
    let answers = Mutex::new(Vec::new());
    let together = Barrier::new(STORM);
    std::thread::scope(|scope| {
        for _ in 0..STORM {
            scope.spawn(|| {
                together.wait();
                let text = holter.metrics().unwrap();
                answers.lock().unwrap().push(success(&text));
            });
        }
    });
    let answers = answers.into_inner().unwrap();
    assert_eq!(answers.len(), STORM);
    let written: BTreeSet<_> = answers.into_iter().collect();
    assert!(written.len() <= STORM / 2, "{} snapshots", written.len());
}

/// When the snapshot of an answer was written: another one, another time.
fn success(text: &str) -> String {
    let name = "holter_snapshot_last_success_timestamp_seconds ";
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().to_owned()
}
