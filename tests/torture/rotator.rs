//! Rotates a log without mercy, as logrotate does it in each of its ways.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::writer::Signals;

pub(crate) struct Rotator<'a> {
    pub(crate) log: PathBuf,
    pub(crate) signals: &'a Signals,
    /// Inodes that were seen, and how many came again.
    pub(crate) inodes: BTreeSet<u64>,
    pub(crate) reused: u64,
    pub(crate) rotations: u64,
    deleted: u64,
}

impl<'a> Rotator<'a> {
    pub(crate) fn new(log: PathBuf, signals: &'a Signals) -> Self {
        Self {
            log,
            signals,
            inodes: BTreeSet::new(),
            reused: 0,
            rotations: 0,
            deleted: 0,
        }
    }

    fn old(&self, number: u64) -> PathBuf {
        PathBuf::from(format!("{}.{number}", self.log.display()))
    }

    /// Whether the reader has stored the lines of this file. One that is deleted before is lost to any reader.
    fn is_stored(&self, number: u64) -> bool {
        let ends = self.signals.ends.lock().expect("ends");
        let end = ends.get(usize::try_from(number).expect("a number"));
        end.is_some_and(|end| *end <= self.signals.shown.load(Ordering::Acquire))
    }

    /// Renames it behind the others, and deletes all but the newest `kept`. Numbers only grow, as dates do:
    /// to move a thousand names each time would take longer than the period.
    pub(crate) fn rename(&mut self, kept: u64) -> bool {
        let Ok(meta) = fs::metadata(&self.log) else {
            return false;
        };
        self.reused += u64::from(!self.inodes.insert(meta.ino()));
        self.rotations += 1;
        fs::rename(&self.log, self.old(self.rotations)).expect("renamed");
        self.signals.reopen.fetch_add(1, Ordering::AcqRel);
        while self.deleted + kept < self.rotations && self.is_stored(self.deleted) {
            self.deleted += 1;
            fs::remove_file(self.old(self.deleted)).expect("removed");
        }
        true
    }

    /// Compresses the file before the newest: the writer has left it by then.
    pub(crate) fn compress(&self) {
        let Some(number) = self.rotations.checked_sub(1).filter(|number| *number > 0) else {
            return;
        };
        while self.signals.reopened.load(Ordering::Acquire) < number {
            thread::sleep(Duration::from_millis(1));
        }
        let plain = self.old(number);
        let text = fs::read(&plain).expect("read");
        let to = File::create(format!("{}.gz", plain.display())).expect("created");
        let mut gz = GzEncoder::new(to, Compression::fast());
        gz.write_all(&text).expect("compressed");
        gz.finish().expect("compressed");
        fs::remove_file(plain).expect("removed");
    }

    /// Copies and truncates it; gives the lines that stood between.
    pub(crate) fn copytruncate(&mut self) -> u64 {
        self.rotations += 1;
        let mut log = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&self.log)
            .expect("the log");
        let mut copy = File::create(self.old(self.rotations)).expect("the copy");
        std::io::copy(&mut log, &mut copy).expect("copied");
        // What comes between these two is in neither; of that all but the last moment is seen here.
        let mut between = Vec::new();
        log.read_to_end(&mut between).expect("read");
        log.set_len(0).expect("truncated");
        between.iter().filter(|byte| **byte == b'\n').count() as u64
    }
}

/// Removes what a run left.
pub(crate) fn clear(folder: &Path) {
    fs::remove_dir_all(folder).ok();
}
