//! Writes numbered lines at a rate: random batches, halves of lines, and after a rotation for a while still to
//! the old file.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::reader::Sums;

/// What the writer and the rotator tell each other.
#[derive(Default)]
pub(crate) struct Signals {
    pub(crate) stop: AtomicBool,
    /// Counts the rotations after which the path has to be opened again.
    pub(crate) reopen: AtomicU64,
    /// How many of them the writer has seen.
    pub(crate) reopened: AtomicU64,
    /// How many lines were written when the writer left each file.
    pub(crate) ends: Mutex<Vec<u64>>,
    /// How many lines the last scrape showed.
    pub(crate) shown: AtomicU64,
}

pub(crate) struct Writer<'a> {
    pub(crate) path: PathBuf,
    pub(crate) rate: u64,
    pub(crate) header: String,
    pub(crate) random: fastrand::Rng,
    pub(crate) signals: &'a Signals,
}

impl Writer<'_> {
    /// Writes until it is told to stop; gives what it wrote.
    pub(crate) fn run(mut self) -> Sums {
        let begin = Instant::now();
        let (mut sums, mut text) = (Sums::default(), String::new());
        let (mut file, mut seen) = (self.open(), 0);
        let mut stale_until = None;
        while !self.signals.stop.load(Ordering::Acquire) {
            let due = u64::try_from(begin.elapsed().as_millis()).unwrap() * self.rate / 1000;
            while sums.count < due.min(sums.count + 4 * self.random.u64(1..500)) {
                sums.add(sums.count + 1);
                text.push_str(&line(sums.count));
            }
            // Sometimes the last line in two writes, the second with the next batch.
            let cut = if self.random.u8(..4) == 0 {
                text.len().saturating_sub(self.random.usize(1..40))
            } else {
                text.len()
            };
            file.write_all(&text.as_bytes()[..cut]).expect("written");
            text.drain(..cut);
            let asked = self.signals.reopen.load(Ordering::Acquire);
            if asked != seen && stale_until.is_none() {
                stale_until = Some(Instant::now() + Duration::from_millis(self.random.u64(..30)));
            }
            if stale_until.is_some_and(|until| Instant::now() >= until) {
                file.write_all(text.as_bytes()).expect("written");
                text.clear();
                (file, seen, stale_until) = (self.open(), asked, None);
                self.signals.ends.lock().expect("ends").push(sums.count);
                self.signals.reopened.store(seen, Ordering::Release);
            }
            thread::sleep(Duration::from_micros(self.random.u64(200..3000)));
        }
        file.write_all(text.as_bytes()).expect("written");
        sums
    }

    fn open(&self) -> File {
        let is_new = !self.path.exists();
        let mut file = append(&self.path);
        if is_new {
            file.write_all(self.header.as_bytes()).expect("written");
        }
        file
    }
}

fn append(path: &Path) -> File {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.expect("the log")
}

/// About as long as a line of an access log.
pub(crate) fn line(number: u64) -> String {
    format!("{number} 10.0.0.1 - - \"GET /mcp HTTP/1.1\" 200 512 rt=0.004\n")
}
