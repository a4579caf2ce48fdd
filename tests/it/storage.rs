//! `--storage.path` on the real binary: killed at any moment, with no room, with what it cannot believe.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::holter::{Holter, refusal};
use crate::support::{eventually, http};

/// A log source `edge` whose files are in a folder of their own, with a place to store its counts.
pub(crate) struct Stage {
    folder: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let stage = Self {
            folder: TempDir::new().unwrap(),
        };
        File::create(stage.path("access.log")).unwrap();
        File::create(stage.path("error.log")).unwrap();
        stage
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn storage(&self) -> PathBuf {
        self.path("storage")
    }

    pub(crate) fn start(&self) -> Holter {
        self.start_at(&self.storage())
    }

    fn start_at(&self, storage: &Path) -> Holter {
        let configuration = format!(
            "logs:\n\
             \x20 - name: edge\n\
             \x20   format: nginx\n\
             \x20   log_format: '$msec $connection \"$request\" $status \"$request_completion\" $request_time $upstream_addr'\n\
             \x20   files: [{}]\n\
             \x20   error_files: [{}]\n",
            self.path("access.log").display(),
            self.path("error.log").display(),
        );
        Holter::storing(&configuration, storage)
    }

    pub(crate) fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new()
            .append(true)
            .open(self.path(name))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}

/// The line of a stream that lasted so many milliseconds; its number is its connection's, too.
pub(crate) fn access(number: u64) -> String {
    format!(
        "1795168781.360 {number} \"GET /mcp HTTP/1.1\" 200 \"OK\" {}.{:03} 10.0.0.1:80\n",
        number / 1000,
        number % 1000
    )
}

/// The entry that tells why it ended.
pub(crate) fn timed_out(number: u64) -> String {
    format!(
        "2026/11/20 09:59:41 [error] 7#7: *{number} upstream timed out (110: Connection timed out) while reading upstream, \
         client: 10.9.9.9, server: _, request: \"GET /mcp HTTP/1.1\", upstream: \"http://10.0.0.1:80/mcp\"\n"
    )
}

pub(crate) const LINES: &str = r#"holter_log_lines_total{source="edge"}"#;

/// Writes streams until told to stop, every third with its entry in the error log before or after it; some lines in
/// two halves. Says how many.
fn write_until(stage: &Stage, stop: &AtomicBool) -> u64 {
    let random = &mut fastrand::Rng::with_seed(7);
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let entry_first = random.bool();
        if number % 3 == 0 && entry_first {
            stage.append("error.log", &timed_out(number));
        }
        let line = access(number);
        let (half, rest) = line.split_at(random.usize(0..line.len()));
        stage.append("access.log", half);
        std::thread::sleep(Duration::from_millis(random.u64(1..6)));
        stage.append("access.log", rest);
        if number % 3 == 0 && !entry_first {
            stage.append("error.log", &timed_out(number));
        }
    }
    number
}

/// The counts of every scrape so far, over all lives: none may fall.
#[derive(Default)]
pub(crate) struct Seen {
    highest: HashMap<String, f64>,
    pub(crate) fallen: Vec<String>,
}

impl Seen {
    pub(crate) fn take(&mut self, text: &str) {
        for line in text.lines().filter(|line| line.starts_with("holter_")) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            let is_count = ["_total", "_bucket", "_sum", "_count"];
            if !is_count.iter().any(|suffix| name.ends_with(suffix)) {
                continue;
            }
            let value: f64 = value.parse().unwrap();
            let highest = self.highest.entry(series.to_owned()).or_default();
            if value < *highest {
                self.fallen
                    .push(format!("{series}: {highest}, then {value}"));
            }
            *highest = highest.max(value);
        }
    }
}

/// Scrapes whoever lives, without a pause.
fn scrape_until(
    stop: &AtomicBool,
    address: &Mutex<Option<SocketAddr>>,
    scrapes: &AtomicUsize,
) -> Seen {
    let mut seen = Seen::default();
    while !stop.load(Ordering::Relaxed) {
        let living = *address.lock().unwrap();
        // Whoever was killed meanwhile gives no answer.
        if let Some(Ok(answer)) = living.map(|address| http::get(address, "/metrics")) {
            seen.take(&answer.body);
            scrapes.fetch_add(1, Ordering::Relaxed);
        }
    }
    seen
}

