//! Writes numbered lines at a rate: random batches, halves of lines, and after a rotation for a while still to
//! the old file.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::sums::Sums;

/// What the writer, the rotator and the reader tell each other.
#[derive(Default)]
pub(crate) struct Signals {
    /// All is written.
    pub(crate) stop: AtomicBool,
    /// Counts the rotations after which the path has to be opened again.
    pub(crate) reopen: AtomicU64,
    /// How many of them the writer has seen.
    pub(crate) reopened: AtomicU64,
    /// How many lines were written when the writer left each file.
    pub(crate) ends: Mutex<Vec<u64>>,
    /// Up to which line the last scrape showed all.
    pub(crate) shown: AtomicU64,
    /// Bytes of lines written. Held for each write, so that a copier that holds it knows what it truncates.
    pub(crate) bytes: Mutex<u64>,
}

impl Signals {
    pub(crate) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

pub(crate) struct Writer<'a> {
    pub(crate) path: PathBuf,
    pub(crate) rate: u64,
    /// How many lines it writes; with the rate, for how long.
    pub(crate) lines: u64,
    pub(crate) line: fn(u64) -> String,
    pub(crate) header: String,
    pub(crate) random: fastrand::Rng,
    pub(crate) signals: &'a Signals,
}

impl Writer<'_> {
    /// Writes all lines, each when it is due; gives what it wrote, and in what time.
    pub(crate) fn run(mut self) -> (Sums, Duration) {
        let begin = Instant::now();
        let (mut sums, mut text) = (Sums::default(), String::new());
        let (mut file, mut seen) = (self.open(), 0);
        let mut stale_until = None;
        while sums.count < self.lines || !text.is_empty() {
            let due = u64::try_from(begin.elapsed().as_millis()).unwrap() * self.rate / 1000;
            let batch = sums.count + 4 * self.random.u64(1..500);
            while sums.count < due.min(batch).min(self.lines) {
                sums.add(sums.count + 1);
                text.push_str(&(self.line)(sums.count));
            }
            // Sometimes the last line in two writes, the second with the next batch.
            let cut = if self.random.u8(..4) == 0 {
                text.len().saturating_sub(self.random.usize(1..40))
            } else {
                text.len()
            };
            self.write(&mut file, &text.as_bytes()[..cut]);
            text.drain(..cut);
            let asked = self.signals.reopen.load(Ordering::Acquire);
            if asked != seen && stale_until.is_none() {
                stale_until = Some(Instant::now() + Duration::from_millis(self.random.u64(..30)));
            }
            if stale_until.is_some_and(|until| Instant::now() >= until) {
                // Of the last lines some to the old file, and the rest to the new: never a part of one.
                let ends: Vec<_> = text.match_indices('\n').collect();
                let last = self.random.choice(ends).map_or(0, |(at, _)| at + 1);
                self.write(&mut file, &text.as_bytes()[..last]);
                text.drain(..last);
                (file, seen, stale_until) = (self.open(), asked, None);
                self.signals.ends.lock().expect("ends").push(sums.count);
                self.signals.reopened.store(seen, Ordering::Release);
            }
            thread::sleep(Duration::from_micros(self.random.u64(200..3000)));
        }
        self.signals.stop.store(true, Ordering::Release);
        (sums, begin.elapsed())
    }

    fn write(&self, file: &mut File, lines: &[u8]) {
        let mut bytes = self.signals.bytes.lock().expect("bytes");
        file.write_all(lines).expect("written");
        *bytes += lines.len() as u64;
    }

    fn open(&self) -> File {
        let mut file = append(&self.path);
        if file.metadata().expect("the log").len() == 0 {
            file.write_all(self.header.as_bytes()).expect("written");
        }
        file
    }
}

/// Opens it to be written behind what is there.
pub(crate) fn append(path: &Path) -> File {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.expect("the log")
}

/// About as long as a line of an access log, each as long as the others: a place tells the line. No line is the end of
/// another.
pub(crate) fn line(number: u64) -> String {
    format!("{number:09} 10.0.0.1 - - \"GET /mcp HTTP/1.1\" 200 512 rt=0.004\n")
}
