//! Rotates a log without mercy, as logrotate does it in each of its ways.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
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
    /// Bytes of a line: all are as long.
    line: u64,
    /// Inodes that were seen, and how many came again.
    inodes: BTreeSet<u64>,
    pub(crate) reused: u64,
    pub(crate) rotations: u64,
    pub(crate) cut: Cut,
    deleted: u64,
}

/// What copytruncate leaves nowhere: known exactly, as nothing is written between the last look and the truncation.
#[derive(Default)]
pub(crate) struct Cut {
    /// Lines of which a part was written after the copier's last read, or before the truncation and the rest after it.
    pub(crate) lines: BTreeSet<u64>,
    /// Their bytes before the truncations.
    pub(crate) bytes: u64,
    /// Those of them that stand whole in a copy and the log after it, one part each: every reader sees both.
    pub(crate) torn: BTreeSet<u64>,
}

impl<'a> Rotator<'a> {
    pub(crate) fn new(log: PathBuf, line: fn(u64) -> String, signals: &'a Signals) -> Self {
        Self {
            log,
            signals,
            line: line(1).len() as u64,
            inodes: BTreeSet::new(),
            reused: 0,
            rotations: 0,
            cut: Cut::default(),
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

    /// Renames it behind the others; the writer makes the next. Numbers only grow, as dates do: to move a thousand
    /// names each time would take longer than the period.
    pub(crate) fn rename(&mut self) -> bool {
        // Not before the writer has left the file of the last time.
        let reopened = self.signals.reopened.load(Ordering::Acquire);
        let meta = fs::metadata(&self.log);
        let Some(meta) = meta.ok().filter(|_| reopened == self.rotations) else {
            return false;
        };
        self.reused += u64::from(!self.inodes.insert(meta.ino()));
        self.rotations += 1;
        fs::rename(&self.log, self.old(self.rotations)).expect("renamed");
        true
    }

    /// The same, but deletes all but the newest `kept` and makes the next itself at once, which gets an inode that has just
    /// become free.
    pub(crate) fn rename_and_create(&mut self, kept: u64) {
        if !self.rename() {
            return;
        }
        while self.deleted + kept < self.rotations && self.is_stored(self.deleted) {
            self.deleted += 1;
            fs::remove_file(self.old(self.deleted)).expect("removed");
        }
        File::create_new(&self.log).expect("created");
        self.reopen();
    }

    /// Tells the writer.
    pub(crate) fn reopen(&self) {
        self.signals.reopen.fetch_add(1, Ordering::AcqRel);
    }

    /// Compresses the file before the newest: the writer has left it by then.
    pub(crate) fn compress(&self) {
        let Some(number) = self.rotations.checked_sub(1).filter(|number| *number > 0) else {
            return;
        };
        while self.signals.reopened.load(Ordering::Acquire) < number {
            if self.signals.is_over() {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        let plain = self.old(number);
        compress(&plain, format!("{}.gz", plain.display()).as_ref());
    }

    /// Copies and truncates it.
    pub(crate) fn copytruncate(&mut self) {
        let log = OpenOptions::new().read(true).write(true).open(&self.log);
        let Ok(mut log) = log else {
            return;
        };
        self.rotations += 1;
        let mut copy = File::create(self.old(self.rotations)).expect("the copy");
        let copied = std::io::copy(&mut log, &mut copy).expect("copied");
        // The writer is kept out only here: while it was copied, it wrote on.
        let written = self.signals.bytes.lock().expect("bytes");
        let missed = log.metadata().expect("the log").len() - copied;
        log.set_len(0).expect("truncated");
        let copied_to = *written - missed;
        let (first, last) = (copied_to / self.line + 1, written.div_ceil(self.line));
        self.cut.lines.extend(first..=last);
        self.cut.bytes += missed + copied_to % self.line;
        if missed == 0 && !copied_to.is_multiple_of(self.line) {
            self.cut.torn.insert(first);
        }
    }
}

/// Puts a compressed file in the place of a plain one.
pub(crate) fn compress(plain: &Path, to: &Path) {
    let text = fs::read(plain).expect("read");
    let mut gz = GzEncoder::new(File::create(to).expect("created"), Compression::fast());
    gz.write_all(&text).expect("compressed");
    gz.finish().expect("compressed");
    fs::remove_file(plain).expect("removed");
}

/// Removes what a run left.
pub(crate) fn clear(folder: &Path) {
    fs::remove_dir_all(folder).ok();
}