#[test]
fn killed_at_any_moment_nothing_is_lost_doubled_or_falls() {
    let stage = Stage::new();
    let (stop, address, scrapes) = (
        AtomicBool::new(false),
        Mutex::new(None),
        AtomicUsize::new(0),
    );
    let random = &mut fastrand::Rng::with_seed(11);
    drop(stage.start());
    let (written, seen) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_until(&stage, &stop));
        let scraper = scope.spawn(|| scrape_until(&stop, &address, &scrapes));
        for _ in 0..15 {
            let mut holter = stage.start();
            *address.lock().unwrap() = Some(holter.address);
            let enough = scrapes.load(Ordering::Relaxed) + random.usize(0..200);
            eventually("some scrapes", || {
                let seen = scrapes.load(Ordering::Relaxed);
                (seen >= enough)
                    .then_some(())
                    .ok_or_else(|| seen.to_string())
            });
            holter.kill();
            *address.lock().unwrap() = None;
        }
        stop.store(true, Ordering::Relaxed);
        (writer.join().unwrap(), scraper.join().unwrap())
    });
    assert_eq!(seen.fallen, Vec::<String>::new());
    assert!(
        scrapes.load(Ordering::Relaxed) > 100 && written > 100,
        "{written}"
    );

    everything_is_counted_once(&stage, written);
}

/// Each of so many streams, and every third's entry, whatever happened while they were read.
fn everything_is_counted_once(stage: &Stage, written: u64) {
    let holter = stage.start();
    let timed_out = written / 3;
    holter.wait_for("holter_log_streams_closed_total", |n| n >= written as f64);
    let scrape = holter.scrape();
    let check = |selector: &str, expected: f64| {
        assert_eq!(
            scrape.sum(selector),
            Ok(expected),
            "{selector}; {written} written"
        );
    };
    let bytes = |name: &str| fs::metadata(stage.path(name)).unwrap().len();
    check(LINES, (written + timed_out) as f64);
    check(
        "holter_log_bytes_total",
        (bytes("access.log") + bytes("error.log")) as f64,
    );
    check("holter_log_lines_unparsed_total", 0.0);
    check("holter_log_streams_closed_total", written as f64);
    check(
        r#"holter_log_streams_closed_total{reason="idle_timeout"}"#,
        timed_out as f64,
    );
    check(
        r#"holter_log_streams_closed_total{reason="server_close"}"#,
        (written - timed_out) as f64,
    );
    check("holter_log_upstream_streams_closed_total", written as f64);
    check("holter_log_stream_duration_seconds_count", written as f64);
    let sum = scrape
        .sum("holter_log_stream_duration_seconds_sum")
        .unwrap();
    let millis = written * (written + 1) / 2;
    assert_eq!(
        (sum * 1000.0).round() as u64,
        millis,
        "the sum of all durations"
    );
    check("holter_log_bytes_lost_total", 0.0);
    check("holter_snapshot_rejected_total", 0.0);
}

#[test]
fn what_is_read_before_the_first_scrape_survives_too() {
    let stage = Stage::new();
    let mut holter = stage.start();
    holter.kill();
    stage.append("access.log", &access(1));
    let mut holter = stage.start();
    holter.wait_for(LINES, |n| n == 1.0);
    holter.kill();
    stage.append("access.log", &access(2));
    let mut holter = stage.start();
    holter.wait_for(LINES, |n| n == 2.0);
    // Asked to stop, it stores what nobody scraped.
    stage.append("access.log", &access(3));
    holter.terminate();
    assert!(holter.wait_for_exit().success());
    fs::remove_file(stage.path("access.log")).unwrap();
    assert_eq!(stage.start().scrape().sum(LINES), Ok(3.0));
}

#[test]
fn a_second_one_is_refused() {
    let stage = Stage::new();
    let _first = stage.start();
    let storage = stage.storage();
    let storage = storage.to_str().unwrap();
    let arguments = [
        "--config.file",
        "holter.yaml",
        "--web.listen-address",
        "127.0.0.1:0",
        "--storage.path",
        storage,
    ];
    let files = [(
        "holter.yaml",
        "logs: [{name: a, format: nginx, files: [a.log]}]\n",
    )];
    let (said, code) = refusal(&files, &arguments);
    let expected = format!("holter: --storage.path {storage}: in use by another holter");
    assert_eq!(
        (said.trim_end().lines().last(), code),
        (Some(&*expected), Some(2))
    );
}

#[test]
fn what_cannot_be_believed_is_set_aside_and_counted() {
    let check = |cause: &str, spoil: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let stage = Stage::new();
        let mut holter = stage.start();
        stage.append("access.log", &access(1));
        holter.wait_for(LINES, |n| n == 1.0);
        holter.kill();
        let snapshot = stage.storage().join("snapshot");
        let spoilt = spoil(fs::read(&snapshot).unwrap());
        fs::write(&snapshot, &spoilt).unwrap();
        stage.append("access.log", &access(2));
        let mut holter = stage.start();
        let rejected = format!("holter_snapshot_rejected_total{{cause=\"{cause}\"}}");
        let scrape = holter.scrape();
        assert_eq!(scrape.sum(&rejected), Ok(1.0), "{cause}");
        assert_eq!(
            scrape.sum(LINES),
            Ok(0.0),
            "{cause}: from the end of the file"
        );
        let aside = stage.storage().join("snapshot.rejected");
        assert_eq!(fs::read(&aside).unwrap(), spoilt, "{cause}");
        let said = holter.log();
        assert!(said.contains(&*snapshot.display().to_string()), "{said}");
        // Counting goes on from there, and so does the count of what was rejected.
        stage.append("access.log", &access(3));
        holter.wait_for(LINES, |n| n == 1.0);
        holter.kill();
        let scrape = stage.start().scrape();
        assert_eq!(
            (scrape.sum(LINES), scrape.sum(&rejected)),
            (Ok(1.0), Ok(1.0))
        );
    };
    check("corrupt", &|mut bytes| {
        bytes.pop();
        bytes
    });
    check("foreign", &|_| b"mine\n".to_vec());
    check("version", &|bytes| {
        let text = String::from_utf8(bytes).unwrap();
        text.replacen(" 1 ", " 99 ", 1).into_bytes()
    });
}

/// What keeps Holter from starting must not cost the count of what was rejected at that start.
#[test]
fn a_rejection_is_counted_though_the_first_start_after_it_fails() {
    let folder = TempDir::new().unwrap();
    let storage = folder.path().join("storage");
    fs::create_dir(&storage).unwrap();
    fs::write(storage.join("snapshot"), "mine\n").unwrap();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap();
    let configuration = format!(
        "logs:\n- {{ name: a, format: nginx, log_format: combined, syslog: 'udp://{at}' }}\n"
    );
    let arguments = [
        "--config.file",
        "holter.yaml",
        "--web.listen-address",
        "127.0.0.1:0",
        "--storage.path",
        storage.to_str().unwrap(),
    ];
    let (said, code) = refusal(&[("holter.yaml", &configuration)], &arguments);
    assert!(
        said.contains("cannot listen on") && code == Some(2),
        "{said}"
    );
    drop(taken);
    let rejected = r#"holter_snapshot_rejected_total{cause="foreign"}"#;
    let scrape = Holter::storing(&configuration, &storage).scrape();
    assert_eq!(scrape.sum(rejected), Ok(1.0));
}

/// Twice: the folder that was set aside is in the way of the next.
#[test]
fn a_folder_in_the_snapshot_s_place_is_set_aside() {
    let stage = Stage::new();
    let snapshot = stage.storage().join("snapshot");
    for _ in 0..2 {
        fs::create_dir_all(snapshot.join("kept")).unwrap();
        let mut holter = stage.start();
        let rejected = r#"holter_snapshot_rejected_total{cause="foreign"}"#;
        assert_eq!(holter.scrape().sum(rejected), Ok(1.0));
        assert!(holter.log().contains("is not a snapshot of holter"));
        stage.append("access.log", &access(1));
        holter.wait_for(LINES, |lines| lines == 1.0);
        holter.kill();
        assert!(snapshot.is_file());
        fs::remove_file(&snapshot).unwrap();
    }
}

/// A file system with hardly any room, for as long as it is held. Only the superuser may mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Self {
        fs::create_dir(&at).unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
            .arg(&at);
        let status = mount.status().expect("mount");
        assert!(
            status.success(),
            "cannot mount a tmpfs: run the tests as root"
        );
        Self(at)
    }

    /// Leaves no room at all.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = File::create(&path).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}

#[test]
fn without_room_it_serves_on_and_says_so() {
    let stage = Stage::new();
    let disk = SmallDisk::mount(stage.path("disk"));
    let storage = disk.0.join("storage");
    let mut holter = stage.start_at(&storage);
    stage.append("access.log", &access(1));
    holter.wait_for(LINES, |n| n == 1.0);
    assert_eq!(holter.scrape().sum("holter_snapshot_failed"), Ok(0.0));
    let filler = disk.fill();
    holter.wait_for("holter_snapshot_failed", |failed| failed == 1.0);
    stage.append("access.log", &access(2));
    holter.wait_for(LINES, |n| n == 2.0);
    assert!(!storage.join("snapshot.next").exists());
    fs::remove_file(filler).unwrap();
    holter.wait_for("holter_snapshot_failed", |failed| failed == 0.0);
    holter.kill();
    assert_eq!(stage.start_at(&storage).scrape().sum(LINES), Ok(2.0));
}
